"""How the command line looks: tables, JSON, errors, a progress bar of training."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from numen.core.errors import NumenError
from numen.core.key import redact

out = Console()
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def fail(error: NumenError) -> None:
    """Prints an error and what to do about it; a key that was typed in a wrong place is not."""
    if "--json" in sys.argv:
        err.file.write(redact(msgspec.json.encode(error.as_dict()).decode()) + "\n")
        return
    message = escape(redact(error.message))
    err.print(f"[bold red]error[/] {message}", highlight=False, soft_wrap=True)
    if error.hint:
        err.print(f"[dim]hint[/]  {escape(error.hint)}", highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Prints plain data as one JSON document."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], title: str = "") -> None:
    """Prints a table; numbers stand to the right."""
    cells = [list(row) for row in rows]
    drawn = Table(title=title or None, title_justify="left", box=None, header_style="bold dim")
    for place, name in enumerate(columns):
        numeric = all(isinstance(row[place], int | float) for row in cells) and bool(cells)
        drawn.add_column(name, justify="right" if numeric else "left")
    for row in cells:
        drawn.add_row(*(escape(number(cell)) for cell in row))
    out.print(drawn)


def number(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e6 else f"{value:.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def size(count: int) -> str:
    """A number of bytes as people read it."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def bar(part: float, width: int = 24) -> str:
    """A horizontal bar of `part` (0-1) of `width` characters."""
    eighths = round(max(0.0, min(1.0, part)) * width * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


class TrainingBar:
    """Draws training: a bar an epoch with live metrics, a line for each epoch that is done."""

    def __init__(self, console: Console = out):
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=None, metrics="")
        self._epochs = 0
        self._steps = 0
        self._done = 0

    def __enter__(self) -> TrainingBar:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, epochs: int, steps: int) -> None:
        """Training starts."""
        self._epochs, self._steps = epochs, steps
        self._next_epoch()

    def step(self, metrics: Mapping[str, float]) -> None:
        """One step is done."""
        done = int(metrics.get("step", 0)) or None
        shown = {name: value for name, value in metrics.items() if name != "step"}
        self._bar.update(self._task, metrics=_metrics(shown), completed=done)
        if done is None:
            self._bar.advance(self._task)

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """An epoch is done."""
        self._done = number
        # Rounds of boosting are many; each epoch of a network is worth a line that tells something.
        if metrics and (self._epochs <= 30 or number % max(1, self._epochs // 10) == 0):
            self._console.print(f"  epoch {number:>3}/{self._epochs}  {_metrics(metrics)}")
        self._next_epoch()

    def note(self, message: str) -> None:
        """Something to know."""
        self._console.print(Padding(f"[dim]{escape(message)}[/]", (0, 0, 0, 2), expand=False))

    def _next_epoch(self) -> None:
        if self._steps > 1:
            name = f"epoch {min(self._done + 1, self._epochs)}/{self._epochs}"
            self._bar.update(self._task, description=name, total=self._steps, completed=0)
        else:
            self._bar.update(
                self._task, description="training", total=self._epochs, completed=self._done
            )


def _metrics(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"[cyan]{name}[/] {value:.4f}" for name, value in metrics.items())
