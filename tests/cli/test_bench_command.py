"""`numen bench` as a person types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from numen.cli import EXIT
from numen.core.settings import Settings
from numen.registry import Registry
from parts import make_bundle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    registry = Registry.of(Settings(home=str(folder)))
    registry.publish("linear", make_bundle(folder / "make"))
    registry.catalog.close()
    return folder


def command(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "numen", "bench", *arguments],
        env={**os.environ, "NUMEN_HOME": str(home), "COLUMNS": "100", "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def numen(home: Path, *arguments: str) -> tuple[int, str, str]:
    process = command(home, *arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@pytest.mark.alone
def test_says_what_this_machine_holds(home: Path) -> None:
    status, out, err = numen(home, "linear", "--seconds", "3", "--deadline-ms", "500", "--hz", "10")
    assert status == 0, err
    assert "players at 10 Hz, p99 < 500 ms" in out
    assert "linear@1" in out
    for heading in ("requests/s", "p99.9", "missed", "doubling", "confirming"):
        assert heading in out
    assert "█" in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.alone
def test_json_says_all_of_it(home: Path) -> None:
    status, out, err = numen(home, "linear@1", "--seconds", "2", "--deadline-ms", "500", "--json")
    assert status == 0, err
    report = json.loads(out)
    assert report["sentence"].endswith("players at 60 Hz, p99 < 500 ms")
    assert report["players"] >= 1
    assert report["limit"] in ("server", "load", "machine", "time")
    assert report["steps"][-1] == report["run"]
    assert {"players", "p50_ms", "misses", "histogram", "outcomes"} <= report["run"].keys()
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) > 1:
        assert not set(report["server_cores"]) & set(report["load_cores"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody"], "not_found", "nobody"),
        (["linear@9"], "not_found", "linear@9"),
        (["Linear"], "invalid_input", "model name"),
        (["linear", "--deadline-ms", "0"], "invalid_input", "deadline-ms: expected"),
        (["linear", "--hz=-1"], "invalid_input", "hz: expected"),
        (["linear", "--seconds", "nan"], "invalid_input", "seconds: expected"),
        (["linear", "--url", "http://192.0.2.7"], "invalid_input", "--i-own-this-server"),
        (["linear", "--url", "http://127.0.0.1:9"], "not_ready", "no server answers"),
    ],
)
def test_errors_say_what_to_do(home: Path, arguments: list[str], code: str, said: str) -> None:
    status, out, err = numen(home, *arguments)
    assert status == EXIT[code]
    assert out == ""
    assert said in err
    assert "Traceback" not in err


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_leaves_nothing_running(home: Path, how: signal.Signals) -> None:
    process = command(home, "linear")
    end = time.monotonic() + 200
    while len(children(process.pid)) < 2 and time.monotonic() < end and process.poll() is None:
        time.sleep(0.05)
    started = children(process.pid)
    assert len(started) == 2  # the server and the load
    time.sleep(0.5)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[how], err
    assert "Traceback" not in err
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
