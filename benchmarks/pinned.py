"""A server pinned to one core and wrk on another, for scripts that compare numen with itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path

import httpx
import numpy as np

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
