"""Real parts that tests build with: a tiny ONNX bundle, a server in a process of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from numen.core.bundle import Bundle, Golden, pack_golden
from numen.core.manifest import Classification, ImageInput, Manifest, Variant
from numen.core.signature import Signature, TensorSpec
from numen.registry import Registry

LABELS = tuple(str(i) for i in range(10))


def linear_graph(path: Path, seed: int = 0) -> Callable[[np.ndarray], np.ndarray]:
    """Writes softmax(flatten(image) @ w + b) for image float32[?, 28, 28]; returns it in NumPy."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    source = np.random.default_rng(seed)
    w = (source.standard_normal((784, 10)) / 784).astype(np.float32)
    b = source.standard_normal(10).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)

    def reference(x: np.ndarray) -> np.ndarray:
        z = x.reshape(len(x), -1).astype(np.float64) @ w + b
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    return reference


def make_bundle(folder: Path, seed: int = 0) -> Bundle:
    """A small image classifier as a bundle in `folder`/bundle-SEED."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = folder / f"linear-{seed}.onnx"
    reference = linear_graph(graph, seed)
    x = np.random.default_rng(1).random((4, 28, 28), np.float32) * 255
    y = reference(x).astype(np.float32)
    manifest = Manifest(
        signature=Signature(
            (TensorSpec("image", "float32", (None, 28, 28)),),
            (TensorSpec("probabilities", "float32", (None, 10)),),
        ),
        variants=(Variant("fp32", "onnx", "predict.onnx"),),
        preprocess=ImageInput("image", 28, 28),
        postprocess=Classification("probabilities", LABELS),
        metrics={"accuracy": 0.1},
        framework="numpy",
        family=f"linear-{seed}",
    )
    golden = pack_golden(Golden({"image": x}, {"probabilities": y}))
    return Bundle.write(
        folder / f"bundle-{seed}", manifest, {"predict.onnx": graph, "golden.npz": golden}
    )


@dataclass(frozen=True)
class Live:
    """A server in a process of its own."""

    url: str
    home: Path
    registry: Registry
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


def free_port() -> int:
    """A port that nobody takes before its server does.

    The system gives connections ports above these, and each process of a run has its own eighth.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = 10_000 + 8 * secrets.randbelow(2_700) + worker % 8
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def start_server(
    home: Path, *arguments: str, wait: float = 120, environment: Mapping[str, str] | None = None
) -> tuple[str, subprocess.Popen[bytes]]:
    """Runs `numen serve` and waits until it is ready."""
    port = free_port()
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "numen", "serve", *arguments, "--port", str(port)],
        env={**os.environ, "NUMEN_HOME": str(home), **(environment or {})},
        stdout=log,
        stderr=log,
    )
    log.close()
    try:
        return wait_ready(port, process, wait), process
    except AssertionError:
        stop(process)
        raise AssertionError((home / "server.log").read_text()) from None


def wait_ready(port: int, process: subprocess.Popen[bytes], wait: float = 120) -> str:
    """Waits until the server is ready and returns its address."""
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + wait
    while time.monotonic() < end and process.poll() is None:
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                return url
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not become ready")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
