"""The benchmarks' own parts: what they send is what the protocols say, what they keep can be read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import one of the benchmarks' modules, which are scripts and no package."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def module(name: str) -> ModuleType:
        return __import__(name)

    yield module
    for path in FOLDER.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_grpc_messages_are_those_of_the_protocol(load) -> None:
    messages = pytest.importorskip("tritonclient.grpc.service_pb2")
    grpc = load("messages").Grpc("mlp")
    x = np.arange(600, dtype=np.float32).reshape(2, 300)
    request = messages.ModelInferRequest.FromString(grpc.encode(x)[0])
    assert request.model_name == "mlp"
    assert (request.inputs[0].name, request.inputs[0].datatype) == ("x", "FP32")
    assert list(request.inputs[0].shape) == [2, 300]
    assert request.raw_input_contents[0] == x.tobytes()
    answer = messages.ModelInferResponse(model_name="mlp", id="7")
    answer.outputs.add(name="y", datatype="FP32", shape=[2, 300])
    answer.raw_output_contents.append(x.tobytes())
    np.testing.assert_array_equal(grpc.decode(answer.SerializeToString(), {}), x.ravel())


def test_rows_are_read_bare_or_under_a_key(load) -> None:
    rows = load("messages").Rows("/predict", "x")
    assert rows.encode(np.ones((1, 2), np.float32))[0] == b'{"x":[[1.0,1.0]]}'
    for body in (b"[[1.5, 2]]", b'{"y": [[1.5, 2]]}'):
        assert rows.decode(body, {}).tolist() == [1.5, 2]


def test_every_peer_says_what_it_needs_and_speaks(load) -> None:
    servers = load("servers")
    assert {"nginx", "fastapi", "mlserver", "pytriton"} <= set(servers.names())
    for name in servers.names():
        script = (FOLDER / "peers" / f"with_{name}.py").read_text()
        head = script.partition("# /// script\n")[2].partition("# ///\n")[0]
        about = tomllib.loads(head.replace("# ", ""))
        bench = about["tool"]["bench"]
        assert bench["title"]
        assert bench["setting"]
        assert bench["doors"].keys() <= {"json", "binary", "grpc"}
        assert all("==" in need for need in about["dependencies"][:1])


def test_a_match_becomes_a_table(load) -> None:
    def row(server: str, rps: float) -> dict:
        figures = {"rps": rps, "p50_ms": 1.0, "p99_ms": 2.0, "failed": 0, "other_cpu": 0.1}
        return {"server": server, "kind": "json", "rows": 1, "connections": 64, **figures}

    starts = [{"start_s": 1.0, "memory_mb": 100.0}]
    titles = {"nginx": "nginx", "numen": "numen", "other": "Other 1.2"}
    result = {
        "peer": "other", "date": "2026-01-01", "machine": "2 cores", "python": "3.11", "rounds": 3,
        "seconds": 3, "verified": {"json": {"requests": 960, "wrong": 0, "gap": 0.0}},
        "servers": {k: {"title": t, "setting": "as is", "starts": starts} for k, t in titles.items()},
        "figures": [row("nginx", 80_000), row("numen", 30_000), row("other", 1_500)],
    }  # fmt: skip
    text = load("report").peers([result])
    assert re.search(r"\| Other 1.2 .*\| 20.0 \|", text)
    assert "| 30,000 / 1,500 | 20.0 | 38% |" in text


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("taskset"), reason="servers are pinned with taskset")
def test_verify_tells_right_from_wrong(load, tmp_path: Path) -> None:
    networks, servers, verify, wire = map(load, ("networks", "servers", "verify", "messages"))
    model = networks.write(tmp_path)["mlp"]
    right = networks.reference(model)
    servers.publish(model, tmp_path / "home")
    doors = {kind: wire.door(kind, "mlp", {}) for kind in ("json", "binary")}
    x = networks.digits("mlp", 1, np.random.default_rng(0))
    with servers.Running(
        servers.numen(tmp_path / "home", list(doors)), tmp_path / "log"
    ) as running:
        with verify.client(running, "json", doors["json"]) as ask:
            running.wait(lambda: verify.gap(ask(x), right(x)) < verify.TOLERANCE)
        assert running.memory() > 10
        for kind, door in doors.items():
            found = verify.verify(running, kind, door, "mlp", right)
            assert (found.requests, found.wrong) == (960, 0)
        found = verify.verify(running, "binary", doors["binary"], "mlp", lambda x: right(x[::-1]))
        assert found.wrong > 700  # only a lone row is the same turned round


def test_scripts_say_how_they_are_used() -> None:
    for script in ("serve.py", "compute.py", "report.py"):
        run = subprocess.run(
            [sys.executable, FOLDER / script, "--help"], capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        assert "usage" in run.stdout
