"""Workers on one port: who dies is replaced, who hangs is killed, and nobody's request is lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from asking import Load, call, infer, until, version_of
from prometheus_client.parser import text_string_to_metric_families

from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, free_port, make_bundle, start_server, stop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder = tmp_path_factory.mktemp("made")
    return [make_bundle(folder, seed) for seed in range(2)]


def start(home: Path, *arguments: str) -> Live:
    url, process = start_server(home, *arguments, "--workers", "2")
    return Live(url, home, Registry.of(Settings(home=str(home))), process)


def end(live: Live) -> None:
    live.registry.catalog.close()
    stop(live.process)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, made: list[Bundle]) -> Iterator[Live]:
    """Two workers."""
    home = tmp_path_factory.mktemp("pair")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", made[0])
    registry.catalog.close()
    live = start(home)
    yield live
    assert live.process.poll() is None, "no test ended the supervisor"
    end(live)


def workers(live: Live) -> list[int]:
    """The processes that serve."""
    children = Path(f"/proc/{live.process.pid}/task/{live.process.pid}/children").read_text()
    found = []
    for pid in children.split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(int(pid))
    return found


def sockets(pid: int) -> int:
    """How many a process has."""
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink(descriptor).startswith("socket:")
    return found


def is_ready(live: Live) -> bool:
    try:
        return httpx.get(f"{live.url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def metric(live: Live, wanted: str, **labels: str) -> float:
    text = httpx.get(f"{live.url}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == wanted and labels.items() <= sample.labels.items()
    )


def test_both_serve_and_any_of_them_tells_what_both_did(pair: Live) -> None:
    before = metric(pair, "numen_rows_total", model="linear")
    for _ in range(40):  # each on a connection of its own, so that both have some
        assert infer(pair, "linear") == 200
    with contextlib.ExitStack() as held:
        for _ in range(40):
            held.enter_context(socket.create_connection(("127.0.0.1", pair.port), 10))
        until(lambda: min(map(sockets, workers(pair))) >= 10)  # three or so are its own
    # What the other one has is written down within a second.
    until(lambda: metric(pair, "numen_model_live", model="linear") == 2)
    for _ in range(10):
        assert metric(pair, "numen_workers") == 2
        assert metric(pair, "numen_model_live", model="linear") == 2
        assert metric(pair, "numen_queue_rows", model="linear") == 0
    until(lambda: metric(pair, "numen_rows_total", model="linear") == before + 40)
    rows = httpx.get(f"{pair.url}/v2/models/linear/stats").json()["model_stats"]
    assert rows[0]["inference_count"] == before + 40


def test_load_and_unload_reach_all(pair: Live, made: list[Bundle]) -> None:
    pair.registry.publish("coming", made[0])
    until(lambda: infer(pair, "coming") == 200)
    for action, status in (("unload", 404), ("load", 200)) * 3:
        assert call(pair, f"/v2/repository/models/coming/{action}")[0] == 200
        assert [infer(pair, "coming") for _ in range(20)] == [status] * 20


@pytest.mark.alone
def test_a_killed_worker_is_missed_at_once_and_replaced(pair: Live) -> None:
    before = set(workers(pair))
    assert len(before) == 2
    restarts = metric(pair, "numen_worker_restarts_total")
    victim = min(before)
    stopped = threading.Event()
    readings: list[float] = []

    def watch() -> None:
        while not stopped.is_set():
            try:
                readings.append(metric(pair, "numen_request_seconds_count", model="linear"))
            except httpx.TransportError:
                continue

    watching = threading.Thread(target=watch)
    with Load(pair, "linear", threads=6) as load:
        watching.start()
        time.sleep(0.5)
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: not is_ready(pair), 3)
        missed = time.monotonic() - killed
        said = httpx.get(f"{pair.url}/v2/health/ready").json()
        assert said["live"] is True
        assert said["ready"] is False
        assert re.fullmatch(r"worker [12](: | is not there).*", said["reason"]), said
        until(lambda: is_ready(pair), 30)
        assert len(workers(pair)) == 2
        assert victim not in workers(pair)
        time.sleep(0.5)
        stopped.set()
    watching.join()
    assert missed < 1
    # Each client had at most its one connection to the dead one cut; nobody else noticed.
    assert len(load.failures) <= 6
    assert [failure for failure in load.failures if failure[:3].isdigit()] == []
    assert len(load.answers) > 200
    assert readings == sorted(readings), "counters never go back"
    assert metric(pair, "numen_worker_restarts_total") == restarts + 1


@pytest.mark.slow
def test_a_hanging_worker_is_killed_and_replaced(tmp_path: Path, made: list[Bundle]) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", made[0])
    registry.catalog.close()
    os.environ["NUMEN_HANG"] = "2"
    try:
        live = start(tmp_path)
    finally:
        del os.environ["NUMEN_HANG"]
    try:
        victim = workers(live)[0]
        os.kill(victim, signal.SIGSTOP)
        until(lambda: victim not in workers(live), 20)
        until(lambda: len(workers(live)) == 2 and is_ready(live), 30)
        log = (tmp_path / "server.log").read_text()
        assert re.search(r"worker \d gives no sign of life for \d s", log)
        assert re.search(r"live: linear@1 worker=[12]", log), "logs name the worker"
        # Who dies again and again is given a little time.
        for _ in range(3):
            victim = workers(live)[-1]
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim: victim not in workers(live))
            until(lambda: len(workers(live)) == 2 and is_ready(live), 30)
        log = (tmp_path / "server.log").read_text()
        assert re.search(r"another one in (0\.5|1) s", log)
    finally:
        end(live)


def test_promotions_under_load_fail_nobody(pair: Live, made: list[Bundle]) -> None:
    pair.registry.publish("busy", made[0])
    pair.registry.publish("busy", made[1])
    until(lambda: all(version_of(pair, "busy") == "1" for _ in range(10)))
    with Load(pair, "busy", threads=4) as load:
        for turn in range(30):
            pair.registry.promote(f"busy@{2 - turn % 2}", "champion")
            time.sleep(0.15)
        time.sleep(0.5)
    assert load.failures == []
    assert {said for _, _, said in load.answers} == {"1", "2"}
    assert len(load.answers) > 500


def test_sigterm_under_load_finishes_what_was_asked(tmp_path: Path, made: list[Bundle]) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", made[0])
    registry.catalog.close()
    live = start(tmp_path)
    children = workers(live)
    try:
        with Load(live, "linear", threads=4) as load:
            time.sleep(0.5)
            live.process.send_signal(signal.SIGTERM)
            assert live.process.wait(20) == 0
        # Whoever had been let in was answered, and told that it was the last time.
        assert [failure for failure in load.failures if not failure.startswith("new")] == []
        assert len(load.answers) > 100
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        assert "Traceback" not in (tmp_path / "server.log").read_text()
    finally:
        end(live)


def test_a_killed_supervisor_takes_its_workers_along(tmp_path: Path, made: list[Bundle]) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", made[0])
    registry.catalog.close()
    live = start(tmp_path)
    children = workers(live)
    assert len(children) == 2
    live.process.kill()
    live.process.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 10)
    end(live)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", live.port)) != 0


# What it refuses


def refused(home: Path, *arguments: str) -> tuple[int, str]:
    run = subprocess.run(
        [sys.executable, "-m", "numen", "serve", *arguments, "--workers", "2"],
        env={**os.environ, "NUMEN_HOME": str(home), "COLUMNS": "200"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in run.stderr
    return run.returncode, " ".join(run.stderr.split())


def test_a_model_that_is_not_there_ends_all(tmp_path: Path) -> None:
    status, said = refused(tmp_path, "none", "--port", str(free_port()))
    assert status == 3
    assert 'model "none" is not published' in said


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_that_is_taken_ends_all(tmp_path: Path, shared: bool) -> None:
    """Even where it is taken by somebody who would share it."""
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = refused(tmp_path, "--port", str(port))
    assert status == 2
    assert f"cannot listen on 127.0.0.1:{port}" in said


def test_of_two_supervisors_one_has_the_port(pair: Live, tmp_path: Path) -> None:
    status, said = refused(tmp_path, "--port", str(pair.port))
    assert status == 2
    assert "cannot listen on" in said
    assert is_ready(pair)
