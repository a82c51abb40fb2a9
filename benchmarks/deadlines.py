"""What a ladder of variants is worth: 16 ms deadlines at 150 % of what the exact model holds.

A convolutional network is served twice: alone, and with variants beside it (int8, calibrated; a
small student; a table of last resort). An open-loop load asks both for one row a request, each
with a deadline. Counted from when a request was due: answers in time, refusals, and what came
later than the deadline and 2 ms. The exact model's capacity is measured first, closed loop.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from rich.console import Console
from rich.table import Table

from loads import Load, drive
from messages import BinaryTensors
from networks import cnn, digits, mlp
from numen.api.load import Plan, run
from servers import Running, numen, ready

HZ = 60.0


class Rows(CalibrationDataReader):
    """Rows to calibrate the int8 variant with."""

    def __init__(self, x: np.ndarray):
        self._rows = iter({"x": row[None]} for row in x)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rows, None)


def variants(folder: Path, exact: Path, x: np.ndarray) -> dict[str, Path]:
    """The faster ways to answer."""
    int8 = folder / "int8.onnx"
    quantize_static(exact, int8, Rows(x[:64]), quant_format=QuantFormat.QDQ)
    student = folder / "student.onnx"
    onnx.save(reshaped(mlp()), student)
    table = folder / "table.npz"
    np.savez(table, **{"else:y": np.full(10, 0.1, np.float32)})
    return {"int8": int8, "student": student, "table": table}


def reshaped(model: onnx.ModelProto) -> onnx.ModelProto:
    """The small network behind the large one's input."""
    from onnx import TensorProto, helper

    graph = model.graph
    graph.node.insert(0, helper.make_node("Flatten", ["x"], ["flat"]))
    for node in graph.node[1:]:
        node.input[:] = ["flat" if name == "x" else name for name in node.input]
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 28, 28]))
    return model


def request(model: str, x: np.ndarray, deadline_ms: float) -> bytes:
    """A whole HTTP request, as the open-loop load sends it."""
    door = BinaryTensors(model)
    body, headers = door.encode(x)
    headers |= {"host": "bench", "numen-deadline-ms": f"{deadline_ms:g}"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {door.path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deadline-ms", type=float, default=16)
    parser.add_argument("--share", type=float, default=1.5, help="of the exact model's capacity")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x = digits("cnn", 64, np.random.default_rng(7))
        exact = folder / "cnn.onnx"
        onnx.save(cnn(), exact)
        others = [f"--variant={key}={path}" for key, path in variants(folder, exact, x).items()]
        np.save(folder / "sample.npy", x[:16])
        home = {"NUMEN_HOME": str(folder / "home")}
        for model, more in {"alone": [], "ladder": others}.items():
            subprocess.run(
                [sys.executable, "-m", "numen", "publish", str(exact), "--name", model,
                 "--sample", str(folder / "sample.npy"), *more],
                env={**os.environ, **home}, check=True, capture_output=True,
            )  # fmt: skip
        with Running(numen(folder / "home", ["binary"]), folder / "server.log") as running:
            running.wait(partial(ready, running))
            door, load = BinaryTensors("alone"), Load("binary", 1, 64)
            most = drive(running, door, load, x[:1], arguments.seconds).rps
            host, _, port = running.address("binary").partition(":")
            rows = []
            for model in ("alone", "ladder"):
                requests = [request(model, x[n : n + 1], arguments.deadline_ms) for n in range(64)]
                deadline = arguments.deadline_ms / 1e3
                players = round(most * arguments.share / HZ)
                plan = Plan(
                    host, int(port), requests, players, HZ, deadline, 1.0,
                    float(arguments.seconds), spin=True,
                )  # fmt: skip
                rows.append({"model": model, **judged(run(plan), deadline)})
    if arguments.json:
        print(json.dumps({"capacity": most, "runs": rows}, indent=2))
        return
    console = Console()
    console.print(f"the exact model alone holds {most:,.0f} requests/s; asked {arguments.share:g}x")
    columns = list(rows[0])
    table = Table(*columns)
    for row in rows:
        table.add_row(*(str(row[name]) for name in columns))
    console.print(table)
    console.print(f"answers, ladder : alone = {rows[1]['answered'] / rows[0]['answered']:.2f}")


def judged(tally: object, deadline: float) -> dict[str, object]:
    answers = np.frombuffer(tally.latencies, np.float64)
    latencies = np.concatenate([answers, np.frombuffer(tally.refusals, np.float64)])
    refused = sum(count for status, count in tally.statuses.items() if status in (429, 503, 504))
    within = int((latencies <= deadline + 0.002).sum())
    return {
        "asked": tally.due,
        "answered": int((answers <= deadline).sum()),
        "refused": refused,
        "missing": tally.missing + tally.broken,
        "latency p99.9 ms": round(float(np.percentile(latencies, 99.9)) * 1e3, 2),
        "within deadline + 2 ms": f"{within / max(tally.due, 1):.4%}",
        "outcomes": dict(tally.outcomes),
    }


if __name__ == "__main__":
    main()
