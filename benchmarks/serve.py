"""numen beside another server, and both beside nginx's fixed reply, in the same run.

    python benchmarks/serve.py --peer mlserver --rounds 3
    python benchmarks/serve.py --peer all

All serve the same 784-128-10 network. In each round nginx, numen and the peer are started in turn,
pinned to core 0, and driven from core 1; medians over the rounds are compared. Each result is kept
as JSON below the cache folder, from which `report.py` writes the tables of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from host import locked, machine, stop_when_told
from measure import Match
from report import pairs, save
from servers import names


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [name for name in names() if name != "nginx"]
    parser.add_argument("--peer", nargs="+", default=["fastapi"], choices=[*known, "all"])
    parser.add_argument("--doors", nargs="+", default=["json", "binary", "grpc"])
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server")
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--lock", type=Path, help="a file to lock for the length of each turn")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    stop_when_told()
    console = Console(stderr=arguments.json)
    results = []
    for name in known if "all" in arguments.peer else arguments.peer:
        try:
            result = beside(name, arguments, console)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            console.print(f"[red]{name}[/]: {error}", markup=True)
            results.append({"peer": name, "error": str(error)})
            continue
        save(name, result)
        console.print(table(result))
        results.append(result)
    if arguments.json:
        print(json.dumps(results, indent=2))
    sys.exit(any("error" in result for result in results))


def beside(name: str, arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """All turns of a match."""
    with tempfile.TemporaryDirectory() as scratch:
        match = Match(name, Path(scratch), arguments.doors, arguments.seconds)
        for number in range(1, arguments.rounds + 1):
            for subject in match.subjects:
                console.print(f"{name}: round {number}, {subject.title}", style="dim")
                with locked(arguments.lock):
                    match.turn(subject)
        lengths = {"rounds": arguments.rounds, "seconds": arguments.seconds}
        return machine() | lengths | match.result()


def table(result: dict[str, Any]) -> Table:
    """A match, for the eye."""
    rival = result["servers"][result["peer"]]
    shown = Table(
        title=f"numen beside {rival['title']} ({rival['setting']})",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    shown.add_column("load")
    for head in ("", "numen rows/s", "peer rows/s", "×", "nginx", "p50 ms", "p99 ms"):
        shown.add_column(head, justify="right")
    for pair in pairs(result):
        own, other = pair.numen, pair.peer
        failed = own["failed"], other["failed"]
        shown.add_row(
            own["kind"] + (f"/{other['kind']}" if other["kind"] != own["kind"] else ""),
            f"{own['rows']} × {own['connections']}",
            f"{own['rps'] * own['rows']:,.0f}", f"{other['rps'] * own['rows']:,.0f}",
            f"{pair.ratio:.1f}", f"{pair.share:.0%}" if pair.share else "",
            *(f"{own[key]:.3g} / {other[key]:.3g}" for key in ("p50_ms", "p99_ms")),
        )  # fmt: skip
        if any(failed):
            shown.add_row("[red]failed[/]", "", *map(str, failed))
    return shown


if __name__ == "__main__":
    main()
