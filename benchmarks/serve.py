"""numen beside FastAPI + onnxruntime: requests/s of one row a request, and no answer crossed.

Both serve the same 784-128-10 network, one process pinned to core 0; wrk drives them from core 1.
Rounds alternate between the two, so that a noisy machine is noisy for both; medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
MODEL = "mlp"


def make_model(path: Path) -> None:
    """The tutorial's network with made-up weights: float32[?, 784] to probabilities."""
    from onnx import TensorProto, helper, numpy_helper, save

    source = np.random.default_rng(0)

    def weights(name: str, *shape: int):
        values = source.standard_normal(shape) / np.sqrt(shape[0])
        return numpy_helper.from_array(values.astype(np.float32), name)

    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("Gemm", ["a", "w2", "b2"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        MODEL,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 784])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 10])],
        [weights("w1", 784, 128), weights("b1", 128), weights("w2", 128, 10), weights("b2", 10)],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def digit_like(source: np.random.Generator, rows: int) -> np.ndarray:
    """Rows with about as much ink as MNIST's, in 0-1."""
    pixels = source.integers(1, 256, (rows, 784)) * (source.random((rows, 784)) < 0.19)
    return (pixels / np.float32(255)).astype(np.float32)


def json_body(x: np.ndarray) -> bytes:
    tensor = {"name": "x", "shape": list(x.shape), "datatype": "FP32", "data": x.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()


def binary_body(x: np.ndarray) -> tuple[bytes, int]:
    tensor = {
        "name": "x", "shape": list(x.shape), "datatype": "FP32",
        "parameters": {"binary_data_size": x.nbytes},
    }  # fmt: skip
    head = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    text = json.dumps(head, separators=(",", ":")).encode()
    return text + x.tobytes(), len(text)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server in a process of its own, pinned to a core."""

    def __init__(self, name: str, command: list[str], port: int, env: dict[str, str], core: int):
        self.name = name
        self.url = f"http://127.0.0.1:{port}/v2/models/{MODEL}/infer"
        command = ["taskset", "-c", str(core), *command]
        self.process = subprocess.Popen(
            command, env={**os.environ, **env}, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/v2/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(f"{name} did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def load(server: Server, body: Path, headers: str, connections: int, seconds: int, core: int):
    """One run of wrk: its figures."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    run = subprocess.run(
        [*command, "-s", str(HERE / "post.lua"), server.url],
        env={**os.environ, "BODY": str(body), "HDRS": headers},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = next(line for line in run.stdout.splitlines() if line.startswith("RESULT "))
    figures = json.loads(line[7:])
    figures["rps"] = figures["requests"] / figures["us"] * 1e6
    return figures


def verify(server: Server, model: Path) -> tuple[int, int, float]:
    """Distinct inputs from 24 threads at once: requests, wrong ones, the largest difference."""
    session = ort.InferenceSession(str(model))
    found: list[float] = []

    def ask(seed: int) -> None:
        source = np.random.default_rng(seed)
        with httpx.Client(timeout=30) as client:
            for _ in range(40):
                x = digit_like(source, int(source.integers(1, 5)))
                expected = session.run(None, {"x": x})[0]
                reply = client.post(
                    server.url, content=json_body(x), headers={"content-type": "application/json"}
                )
                y = np.array(reply.json()["outputs"][0]["data"]).reshape(len(x), 10)
                found.append(float(np.abs(y - expected).max()))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(found), sum(gap > 1e-5 for gap in found), max(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="length of one run")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server and load")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = run(Path(folder), arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))


def run(folder: Path, arguments: argparse.Namespace) -> list[dict]:
    console = Console(stderr=arguments.json)
    model = folder / "mlp.onnx"
    make_model(model)
    home = {"NUMEN_HOME": str(folder / "home")}
    numen = [sys.executable, "-m", "numen"]
    subprocess.run(
        [*numen, "publish", str(model), "--name", MODEL],
        env={**os.environ, **home}, check=True, capture_output=True,
    )  # fmt: skip
    row = digit_like(np.random.default_rng(7), 1)
    (folder / "row.json").write_bytes(json_body(row))
    binary, length = binary_body(row)
    (folder / "row.bin").write_bytes(binary)
    loads = {
        "json": (folder / "row.json", "content-type:application/json"),
        "binary": (
            folder / "row.bin",
            f"content-type:application/octet-stream|inference-header-content-length:{length}",
        ),
    }
    ports = free_port(), free_port()
    servers = [
        Server("numen", [*numen, "serve", "--port", str(ports[0])], ports[0], home, 0),
        Server(
            "fastapi + onnxruntime",
            [sys.executable, str(HERE / "peer_fastapi.py"), str(model), str(ports[1])],
            ports[1], {}, 0,
        ),
    ]  # fmt: skip
    try:
        count, wrong, gap = verify(servers[0], model)
        console.print(f"numen: {count} distinct requests at once, {wrong} wrong, gap {gap:.1e}")
        measured: dict[tuple[str, str, int], list[dict]] = {}
        for connections in arguments.connections:
            for _ in range(arguments.rounds):
                for server in servers:
                    for kind, (body, headers) in loads.items():
                        if kind == "binary" and server is not servers[0]:
                            continue  # the peer speaks JSON only
                        key = (server.name, kind, connections)
                        measured.setdefault(key, []).append(
                            load(server, body, headers, connections, arguments.seconds, 1)
                        )
    finally:
        for server in servers:
            server.stop()
    result = [{"check": "crossed answers", "requests": count, "wrong": wrong, "gap": gap}]
    table = Table("server", "body", "connections", "requests/s", "p50 ms", "p99 ms", "× peer")
    for (name, kind, connections), runs in measured.items():
        rps = statistics.median(r["rps"] for r in runs)
        peer = statistics.median(
            r["rps"] for r in measured["fastapi + onnxruntime", "json", connections]
        )
        p50, p99 = (statistics.median(r[p] for r in runs) / 1e3 for p in ("p50", "p99"))
        bad = sum(r["bad"] for r in runs)
        table.add_row(
            name, kind, str(connections), f"{rps:,.0f}", f"{p50:.2f}", f"{p99:.2f}",
            f"{rps / peer:.1f}" + (f"  ({bad} failed)" if bad else ""),
        )  # fmt: skip
        result.append(
            {
                "server": name, "body": kind, "connections": connections, "rps": rps,
                "p50_ms": p50, "p99_ms": p99, "ratio": rps / peer, "failed": bad,
            }
        )  # fmt: skip
    console.print(table)
    return result


if __name__ == "__main__":
    main()
