"""Explanations over HTTP, and what they cost the predictions beside them.

    python benchmarks/explained.py [--seconds 5] [--rounds 3]

The server has core 0, the load core 1. First how many integrated gradients (32 points) of the
tutorial's network a second, one row a request as binary tensors, 64 connections. Then predictions
by themselves and beside callers who ask for explanations without a pause, in turns: the latter must
add no more than a tenth to the 99th percentile of the former.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from loads import Figures, Load, drive, wrk
from measure import MODEL
from messages import BinaryTensors, compact, tensor
from networks import digits, write
from servers import LOAD_CORE, Running, numen, ready

WANTED = {"explanations": 10_000, "p99": 1.1}


class Explaining(BinaryTensors):
    """The binary door of what explains a model; of its outputs the attributions."""

    def __init__(self) -> None:
        super().__init__(f"{MODEL}.explain")

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        size = {"parameters": {"binary_data_size": x.nbytes}}
        wanted = {"name": "attribution:x", "parameters": {"binary_data": True}}
        head = compact({"inputs": [{**tensor(x), **size}], "outputs": [wanted]})
        return head + x.tobytes(), {
            "content-type": "application/octet-stream",
            "inference-header-content-length": str(len(head)),
        }


def beside(running: Running, x: np.ndarray, connections: int, seconds: int) -> Figures:
    """Explanations for so long, from the core of the load."""
    door = Explaining()
    body, headers = door.encode(x)
    url = f"http://{running.address('binary')}{door.path}"
    return wrk(["taskset", "-c", LOAD_CORE], url, body, headers, connections, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=5, help="length of one run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64, help="of predictions")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    x = digits(MODEL, 1, np.random.default_rng(7))
    alone, with_, explained, meanwhile = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [sys.executable, "-m", "numen", "publish", write(folder)[MODEL], "--name", MODEL,
             "--labels", ",".join("0123456789")],
            env={**os.environ, "NUMEN_HOME": str(folder / "home")}, check=True, capture_output=True,
        )  # fmt: skip
        with Running(numen(folder / "home", ["binary"]), folder / "log") as running:
            running.wait(partial(ready, running))
            load, door = Load("binary", 1, said.connections), BinaryTensors(MODEL)
            for _ in range(said.rounds):
                explained.append(
                    drive(running, Explaining(), Load("binary", 1, 64), x, said.seconds)
                )
                alone.append(drive(running, door, load, x, said.seconds))
                others = threading.Thread(
                    target=lambda: meanwhile.append(beside(running, x, 8, said.seconds + 3))
                )
                others.start()
                with_.append(drive(running, door, load, x, said.seconds))
                others.join()
    middle = statistics.median
    ratio = middle(b.p99_ms / a.p99_ms for a, b in zip(alone, with_, strict=True))
    found = {
        "explanations_per_second": middle(each.rps for each in explained),
        "explanations_p99_ms": middle(each.p99_ms for each in explained),
        "p99_alone_ms": middle(each.p99_ms for each in alone),
        "p99_beside_ms": middle(each.p99_ms for each in with_),
        "p99_ratio": ratio,
        "predictions_alone": middle(each.rps for each in alone),
        "predictions_beside": middle(each.rps for each in with_),
        "explanations_meanwhile": middle(each.rps for each in meanwhile),
        "failed": sum(each.failed for each in (*alone, *with_, *explained, *meanwhile)),
        "wanted": WANTED,
    }
    if said.json:
        print(json.dumps(found, indent=2))
        return
    table = Table("", "", "wanted")
    rate = found["explanations_per_second"]
    table.add_row("explanations/s, 64 connections", f"{rate:,.0f}", f"{WANTED['explanations']:,}")
    p99 = f"{found['p99_alone_ms']:.2f} → {found['p99_beside_ms']:.2f} ms, × {ratio:.3f}"
    table.add_row("p99 of predictions beside 8 who ask why", p99, f"× {WANTED['p99']}")
    pace = f"{found['predictions_alone']:,.0f} → {found['predictions_beside']:,.0f}"
    table.add_row("predictions/s", f"{pace}, explanations {found['explanations_meanwhile']:,.0f}")
    table.add_row("failed", str(found["failed"]))
    Console().print(table)


if __name__ == "__main__":
    main()
