"""The server as a process: what it refuses, what it survives, and how it goes."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from asking import BODY, Load, X, call, infer, until, version_of

from numen.core.bundle import GOLDEN, Bundle, Golden, pack_golden
from numen.core.errors import CorruptBundle, InvalidInput, NotFound, NumenError
from numen.core.manifest import Manifest, Variant
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.core.signature import Signature, TensorSpec
from numen.registry import Registry
from numen.serve.opening import open_model
from numen.serve.service import Service
from numen.server import Keeper, Server
from numen.store.catalog import ModelVersion
from parts import Live, free_port, linear_graph, make_bundle, start_server, stop


def serve(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """Runs `numen serve` where it is expected to give up by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "numen", "serve", *arguments],
        env={**os.environ, "NUMEN_HOME": str(home), "COLUMNS": "200"},
        stderr=subprocess.PIPE,
        text=True,
    )


def last_words(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=60)[1]
    assert "Traceback" not in said
    return " ".join(said.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    folder = tmp_path_factory.mktemp("made")
    return [make_bundle(folder, seed) for seed in range(3)]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, made: list[Bundle]) -> Iterator[Live]:
    """A server that a test may publish to and spoil things under; one model a test."""
    home = tmp_path_factory.mktemp("serving")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", made[0])
    spoil(registry, "spoilt", made[1])
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    assert process.poll() is None, "no test ended the server"
    stop(process)
    registry.catalog.close()


def spoil(registry: Registry, name: str, bundle: Bundle, alias: str | None = None) -> None:
    """Publishes a bundle of its own and damages the stored bytes."""
    work = bundle.path.parent / f"{name}-{time.monotonic_ns()}"
    files: dict[str, Path | bytes] = {f.path: bundle.path / f.path for f in bundle.manifest.files}
    own = Bundle.write(work, bundle.manifest, {**files, "note": str(work).encode()})
    version = registry.publish(name, own)
    graph = registry.blobs.path("bundles", version.digest) / "predict.onnx"
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 0xFF
    graph.write_bytes(data)
    if alias:
        registry.promote(f"{name}@{version.version}", alias)


# What it refuses


def no_app(*_: object) -> object:
    raise AssertionError("it should have given up before it needs an app")


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        ("none", NotFound, 'model "none" is not published'),
        ("linear@7", NotFound, "model linear@7 is not published; linear has 1, champion"),
        ("linear@shadow", NotFound, "model linear@shadow is not published"),
        ("spoilt", CorruptBundle, "contents are not what was written"),
    ],
)
def test_a_named_model_that_cannot_be_served_ends_the_server(
    registry: Registry,
    settings: Settings,
    made: list[Bundle],
    reference: str,
    kind: type[NumenError],
    message: str,
) -> None:
    registry.publish("linear", made[0])
    spoil(registry, "spoilt", made[1])
    free = msgspec.structs.replace(settings, port=0)
    with pytest.raises(kind, match=re.escape(message)):
        Server(free, registry, no_app, [Reference.parse(reference)]).run()


def test_who_is_told_to_end_at_the_start_ends_where_it_waits(
    registry: Registry, settings: Settings, made: list[Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    registry.publish("linear", made[0])
    free = msgspec.structs.replace(settings, port=0)

    def told(*given: object) -> object:
        signal.raise_signal(signal.SIGTERM)  # in the midst of what it does, which it ends
        print("made")
        return no_app(*given)

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        Server(free, registry, told, [Reference.parse("linear")]).run(lambda _: print("ready"))
    assert ended.value.code == 0
    assert capsys.readouterr().out == "made\n"
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_port_that_is_taken_ends_the_server(registry: Registry, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = msgspec.structs.replace(settings, port=port)
        with pytest.raises(InvalidInput) as caught:
            Server(taken, registry, no_app).run()
    assert caught.value.message == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert "--port" in str(caught.value.hint)


def test_the_command_says_so_and_exits_with_the_codes_status(tmp_path: Path) -> None:
    process = serve(tmp_path, "none", "--port", "0")
    assert 'model "none" is not published' in last_words(process)
    assert process.returncode == 3


def test_of_two_servers_at_once_one_serves_and_one_says_why_not(tmp_path: Path) -> None:
    port = free_port()
    both = [serve(tmp_path, "--port", str(port)) for _ in range(2)]
    until(lambda: any(process.poll() is not None for process in both), 60)
    (loser,) = (process for process in both if process.poll() is not None)
    (winner,) = (process for process in both if process is not loser)
    assert "cannot listen on" in last_words(loser)
    assert loser.returncode == 2
    until(lambda: listens(port), 60)
    winner.terminate()
    assert "serving at" in last_words(winner)
    assert winner.returncode == 0


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# What it survives


def test_a_spoilt_model_does_not_keep_the_others_from_being_served(serving: Live) -> None:
    assert version_of(serving, "linear") == "1"
    assert infer(serving, "spoilt") == 404
    rows = call(serving, "/v2/repository/index")[1]
    states = {row["name"]: row for row in rows}
    assert states["linear"]["state"] == "READY"
    assert states["spoilt"]["state"] == "UNAVAILABLE"
    assert "contents are not what was written" in states["spoilt"]["reason"]


def test_promoting_a_spoilt_version_leaves_the_old_one_in_service(
    serving: Live, made: list[Bundle]
) -> None:
    registry = serving.registry
    registry.publish("brave", made[0])
    until(lambda: version_of(serving, "brave") == "1")
    spoil(registry, "brave", made[1], alias="champion")
    log = serving.home / "server.log"
    until(lambda: "cannot serve brave@2" in log.read_text())
    for version in (None, "1", "champion"):
        assert version_of(serving, "brave", version) == "1"
    registry.publish("brave", made[2], "champion")
    until(lambda: version_of(serving, "brave") == "3")
    assert version_of(serving, "brave", "champion") == "3"
    until(lambda: infer(serving, "brave", "1") == 404)


def test_models_are_loaded_and_unloaded(serving: Live, made: list[Bundle]) -> None:
    repository = "/v2/repository"

    def state(name: str) -> list[str]:
        rows = call(serving, f"{repository}/index")[1]
        return [row["state"] for row in rows if row["name"] == name]

    serving.registry.publish("coming", made[0])
    until(lambda: state("coming") == ["READY"])
    assert call(serving, f"{repository}/models/coming/unload")[0] == 200
    assert infer(serving, "coming") == 404
    assert state("coming") == ["UNAVAILABLE"]
    serving.registry.publish("coming", made[1], "champion")
    time.sleep(0.6)  # the server has seen the change, and keeps what it was told
    assert state("coming") == ["UNAVAILABLE", "UNAVAILABLE"]
    assert call(serving, f"{repository}/models/coming/load")[0] == 200
    assert version_of(serving, "coming") == "2"
    assert call(serving, f"{repository}/models/none/load")[0] == 404
    assert call(serving, f"{repository}/models/none/unload")[0] == 404
    status, said = call(serving, f"{repository}/models/spoilt/load")
    assert status == 409
    assert "contents are not what was written" in said["error"]


@pytest.mark.alone
def test_a_promotion_under_load_fails_nobody_and_is_quick(
    serving: Live, made: list[Bundle]
) -> None:
    registry = serving.registry
    registry.publish("busy", made[0])
    registry.publish("busy", made[1])
    until(lambda: version_of(serving, "busy") == "1")
    promoted: list[float] = []
    with Load(serving, "busy") as load:
        begin = time.monotonic()
        time.sleep(0.4)
        for version in (2, 1, 2):
            registry.promote(f"busy@{version}", "champion")
            promoted.append(time.monotonic())
            time.sleep(0.6)
        time.sleep(0.4)
        seconds = time.monotonic() - begin
    assert load.failures == []
    assert len(load.answers) > 200 * seconds
    for moment, version in zip(promoted, ("2", "1", "2"), strict=True):
        first = min(end for _, end, said in load.answers if said == version and end > moment)
        assert first - moment < 1
    last = max(end for _, end, said in load.answers if said == "1")
    assert last - promoted[2] < 1
    assert {said for begin, _, said in load.answers if begin < promoted[0]} == {"1"}


def test_a_catalog_that_fails_leaves_what_is_served_and_is_followed_again(
    serving: Live, made: list[Bundle]
) -> None:
    serving.registry.publish("steady", made[0])
    until(lambda: version_of(serving, "steady") == "1")
    log = serving.home / "server.log"
    before = log.read_text().count("the catalog is away")
    with closing(sqlite3.connect(serving.home / "catalog.db")) as database:
        database.execute("ALTER TABLE revision RENAME TO gone")
        until(lambda: "the catalog is away" in log.read_text())
        time.sleep(0.6)
        assert version_of(serving, "steady") == "1"
        assert log.read_text().count("the catalog is away") == before + 1, "it is said once"
        database.execute("ALTER TABLE gone RENAME TO revision")
    serving.registry.publish("steady", made[1], "champion")
    until(lambda: version_of(serving, "steady") == "2")


def test_a_catalog_moved_away_and_back_leaves_what_is_served(
    serving: Live, made: list[Bundle], tmp_path: Path
) -> None:
    serving.registry.publish("moved", made[0])
    until(lambda: version_of(serving, "moved") == "1")
    serving.registry.catalog.close()
    files = sorted(serving.home.glob("catalog.db*"))
    for path in files:
        shutil.move(path, tmp_path / path.name)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        assert version_of(serving, "moved") == "1"
    assert not list(serving.home.glob("catalog.db*")), "nobody makes another in its place"
    for path in files:
        shutil.move(tmp_path / path.name, path)
    serving.registry.publish("moved", made[1], "champion")
    until(lambda: version_of(serving, "moved") == "2")


class Faint(Registry):
    """A registry whose store is out of reach for the first few times."""

    def __init__(self, registry: Registry, times: int):
        super().__init__(registry.catalog, registry.blobs)
        self.times = times

    def open(self, version: ModelVersion, *, verify: bool = True) -> Bundle:
        if version.version == 2 and self.times:
            self.times -= 1
            raise ConnectionError("the bucket does not answer")
        return super().open(version, verify=verify)


def test_a_store_that_is_away_for_a_while_is_asked_again(
    settings: Settings, made: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        registry = Faint(Registry.of(settings), 3)
        registry.publish("m", made[0])
        service = Service()
        keeper = Keeper(service, registry, msgspec.structs.replace(settings, poll=0.01))
        await keeper.update()
        following = asyncio.create_task(keeper.follow())
        registry.publish("m", made[1], "champion")
        while service.find("m").version != "2":
            assert service.find("m", "champion").version == "1"
            await asyncio.sleep(0.005)
        following.cancel()
        assert registry.times == 0
        service.close()
        registry.catalog.close()

    asyncio.run(asyncio.wait_for(scene(), 20))
    assert caplog.text.count("cannot serve m@2: the bucket does not answer") == 1


def test_what_was_named_may_be_removed_and_the_rest_is_still_followed(
    tmp_path: Path, made: list[Bundle]
) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    for bundle in made:
        registry.publish("pinned", bundle)
        registry.publish("free", bundle)
    registry.publish("unasked", made[0])
    url, process = start_server(tmp_path, "pinned@2", "free", "free@3")
    live = Live(url, tmp_path, registry, process)
    try:
        assert version_of(live, "pinned") == "2"
        assert infer(live, "pinned", "1") == 404
        assert [version_of(live, "free", v) for v in (None, "1", "3", "2")] == ["1", "1", "3", None]
        assert infer(live, "unasked") == 404
        registry.remove("pinned@2")
        until(lambda: infer(live, "pinned") == 404)
        registry.promote("free@2", "champion")
        until(lambda: version_of(live, "free") == "2")
    finally:
        stop(process)
        registry.catalog.close()


# How it goes


def slow_bundle(folder: Path, turns: int) -> Bundle:
    """A model that takes a few tenths of a second, whatever it is given."""
    from onnx import TensorProto, helper, numpy_helper, save

    def value(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> object:
        return helper.make_tensor_value_info(name, kind, shape)

    weights = numpy_helper.from_array(np.full((512, 512), 1 / 512, np.float32), "w")
    body = helper.make_graph(
        [helper.make_node("MatMul", ["s", "w"], ["t"]),
         helper.make_node("Identity", ["go"], ["on"])],
        "turn",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL),
         value("s", [512, 512])],
        [value("on", [], TensorProto.BOOL), value("t", [512, 512])],
    )  # fmt: skip
    zero = numpy_helper.from_array(np.zeros((512, 512), np.float32), "zero")
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0),
         helper.make_node("Add", ["zero", "mean"], ["start"]),
         helper.make_node("Loop", ["turns", "", "start"], ["end"], body=body),
         helper.make_node("ReduceMean", ["end"], ["same"], keepdims=0),
         helper.make_node("Sub", ["same", "mean"], ["nothing"]),
         helper.make_node("Add", ["x", "nothing"], ["y"])],
        "slow", [value("x", ["n", 1])], [value("y", ["n", 1])],
        [weights, zero, numpy_helper.from_array(np.array(turns, np.int64), "turns")],
    )  # fmt: skip
    path = folder / "slow.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    x = np.ones((1, 1), np.float32)
    spec = ("float32", (None, 1))
    return Bundle.write(
        folder / "slow",
        Manifest(
            Signature((TensorSpec("x", *spec),), (TensorSpec("y", *spec),)),
            (Variant("fp32", "onnx", "predict.onnx"),),
        ),
        {"predict.onnx": path, GOLDEN: pack_golden(Golden({"x": x}, {"y": x}))},
    )


@pytest.fixture
def leaving(tmp_path: Path, made: list[Bundle]) -> Iterator[Live]:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", made[0])
    registry.publish("slow", slow_bundle(tmp_path, 200))
    url, process = start_server(tmp_path)
    yield Live(url, tmp_path, registry, process)
    stop(process)
    registry.catalog.close()


def test_requests_to_a_slow_model_still_run_together(tmp_path: Path) -> None:
    opened = open_model("slow", "1", slow_bundle(tmp_path, 200))
    assert opened.ladder.best.pace.expect(1) > 0.1
    assert opened.ladder.best.pace.pays >= 64


@pytest.mark.alone
def test_sigterm_under_load_finishes_what_was_asked_and_exits_with_0(leaving: Live) -> None:
    body = json.dumps(
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [2.0]}]}
    )
    before = time.monotonic()
    assert call(leaving, "/v2/models/slow/infer", body)[0] == 200
    took = time.monotonic() - before
    assert took > 0.1, "a slow model is slow"
    connections = [
        http.client.HTTPConnection("127.0.0.1", leaving.port, timeout=20) for _ in range(6)
    ]
    with Load(leaving, "linear", threads=2) as load:
        for connection in connections:
            connection.request("POST", "/v2/models/slow/infer", body)
        time.sleep(0.05)
        asked = len(load.answers)
        begin = time.monotonic()
        leaving.process.send_signal(signal.SIGTERM)
        for connection in connections:
            reply = connection.getresponse()
            said = json.loads(reply.read())
            assert reply.status == 200
            assert said["outputs"][0]["data"] == [pytest.approx(2, abs=1e-3)]
            connection.close()
        assert leaving.process.wait(30) == 0
        # Nobody who is idle is waited for until the end of the ten seconds that a drain may take.
        assert time.monotonic() - begin < 2 * took + 6
    assert asked > 0
    # A connection may close, but no request is answered with an error.
    assert [failure for failure in load.failures if failure[:3].isdigit()] == []
    assert "Traceback" not in (leaving.home / "server.log").read_text()


def test_sigterm_while_models_load_exits_with_0(tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("slow", slow_bundle(tmp_path, 300))
    registry.catalog.close()
    port = free_port()
    process = serve(tmp_path, "--port", str(port))
    until(lambda: bound(port), 60)
    process.terminate()
    last_words(process)
    assert process.returncode == 0


def bound(port: int) -> bool:
    """Whether a process holds the port, though nobody is let in yet."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def test_what_is_served_is_the_model(serving: Live, tmp_path: Path) -> None:
    reference = linear_graph(tmp_path / "m.onnx", 0)
    said = call(serving, "/v2/models/linear/infer", BODY)[1]["outputs"][0]
    np.testing.assert_allclose(said["data"], reference(X)[0], atol=1e-6)


def test_a_key_ends_while_a_model_takes_long_to_open(tmp_path: Path, made: list[Bundle]) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", made[0])
    key, secret = registry.keys.create("k")
    url, process = start_server(tmp_path)
    live = Live(url, tmp_path, registry, process)

    def status() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
        with closing(connection):
            connection.request("GET", "/v2/models/linear", headers={"x-api-key": secret})
            return connection.getresponse().status

    try:
        assert status() == 200
        # It never opens: its manifest is a pipe that nobody writes to.
        copy = tmp_path / "copy"
        shutil.copytree(made[1].path, copy)
        registry.blobs.put("bundles", made[1].digest, copy)
        manifest = registry.blobs.path("bundles", made[1].digest) / "manifest.json"
        manifest.unlink()
        os.mkfifo(manifest)
        registry.catalog.add_version("stuck", made[1].digest, 1, None)
        time.sleep(1)
        assert "stuck" not in (tmp_path / "server.log").read_text(), "neither live nor given up"
        registry.keys.revoke(key.id)
        until(lambda: status() == 401)
    finally:
        process.kill()
        process.wait()
        registry.catalog.close()
