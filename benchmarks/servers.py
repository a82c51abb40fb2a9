"""The servers under measurement: how each is installed, started on its core, watched and stopped.

A peer is one script in `peers/`. The comment at its head is inline script metadata: what it needs,
and under `tool.bench` its title, its setting and the doors it has. It is installed into a venv of
its own below `$NUMEN_BENCH` (by default `~/.cache/numen-bench`) the first time it is asked for.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

PEERS = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("NUMEN_BENCH") or Path.home() / ".cache/numen-bench")
SERVER_CORE, LOAD_CORE = "0", "1"


@dataclass(frozen=True)
class Subject:
    """A server that can be started.

    Attributes:
        title: What to call it in a table.
        setting: How it is set up, for whoever wonders whether that is fair.
        doors: The doors it has, "json", "binary", "grpc", and the shape of JSON not standard.
        launch: The command and what it adds to the environment, given HTTP, gRPC and spare port.
        cores: Those it may use.
        fixed: Whether it answers without looking.
    """

    name: str
    title: str
    setting: str
    doors: dict[str, dict[str, str]]
    launch: Callable[[int, int, int], tuple[list[str], dict[str, str]]] = field(repr=False)
    cores: str = SERVER_CORE
    fixed: bool = False


def names() -> list[str]:
    """The peers there are."""
    return sorted(path.stem.removeprefix("with_") for path in PEERS.glob("with_*.py"))


def peer(name: str, model: Path) -> Subject:
    """A peer, installed, that serves the model."""
    script = PEERS / f"with_{name}.py"
    head = re.search(r"^# /// script\n(.*?)^# ///$", script.read_text(), re.MULTILINE | re.DOTALL)
    assert head, f"{script} opens with no script metadata"
    about = tomllib.loads("".join(line[2:] for line in head[1].splitlines(keepends=True)))
    python, version = install(name, about["dependencies"])

    def launch(http: int, grpc: int, spare: int) -> tuple[list[str], dict[str, str]]:
        ports = {"BENCH_PORT": http, "BENCH_GRPC_PORT": grpc, "BENCH_SPARE_PORT": spare}
        given = {"BENCH_MODEL": str(model), "PYTHONPATH": str(PEERS), "OMP_NUM_THREADS": "1"}
        return [str(python), str(script)], given | {k: str(v) for k, v in ports.items()}

    bench = about["tool"]["bench"]
    bench["title"] = bench["title"].format(version)
    return Subject(name=name, launch=launch, **bench)


def install(name: str, dependencies: list[str]) -> tuple[Path, str]:
    """Its Python, made if need be, and the version of what it names first."""
    if not dependencies:
        return Path(sys.executable), ""
    venv, wanted = CACHE / name, "\n".join(dependencies)
    python, made = venv / "bin/python", venv / ".made"
    if not made.exists() or made.read_text() != wanted:
        beside = Path(sys.executable).with_name("uv")
        uv = str(beside) if beside.exists() else shutil.which("uv")
        assert uv, "the peers are installed with uv, which is neither beside Python nor on the path"
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, venv], check=True)
        subprocess.run(
            [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python, *dependencies],
            check=True,
        )
        made.write_text(wanted)
    first = re.match(r"[\w.-]+", dependencies[0])
    assert first
    packages = importlib.metadata.distributions(
        name=first[0], path=[str(path) for path in venv.glob("lib/python*/site-packages")]
    )
    return python, next(iter(packages)).version


def numen(
    home: Path,
    doors: list[str],
    *,
    workers: int = 1,
    cores: str = SERVER_CORE,
    max_batch: int | None = None,
) -> Subject:
    """numen, serving all that is published under `home`."""

    def launch(http: int, grpc: int, _: int) -> tuple[list[str], dict[str, str]]:
        command = [sys.executable, "-m", "numen", "serve", "--port", str(http)]
        if "grpc" in doors:
            command += ["--grpc-port", str(grpc)]
        if workers > 1:
            command += ["--workers", str(workers)]
        given = {"NUMEN_HOME": str(home)}
        return command, given | ({"NUMEN_MAX_BATCH": str(max_batch)} if max_batch else {})

    setting = "as it comes" if workers == 1 else f"{workers} workers"
    return Subject("numen", "numen", setting, {door: {} for door in doors}, launch, cores)


def publish(model: Path, home: Path) -> None:
    """Publish a file to numen under its own name."""
    subprocess.run(
        [sys.executable, "-m", "numen", "publish", model, "--name", model.stem],
        env={**os.environ, "NUMEN_HOME": str(home)}, check=True, capture_output=True,
    )  # fmt: skip


def ready(running: Running) -> bool:
    """Whether numen, or who speaks as it does, says that it is."""
    return httpx.get(f"http://{running.address('json')}/v2/health/ready").status_code == 200


class Running:
    """A subject's process and its descendants, from entering to leaving the context.

    Args:
        subject: What to start.
        log: Where its output goes; what it keeps for the time being goes beside it.
    """

    def __init__(self, subject: Subject, log: Path):
        self.subject = subject
        self._log = log

    def __enter__(self) -> Running:
        self._http, self._grpc, spare = free_ports(3)
        command, given = self.subject.launch(self._http, self._grpc, spare)
        environment = {**os.environ, **given, "TMPDIR": str(self._log.parent)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", self.subject.cores, *command],
                env=environment, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip
        return self

    def address(self, kind: str) -> str:
        """Host and port of a door."""
        return f"127.0.0.1:{self._grpc if kind == 'grpc' else self._http}"

    def wait(self, answers: Callable[[], bool], seconds: float = 120) -> None:
        """Until it answers as it should."""
        end, last = time.monotonic() + seconds, "nothing"
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if answers():
                    return
                last = "another answer"
            except Exception as error:  # whatever a client raises while nobody listens
                last = repr(error)
            time.sleep(0.05)
        said = self._log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{self.subject.title} did not answer: {last[-500:]}\n{said}")

    def cpu(self) -> float:
        """CPU seconds used so far."""
        return sum(cpu_seconds(pid) for pid in self._tree())

    def memory(self) -> float:
        """Memory in MB, what is shared counted once."""
        kilobytes = 0
        for pid in self._tree():
            with suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                kilobytes += int(text.split("\nPss:")[1].split()[0])
        return kilobytes / 1024

    def __exit__(self, *_: object) -> None:
        tree = self._tree()
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        for pid in tree:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(15)

    def _tree(self) -> list[int]:
        children: dict[int, list[int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
        found = [self._process.pid]
        for pid in found:  # grows as it is walked
            found += children.get(pid, [])
        return found


def cpu_seconds(pid: int) -> float:
    with suppress(OSError):
        times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
