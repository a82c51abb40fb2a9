"""What keys cost: requests/s of one row a request, without keys, with one, and with a counted one.

Servers of the same model take turns in short runs, so that a noisy machine is noisy for all;
medians of the ratios within each turn are shown. Processor time a request is shown beside them: a
neighbour that takes half of the core does not change it much.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from loads import Load, drive
from measure import MODEL
from messages import Tensors
from networks import digits, write
from servers import Running, numen, publish, ready

# "sent" is a server without keys that is sent one all the same: what the header itself costs.
KEYS = {"none": None, "sent": None, "one": [], "counted": ["--max-concurrency", "1000"]}


class Keyed(Tensors):
    """The JSON door for who has a key."""

    def __init__(self, key: str | None):
        super().__init__(MODEL)
        self._key = key

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        body, headers = super().encode(x)
        return body, headers | ({"authorization": f"Bearer {self._key}"} if self._key else {})


def prepare(home: Path, graph: Path, options: list[str] | None) -> Keyed:
    """Publishes the model, makes the keys, and gives the door with the one to use."""

    def keys(*arguments: str) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "numen", "keys", "create", *arguments],
            env={**os.environ, "NUMEN_HOME": str(home)}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return run.stdout

    publish(graph, home)
    if options is None:
        return Keyed(f"nm_{'A' * 43}" if home.name == "sent" else None)
    for other in range(3):
        keys(f"other-{other}")
    return Keyed(json.loads(keys("bench", *options, "--json"))["key"])


def measure(running: Running, door: Keyed, x: np.ndarray, arguments: argparse.Namespace) -> dict:
    """One run: requests/s, processor microseconds a request, and failures."""
    load = Load("json", 1, arguments.connections)
    figures = drive(running, door, load, x, arguments.seconds)
    cpu = figures.server_cpu / figures.rps * 1e6
    return {"rps": figures.rps, "cpu": cpu, "bad": figures.failed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="length of one run")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each server")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        graph = write(folder)[MODEL]
        x = digits(MODEL, 1, np.random.default_rng(7))
        servers = {}
        for kind, options in KEYS.items():
            door = prepare(folder / kind, graph, options)
            subject = numen(folder / kind, ["json"])
            running = stack.enter_context(Running(subject, folder / f"{kind}.log"))
            running.wait(partial(ready, running))
            servers[kind] = running, door
        for turn in range(arguments.rounds):
            order = list(servers.items())[:: 1 if turn % 2 else -1]
            rounds.append(
                {kind: measure(running, door, x, arguments) for kind, (running, door) in order}
            )
    result = []
    table = Table("keys", "requests/s", "× none", "CPU µs a request", "× none", "failed")
    for name in KEYS:
        found = {"keys": name, "failed": sum(runs[name]["bad"] for runs in rounds)}
        for what in ("rps", "cpu"):
            found[what] = statistics.median(runs[name][what] for runs in rounds)
            ratios = (runs[name][what] / runs["none"][what] for runs in rounds)
            found[f"{what}_ratio"] = statistics.median(ratios)
        table.add_row(
            name, f"{found['rps']:,.0f}", f"{found['rps_ratio']:.3f}", f"{found['cpu']:.1f}",
            f"{found['cpu_ratio']:.3f}", str(found["failed"]),
        )  # fmt: skip
        result.append(found)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        Console().print(table)


if __name__ == "__main__":
    main()
