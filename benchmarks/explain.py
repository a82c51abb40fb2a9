"""Explanations on numen beside Captum and `shap`: how many a second, and how alike they are.

    python benchmarks/explain.py [--only gradients|kernel|trees] [--peer PYTHON]

One thread and one core each, in processes of their own that take turns. Gradients: integrated
gradients and saliency of the networks of networks.py, 32 Gauss-Legendre points, beside Captum;
whoever is asked for many rows may run them in parts, and takes the size that is fastest. Kernel and
trees: see shapley.py. Where no Python with the peer in it is named, a venv is made.
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

CACHE = Path.home() / ".cache/numen-benchmarks"
PEERS = {
    "captum": ["torch==2.13.0", "captum", "onnx"],
    "shap": ["shap", "scikit-learn", "onnxruntime", "lightgbm", "xgboost-cpu"],
}
BATCHES = (1, 16, 64)
STEPS = 32
# numen over Captum: how often as fast, at least.
WANTED = {
    "mlp": {"integrated-gradients": {1: 10, 16: 10, 64: 10}, "saliency": {1: 1, 16: 1, 64: 1}},
    "cnn": {"integrated-gradients": {16: 1.5, 64: 1.5}, "saliency": {1: 1, 16: 1, 64: 1}},
}
# The same of Shapley values by section and model, and the largest difference that there may be:
# none is asked of values that are sampled, by each from sets of its own.
SHAPLEY = {
    "kernel": {
        "mlp": ({1: 20, 16: 20}, np.inf),
        "table": ({1: 20, 16: 20}, np.inf),
        "small": ({1: 20, 16: 20}, 1e-5),
    },
    "trees": {
        "lightgbm": ({1: 5, 1000: 1}, 1e-5),
        "xgboost": ({1: 5, 1000: 1}, 1e-5),
        "forest": ({1: 5, 1000: 1}, 1e-5),
        "sklearn": ({1: 5, 1000: 1}, 1e-5),
    },
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
    return lambda x: session.run(
        ["attribution:x"], {"x": x, "target": np.full(len(x), -1, np.int64)}
    )[0]


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


def asked(python: str, arguments: list[str], seconds: float) -> dict:
    """What one side measured, in a process of its own with one thread."""
    command = [python, __file__, "--seconds", str(seconds), "--one", *arguments]
    alone = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **alone}
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(title: str, found: dict, wanted: dict[int, float], nearness: float = np.inf) -> bool:
    """Prints two sides; whether numen is as near and as fast as is wanted."""
    ours, theirs = found.values()
    gap = np.abs(np.subtract(ours["values"], theirs["values"])).max()
    print(f"\n{title}: largest difference {gap:.1e}")
    reached = bool(gap <= nearness)
    for rows in ours["rates"]:
        fast, slow = ours["rates"][rows], theirs["rates"][rows]
        least = wanted.get(int(rows))
        reached &= least is None or fast / slow >= least
        asked_for = f"  (wanted {least:g}x)" if least else ""
        print(f"  {rows:>4} rows {fast:>10,.0f} : {slow:>8,.0f} = {fast / slow:.1f}x{asked_for}")
    return reached


def gradients(peer: str, folder: Path, seconds: float) -> bool:
    import networks

    reached = True
    networks.write(folder)
    for network, methods in WANTED.items():
        random = np.random.default_rng(0)
        np.save(folder / f"{network}.npy", networks.digits(network, max(BATCHES), random))
        for method, wanted in methods.items():
            found = {
                who: asked(python, ["gradients", who, str(folder), network, method], seconds)
                for who, python in (("numen", sys.executable), ("captum", peer))
            }
            reached &= compare(f"{network}, {method}", found, wanted)
    return reached


def shapley_values(section: str, peer: str, folder: Path, seconds: float) -> bool:
    import shapley

    {"kernel": shapley.write_networks, "trees": shapley.write_trees}[section](folder)
    reached = True
    for network, (wanted, nearness) in SHAPLEY[section].items():
        batches = ",".join(map(str, wanted))
        found = {
            who: asked(python, [section, who, str(folder), network, batches], seconds)
            for who, python in (("numen", sys.executable), ("shap", peer))
        }
        reached &= compare(f"{section}, {network}", found, wanted, nearness)
        if section == "kernel":
            alone = asked(sys.executable, [section, "alone", str(folder), network, "1"], seconds)
            print(f"  as many runs of the graph alone: {alone['rates']['1']:,.0f}")
    return reached


def one(section: str, who: str, folder: str, network: str, how: str, seconds: float) -> None:
    if section == "gradients":
        measure(who, folder, network, how, seconds)
        return
    import shapley

    shapley.measure(section, who, folder, network, [int(n) for n in how.split(",")], seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["gradients", *SHAPLEY], help="a part of it")
    parser.add_argument("--peer", help="a Python that has what the part needs")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--lock", type=Path, help="a file that those who measure here share")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(*given.one, given.seconds)
        return
    if given.peer and not given.only:
        parser.error("--peer: expected --only beside it, as each part has its own")
    import host

    print(*(f"{name}: {value}" for name, value in host.machine().items()), sep=", ")
    reached = True
    for section in [given.only] if given.only else ["gradients", *SHAPLEY]:
        peer = given.peer or made("captum" if section == "gradients" else "shap")
        with tempfile.TemporaryDirectory() as folder, host.locked(given.lock):
            if section == "gradients":
                reached &= gradients(peer, Path(folder), given.seconds)
            else:
                reached &= shapley_values(section, peer, Path(folder), given.seconds)
    sys.exit(not reached)


def made(name: str) -> str:
    """A Python with the peer in it; pip takes PyTorch's build for processors."""
    python = CACHE / name / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", CACHE / name], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name]], check=True)
    return str(python)


if __name__ == "__main__":
    main()
