"""Runs a page: its blocks in order, in one folder with one home, as one shell would.

A `numen serve … &` is waited for as a reader would wait for it. Port 8000 becomes a free one. A page
that starts no server asks the one that all such pages share. Whatever a page started ends with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from doc_pages import SHELL, Block
from doc_warm import READY, write_shims

from parts import free_port

HERE = Path(__file__).parent
_SERVES = re.compile(r"\bnumen serve\b.*&\s*(#.*)?$", re.M)
# A job's id is another each time: what the page calls it becomes what it is called here.
_NAMED = re.compile(r"\bjob ([0-9a-f]{8})\b")
_WAIT = """\
for _ in $(seq 600); do curl -sf -o /dev/null http://127.0.0.1:$NUMEN_PORT/v2/health/ready && break; sleep 0.1; done
"""


_FILES = "http.server 9000"
_WAIT_FILES = """\
for _ in $(seq 600); do curl -s -o /dev/null http://127.0.0.1:{port}/ && break; sleep 0.1; done
"""


@dataclass(frozen=True)
class World:
    """What pages are run in.

    Attributes:
        folder: Holds `files`, `home` and `bin`.
        url: The server that pages without one of their own ask.
    """

    folder: Path
    url: str

    def environ(self, home: Path, port: int) -> dict[str, str]:
        """The environment of a page."""
        return {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "NUMEN_HOME": str(home),
            "NUMEN_PORT": str(port),
            "NUMEN_GRPC_PORT": str(free_port()),
            "PYTHONWARNINGS": "default",
        }


@contextlib.contextmanager
def warm(folder: Path) -> Iterator[None]:
    """The process that runs commands, with `bin` in `folder` leading to it."""
    address = str(folder / "warm")
    command = [sys.executable, str(HERE / "doc_warm.py"), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == READY
            (folder / "bin").mkdir()
            write_shims(folder / "bin", address)
            yield
        finally:
            process.kill()


def script(found: list[Block], port: int) -> str:
    """A page's blocks as one script of bash."""
    lines = ["set -eo pipefail", "trap 'echo \"failed: block $BLOCK\" >&2' ERR"]
    named: list[str] = []
    files = free_port()
    for block in found:
        lines.append(f"BLOCK={block.number}")
        text = _ported(block.text, port, files)
        if block.file:
            lines.append(
                f"mkdir -p $(dirname {block.file}); cat > {block.file} <<'THE_END'\n{text}THE_END"
            )
        elif block.unrun or block.request[0]:
            continue
        elif block.language == "python":
            name = f".block-{block.number}.py"
            lines.append(f"cat > {name} <<'THE_END'\n{text}THE_END\npython {name}")
        elif block.language in SHELL:
            for command, shown in block.steps:
                for example in named:
                    command = command.replace(example, "$NAMED")
                lines.append(_ported(command, port, files))
                if example := _NAMED.search(shown):
                    named.append(example[1])
                    lines[-1] += ' | tee .named; NAMED=$(grep -oE "[0-9a-f]{8}" .named | head -1)'
                if _SERVES.search(command):
                    lines.append(_WAIT)
                elif _FILES in command:
                    lines.append(_WAIT_FILES.format(port=files))
    return "\n".join(lines) + "\n"


def _ported(text: str, port: int, files: int) -> str:
    text = text.replace("sample:mnist", "mnist/")  # a fortieth of it
    text = re.sub(r"(?<=[: ])9000\b", str(files), text)
    return re.sub(r"(?<=[: ])8000\b", str(port), text)


def run(world: World, found: list[Block], folder: Path) -> None:
    """Runs a page in the empty folder `folder`.

    Raises:
        AssertionError: A block failed; what it said.
    """
    serves = any(_SERVES.search(block.text) for block in found if not block.unrun)
    port = free_port() if serves else int(world.url.rpartition(":")[2])
    shutil.copytree(world.folder / "home", folder / "home")
    shutil.copytree(world.folder / "files", folder / "files")
    said = folder / "said.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", script(found, port)],
            cwd=folder / "files",
            env=world.environ(folder / "home", port),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            status = process.wait(timeout=280)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert status == 0, said.read_text(errors="replace")[-4000:]
