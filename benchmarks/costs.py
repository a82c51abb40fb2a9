"""What keys, histograms and traces cost: requests/s of one row a request, with and without them.

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
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from loads import Load, drive
from measure import MODEL
from messages import Tensors
from networks import digits, write
from servers import Running, Subject, numen, publish, ready

# Starts numen without its histograms, which it has no option to be without.
BLIND = """
from numen.serve.stats import Histogram
Histogram.observe = Histogram.observe_all = lambda self, seconds: None
from numen.cli import main
main()
"""


@dataclass(frozen=True)
class Kind:
    """A server of the comparison.

    Attributes:
        key: The options of the key it is asked with; None makes no key.
        sent: Whether a key is sent all the same: what the header itself costs.
        blind: Whether it counts nothing.
        share: How many of the requests it traces; None traces none.
    """

    key: tuple[str, ...] | None = None
    sent: bool = False
    blind: bool = False
    share: float | None = None


KINDS = {
    "as it comes": Kind(),
    "no histograms": Kind(blind=True),
    "a key sent, none asked": Kind(sent=True),
    "a key": Kind(key=()),
    "a key with a limit": Kind(key=("--max-concurrency", "1000")),
    "traces, 1 in 100": Kind(share=0.01),
    "traces, all": Kind(share=1.0),
}
BASE = "as it comes"


class Keyed(Tensors):
    """The JSON door for who has a key."""

    def __init__(self, key: str | None):
        super().__init__(MODEL)
        self._key = key

    def encode(self, x: np.ndarray) -> tuple[bytes, dict[str, str]]:
        body, headers = super().encode(x)
        return body, headers | ({"authorization": f"Bearer {self._key}"} if self._key else {})


def prepare(home: Path, graph: Path, kind: Kind) -> Keyed:
    """Publishes the model, makes the keys, and gives the door with the one to use."""

    def keys(*arguments: str) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "numen", "keys", "create", *arguments],
            env={**os.environ, "NUMEN_HOME": str(home)}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return run.stdout

    publish(graph, home)
    if kind.key is None:
        return Keyed(f"nm_{'A' * 43}" if kind.sent else None)
    for other in range(3):
        keys(f"other-{other}")
    return Keyed(json.loads(keys("bench", *kind.key, "--json"))["key"])


def server(home: Path, kind: Kind, collector: str) -> Subject:
    """numen, as a kind has it."""
    plain = numen(home, ["json"])

    def launch(*ports: int) -> tuple[list[str], dict[str, str]]:
        command, given = plain.launch(*ports)
        if kind.blind:
            command = [command[0], "-c", BLIND, *command[3:]]
        if kind.share is not None:
            given |= {"NUMEN_TRACES": collector, "NUMEN_TRACE_SHARE": str(kind.share)}
        return command, given

    return replace(plain, launch=launch)


@contextmanager
def collecting() -> Iterator[str]:
    """An OpenTelemetry collector that takes all and keeps nothing."""

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{collector.server_port}"
    finally:
        collector.shutdown()


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
        collector = stack.enter_context(collecting())
        graph = write(folder)[MODEL]
        x = digits(MODEL, 1, np.random.default_rng(7))
        servers = {}
        for title, kind in KINDS.items():
            door = prepare(folder / title, graph, kind)
            subject = server(folder / title, kind, collector)
            running = stack.enter_context(Running(subject, folder / f"{title}.log"))
            running.wait(partial(ready, running))
            servers[title] = running, door
        for turn in range(arguments.rounds):
            order = list(servers.items())[:: 1 if turn % 2 else -1]
            rounds.append(
                {title: measure(running, door, x, arguments) for title, (running, door) in order}
            )
    result = []
    table = Table("", "requests/s", "×", "CPU µs a request", "×", "failed")
    for name in KINDS:
        found = {"kind": name, "failed": sum(runs[name]["bad"] for runs in rounds)}
        for what in ("rps", "cpu"):
            found[what] = statistics.median(runs[name][what] for runs in rounds)
            ratios = (runs[name][what] / runs[BASE][what] for runs in rounds)
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
