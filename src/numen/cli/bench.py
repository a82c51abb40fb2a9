"""`numen bench`: what this machine holds, in the words of a game developer."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from numen.cli import show
from numen.cli.complete import references

if TYPE_CHECKING:
    from numen.api.bench import Report
    from numen.api.measure import Phase, Step

_PHASES: Final = {"ramp": "doubling", "narrow": "narrowing", "confirm": "confirming"}
_COLUMNS: Final = (
    "players", "requests/s", "p50 ms", "p99", "p99.9", "missed", "late*", "others*",
)  # fmt: skip
_GLYPHS: Final = {
    "0": "█▀█/█ █/▀▀▀", "1": "▀█ / █ /▀▀▀", "2": "▀▀█/█▀▀/▀▀▀", "3": "▀▀█/ ▀█/▀▀▀",
    "4": "█ █/▀▀█/  ▀", "5": "█▀▀/▀▀█/▀▀▀", "6": "█▀▀/█▀█/▀▀▀", "7": "▀▀█/  █/  ▀",
    "8": "█▀█/█▀█/▀▀▀", "9": "█▀█/▀▀█/▀▀▀", ",": " / /▞",
}  # fmt: skip


def bench(
    model: Annotated[
        str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)
    ],
    deadline_ms: Annotated[
        float, typer.Option(help="When an answer is too late, in ms after it was due.")
    ] = 16.0,
    hz: Annotated[float, typer.Option(help="Requests a player a second.")] = 60.0,
    seconds: Annotated[float, typer.Option(help="Longest time for the search.")] = 45.0,
    url: Annotated[
        str | None, typer.Option(help="A server that runs already; else one is started.")
    ] = None,
    key: Annotated[
        str, typer.Option(envvar="NUMEN_KEY", help="The key to send, where the server wants one.")
    ] = "",
    yours: Annotated[
        bool, typer.Option("--i-own-this-server", help="The URL may be another machine's.")
    ] = False,
    as_json: show.Json = False,
) -> None:
    """Find how many players a model holds on this machine."""
    from numen.api.bench import bench as bench_

    with _Bar() as bar:
        report = bench_(
            model, deadline_ms=deadline_ms, hz=hz, seconds=seconds, url=url, key=key,
            yours=yours, watcher=bar,
        )  # fmt: skip
    if as_json:
        show.print_json(report)
        return
    _verdict(report)
    _histogram(report)
    _steps(report)


class _Bar:
    """Draws the search, on the standard error."""

    def __init__(self) -> None:
        # The load shares the machine with this bar, so it is drawn seldom.
        self._bar = Progress(
            TextColumn("[bold]{task.description:>10}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[now]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            console=show.err,
            transient=True,
            refresh_per_second=2,
        )
        self._task = self._bar.add_task("starting", total=1.0, now="the server", last="")

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def trying(self, phase: Phase, players: int, part: float) -> None:
        """A run begins."""
        self._bar.update(
            self._task, description=_PHASES[phase], completed=part,
            now=f"[bold]{players:>7,}[/] players",
        )  # fmt: skip

    def tried(self, step: Step) -> None:
        """A run is over."""
        self._bar.update(
            self._task, last=f"{_mark(step)} {step.players:,}  p99 {_ms(step.p99_ms)} ms"
        )


def _verdict(report: Report) -> None:
    run = report.run
    sure = report.confirmed and report.limit != "machine"
    colour = "green" if sure else "yellow" if report.players else "red"
    said = (
        f"[bold]{report.sentence}[/]",
        f"{escape(report.model)}  {run.requests_per_second:,.0f} requests/s  "
        f"p99 {_ms(run.p99_ms)} ms  missed {run.misses:.2%}",
        f"[dim]{_limit(report)}[/]",
    )
    show.out.print()
    for glyphs, text in zip(_large(f"{report.players:,}"), said, strict=True):
        show.out.print(f"  [bold {colour}]{glyphs}[/]   {text}", highlight=False)
    if total := sum(run.outcomes.values()):
        parts = (f"{name} {count / total:.1%}" for name, count in sorted(run.outcomes.items()))
        show.out.print(f"\n  the server said: {escape(', '.join(parts))}", highlight=False)


def _large(number: str) -> list[str]:
    """A whole number in three rows of blocks."""
    glyphs = [_GLYPHS[character].split("/") for character in number]
    return [" ".join(rows) for rows in zip(*glyphs, strict=True)]


def _limit(report: Report) -> str:
    if report.players and not report.confirmed and report.limit != "machine":
        return "Not for long, though: --seconds finds what lasts."
    crowded = max(step.crowded for step in report.steps)
    where = ", on a core of its own" if report.server_cores else ""
    if not report.load_cores:
        where = ", on the cores that the load has too"
    return {
        "server": f"The server was the limit{where}.",
        "load": "The load generator was the limit: it may hold more.",
        "machine": f"Others took up to {crowded:.0%} of a core: try when it is quiet.",
        "time": "Nothing failed in the time: --seconds gives it more.",
    }[report.limit]


def _histogram(report: Report) -> None:
    run = report.run
    if not run.histogram:
        return
    most = max(one.count for one in run.histogram)
    show.out.print(
        f"\n  [bold]answers at {run.requests_per_second:,.0f} requests/s[/], ms after they were due"
    )
    for one in run.histogram:
        span = f"{_ms(one.from_ms):>5} - {_ms(one.to_ms):<5}"
        colour = "red" if one.from_ms >= report.deadline_ms else "cyan"
        _bar_line(span, colour, one.count / most, one.count / run.due)
    never = run.refused + run.failed + run.unanswered
    if never:
        _bar_line("none", "red", min(1.0, never / most), never / run.due)


def _bar_line(span: str, colour: str, length: float, share: float) -> None:
    bar = show.bar(length, 40)
    show.out.print(f"  {span:>13} [{colour}]{bar:<40}[/] {share:7.2%}", highlight=False)


def _steps(report: Report) -> None:
    drawn = Table(box=None, header_style="bold dim", padding=(0, 1, 0, 0))
    drawn.add_column("")
    for name in _COLUMNS:
        drawn.add_column(name, justify="right")
    drawn.add_column("")
    for step in report.steps:
        drawn.add_row(
            _PHASES[step.phase], f"{step.players:,}", f"{step.requests_per_second:,.0f}",
            *(_ms(value) for value in (step.p50_ms, step.p99_ms, step.p999_ms)),
            f"{step.misses:.2%}", _ms(step.lag_ms), f"{step.crowded:.1%}", _mark(step),
        )  # fmt: skip
    show.out.print()
    show.out.print(drawn)
    show.out.print("  [dim]* p99 of how late requests left, in ms; time others had the cores[/]")


def _mark(step: Step) -> str:
    if step.holds:
        return "[green]✓[/]"
    return "[yellow]✗[/]" if step.load_late else "[red]✗[/]"


def _ms(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return f"{value:.2f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
