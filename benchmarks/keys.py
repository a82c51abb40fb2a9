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
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pinned import MODEL, Server, digit_like, free_port, json_body, load, make_model

NUMEN = [sys.executable, "-m", "numen"]
# "sent" is a server without keys that is sent one all the same: what the header itself costs.
KEYS = {"none": None, "sent": None, "one": [], "counted": ["--max-concurrency", "1000"]}


def start(folder: Path, graph: Path, options: list[str] | None) -> tuple[Server, str]:
    """A server, and the header line that its key is."""
    home = {"NUMEN_HOME": str(folder)}

    def numen(*arguments: str) -> str:
        run = subprocess.run(
            [*NUMEN, *arguments],
            env={**os.environ, **home}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return run.stdout

    numen("publish", str(graph), "--name", MODEL)
    header = f"|authorization:Bearer nm_{'A' * 43}" if folder.name == "sent" else ""
    if options is not None:
        for other in range(3):
            numen("keys", "create", f"other-{other}")
        made = json.loads(numen("keys", "create", "bench", *options, "--json"))
        header = f"|authorization:Bearer {made['key']}"
    port = free_port()
    return Server(folder.name, [*NUMEN, "serve", "--port", str(port)], port, home, 0), header


def busy(server: Server) -> float:
    """Processor seconds that a server has used."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(server: Server, header: str, row: Path, arguments: argparse.Namespace) -> dict:
    """One run: wrk's figures, and processor microseconds a request."""
    before = busy(server)
    headers = f"content-type:application/json{header}"
    run = load(server, row, headers, arguments.connections, arguments.seconds, 1)
    return {**run, "cpu": (busy(server) - before) / run["requests"] * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2, help="length of one run")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each server")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        graph, row = Path(folder, "mlp.onnx"), Path(folder, "row.json")
        make_model(graph)
        row.write_bytes(json_body(digit_like(np.random.default_rng(7), 1)))
        servers = {
            name: start(Path(folder, name), graph, options) for name, options in KEYS.items()
        }
        try:
            for turn in range(arguments.rounds + 1):
                order = list(servers.items())[:: 1 if turn % 2 else -1]
                runs = {
                    name: measure(server, header, row, arguments)
                    for name, (server, header) in order
                }
                rounds.append(runs)
        finally:
            for server, _ in servers.values():
                server.stop()
    rounds = rounds[1:]  # the first warms up
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
