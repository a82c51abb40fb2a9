"""Integrated gradients and saliency on numen beside Captum: explanations/s, and how alike they are.

    python benchmarks/explain.py [--peer PYTHON]

The networks of networks.py, 32 Gauss-Legendre points, one thread and one core each, in processes
of their own that take turns; whoever is asked for many rows may run them in parts, and takes the
size that is fastest. The peer's Python has PyTorch, Captum and onnx; where none is named, a venv is
made.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

CACHE = Path.home() / ".cache/numen-benchmarks/captum"
PEER = ["torch==2.13.0", "captum", "onnx"]
BATCHES = (1, 16, 64)
STEPS = 32
# numen over Captum: how often as fast, at least.
WANTED = {
    "mlp": {"integrated-gradients": {1: 10, 16: 10, 64: 10}, "saliency": {1: 1, 16: 1, 64: 1}},
    "cnn": {"integrated-gradients": {16: 1.5, 64: 1.5}, "saliency": {1: 1, 16: 1, 64: 1}},
}
Explain = Callable[[np.ndarray], np.ndarray]


def of_numen(path: str, method: str) -> Explain:
    import onnx
    import onnxruntime

    from numen.explain.graph import served, write

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = served(write(onnx.load(path)), {}, method).SerializeToString()
    session = onnxruntime.InferenceSession(model, options)
    return lambda x: session.run(["attribution:x"], {"x": x})[0]


def of_captum(path: str, method: str) -> Explain:
    import captum.attr
    import onnx
    import torch
    from onnx import numpy_helper
    from torch import nn

    torch.set_num_threads(1)
    layers: list[nn.Module] = []
    graph = onnx.load(path).graph
    weights = {each.name: torch.tensor(numpy_helper.to_array(each)) for each in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Gemm", "Conv"):
            w, b = (weights[name] for name in node.input[1:])
            if node.op_type == "Conv":
                layer: nn.Module = nn.Conv2d(w.shape[1], w.shape[0], w.shape[2:])
            else:
                w = w.T.contiguous()
                layer = nn.Linear(w.shape[1], w.shape[0])
            layer.weight.data, layer.bias.data = w, b
            layers.append(layer)
        else:
            kinds = {"Relu": nn.ReLU, "Flatten": nn.Flatten, "Softmax": lambda: nn.Softmax(-1)}
            layers.append(nn.MaxPool2d(2) if node.op_type == "MaxPool" else kinds[node.op_type]())
    whole = nn.Sequential(*layers).eval()
    score = nn.Sequential(*layers[:-1]).eval()

    def explain(x: np.ndarray) -> np.ndarray:
        given = torch.tensor(x)
        with torch.no_grad():
            best = whole(given).argmax(1)
        if method == "saliency":
            made = captum.attr.Saliency(score).attribute(given.requires_grad_(), target=best)
        else:
            made = captum.attr.IntegratedGradients(whole).attribute(
                given, target=best, n_steps=STEPS, method="gausslegendre"
            )
        return made.detach().numpy()

    return explain


def measure(who: str, folder: str, network: str, method: str, seconds: float) -> None:
    """Prints explanations/s by rows, and the attributions of a few, as JSON."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    explain = {"numen": of_numen, "captum": of_captum}[who](f"{folder}/{network}.onnx", method)
    x = np.load(f"{folder}/{network}.npy")
    rates = {}
    for rows in BATCHES:
        found = []
        for part in {rows, *(size for size in (1, 2, 4, 8, 16) if size < rows)}:
            pieces = [x[start : start + part] for start in range(0, rows, part)]
            times: list[float] = []
            end = time.perf_counter() + seconds
            while time.perf_counter() < end or len(times) < 2:
                begin = time.perf_counter()
                for piece in pieces:
                    explain(piece)
                times.append(time.perf_counter() - begin)
            found.append(rows / statistics.median(times[1:]))
        rates[rows] = max(found)
    print(json.dumps({"rates": rates, "values": explain(x[:4]).tolist()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="a Python that has PyTorch, Captum and onnx")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--lock", type=Path, help="a file that those who measure here share")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        measure(*given.one, given.seconds)
        return
    import host
    import networks

    peer = given.peer or made()
    print(*(f"{name}: {value}" for name, value in host.machine().items()), sep=", ")
    reached = True
    with tempfile.TemporaryDirectory() as folder, host.locked(given.lock):
        networks.write(Path(folder))
        for network, methods in WANTED.items():
            random = np.random.default_rng(0)
            np.save(f"{folder}/{network}.npy", networks.digits(network, max(BATCHES), random))
            for method, wanted in methods.items():
                found = {}
                for who, python in (("numen", sys.executable), ("captum", peer)):
                    more = ["--seconds", str(given.seconds)]
                    command = [python, __file__, "--one", who, folder, network, method, *more]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    if done.returncode:
                        raise SystemExit(done.stderr)
                    found[who] = json.loads(done.stdout.splitlines()[-1])
                gap = np.abs(np.subtract(*(each["values"] for each in found.values()))).max()
                print(f"\n{network}, {method}: largest difference {gap:.1e}")
                for rows in BATCHES:
                    ours, theirs = (found[who]["rates"][str(rows)] for who in found)
                    least = wanted.get(rows)
                    reached &= least is None or ours / theirs >= least
                    asked = f"  (wanted {least:g}x)" if least else ""
                    ratio = f"{ours / theirs:.1f}x{asked}"
                    print(f"  {rows:>3} rows {ours:>10,.0f} : {theirs:>8,.0f} = {ratio}")
    sys.exit(not reached)


def made() -> str:
    """A Python with the peer in it; pip takes PyTorch's build for processors."""
    python = CACHE / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEER], check=True)
    return str(python)


if __name__ == "__main__":
    main()
