"""Where the model is the work: a CNN on numen beside onnxruntime alone, and two workers beside one.

    python benchmarks/compute.py

*Batches.* onnxruntime in a loop on core 0, then numen on core 0 with load from core 1, both at the
same batch size: a request brings a batch, numen may run no more than that at once, and two
connections see to it that one request waits while another runs, so that the model never rests.

*Workers.* The same server with one worker and with two, free to use both cores, in a closed loop:
16 connections, 64 rows a request. A request is some 20 ms of computing and next to nothing to send,
so the load generator, which has no core of its own here, takes a percent or two; what it takes is
shown. What two could give at most is measured too: onnxruntime alone, once and twice at a time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import networks
from host import locked, machine, stop_when_told
from loads import Figures, Load, drive
from messages import BinaryTensors
from report import computed, save
from servers import LOAD_CORE, SERVER_CORE, Running, Subject, numen, publish
from verify import TOLERANCE, client, gap

MODEL = "cnn"
BATCHES = (1, 16, 64)
BOTH = f"{SERVER_CORE},{LOAD_CORE}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["batches", "workers"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="length of one run")
    parser.add_argument("--lock", type=Path, help="a file to lock for the length of each round")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    stop_when_told()
    with tempfile.TemporaryDirectory() as scratch:
        bench = Compute(Path(scratch), arguments.seconds)
        result: dict[str, Any] = machine()
        for name in ("batches", "workers"):
            if arguments.only in (name, None):
                rounds = []
                for _ in range(arguments.rounds):
                    with locked(arguments.lock):
                        rounds.append(getattr(bench, name)())
                result[name] = medians(rounds)
        result["noise"] = bench.noise()
    save("compute", result)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        Console().print(computed(result), markup=False)


class Compute:
    """Rounds of either measurement; each returns its figures by name."""

    def __init__(self, folder: Path, seconds: int):
        self._folder, self._seconds = folder, seconds
        self._path = networks.write(folder)[MODEL]
        self._predict = networks.reference(self._path)
        self._shares: list[float] = []
        self._others: list[float] = []
        publish(self._path, folder / "home")

    def batches(self) -> dict[str, float]:
        found = {}
        for rows in BATCHES:
            found[f"alone {rows}"] = self._alone(rows, SERVER_CORE)
            subject = numen(self._folder / "home", ["binary"], max_batch=rows)
            found[f"numen {rows}"] = self._served(subject, rows, 2).rps * rows
        return found

    def workers(self) -> dict[str, float]:
        found = {
            "alone 1": self._alone(64, SERVER_CORE),
            "alone 2": self._alone(64, SERVER_CORE, LOAD_CORE),
        }
        for workers in (1, 2):
            subject = numen(self._folder / "home", ["binary"], workers=workers, cores=BOTH)
            figures = self._served(subject, 64, 16, BOTH)
            found[f"numen {workers}"] = figures.rps * 64
            found[f"load {workers}"] = figures.load_cpu
        return found

    def noise(self) -> dict[str, float]:
        """The least of a core that onnxruntime had; the most CPUs others used beside numen."""
        return {"share": round(min(self._shares), 3), "others": round(max(self._others), 3)}

    def _alone(self, rows: int, *cores: str) -> float:
        """Rows/s of onnxruntime in a process on each of the cores, at the same time, together."""
        script = Path(__file__).with_name("alone.py")
        command = [sys.executable, script, self._path, str(rows), str(self._seconds)]
        processes = [
            subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.PIPE, text=True)
            for core in cores
        ]
        said = [process.communicate(timeout=60)[0].split() for process in processes]
        self._shares += [float(share) for _, share in said]
        return sum(float(rate) for rate, _ in said)

    def _served(
        self, subject: Subject, rows: int, connections: int, core: str = LOAD_CORE
    ) -> Figures:
        x = networks.digits(MODEL, rows, np.random.default_rng(7))
        entry = BinaryTensors(MODEL)
        with Running(subject, self._folder / "numen.log") as running:
            with client(running, "binary", entry) as ask:
                running.wait(lambda: gap(ask(x), self._predict(x)) < TOLERANCE)
            load = Load("binary", rows, connections)
            figures = drive(running, entry, load, x, self._seconds, core)
        self._others.append(figures.other_cpu)
        assert not figures.failed, f"{figures.failed} requests failed"
        return figures


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(f"{statistics.median(r[key] for r in rounds):.5g}") for key in rounds[0]}


if __name__ == "__main__":
    main()
