"""`numen tune`: a search for the best recipe, as a table that grows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from numen.cli import show
from numen.cli.complete import datasets, families
from numen.cli.train import as_plain, print_model, settings_of
from numen.core.errors import Cancelled

_SHOWN: Final = 15  # trials in the table while it grows
_MARKS: Final = {
    "complete": "[green]✓[/]", "pruned": "[yellow]✂[/]", "failed": "[red]✗[/]",
    "running": "[cyan]…[/]", "stopped": "[dim]‖[/]", "lost": "[red]☠[/]",
}  # fmt: skip


def tune(
    target: Annotated[str, typer.Argument(help="A recipe (.toml), or a name for the model.")],
    data: Annotated[
        str, typer.Option(help="Data set: a name, sample:mnist, a file or folder.",
                          autocompletion=datasets)
    ] = "",
    model: Annotated[
        str, typer.Option(help="Family, or your own module:build.", autocompletion=families)
    ] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the recipe or the family.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Trials in the study.")] = 20,
    timeout: Annotated[float | None, typer.Option(help="Seconds the search may take.")] = None,
    cost: Annotated[float | None, typer.Option(help="What all trials may cost.")] = None,
    price: Annotated[float | None, typer.Option(help="Price of an hour of training.")] = None,
    metric: Annotated[
        str, typer.Option(help="What trials are compared by, such as val_loss.")
    ] = "",
    pruner: Annotated[str, typer.Option(help="median, hyperband or none.")] = "median",
    study: Annotated[str, typer.Option(help="The study's name; the same goes on with it.")] = "",
    on: Annotated[
        str, typer.Option(help="Ray cluster: ray (RAY_ADDRESS, else a local one), or ray://…")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the plots, the trials and the best recipe.")
    ] = None,
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Search for the best recipe, train it in full, measure it, and publish it."""
    from numen.api.tune import tune as tune_

    recipe = Path(target) if target.endswith(".toml") else None
    display = _Display(trials, show.err if as_json else show.out)
    try:
        with display:
            found = tune_(
                data, model, recipe=recipe, name="" if recipe else target, trials=trials,
                timeout=timeout, cost=cost, price=price, metric=metric, pruner=pruner,
                study=study, on=on, watch=display, progress=display, **settings_of(set_),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise Cancelled(
            "interrupted: the trials that are done are kept",
            hint="the same command goes on from there",
        ) from None
    plain = _plain(found)
    if out is not None:
        _write(found, plain, out)
    if as_json:
        show.print_json(plain)
        return
    best = found.best
    values = ", ".join(f"{name} {show.number(value)}" for name, value in best.values.items())
    counts = ", ".join(f"{count} {state}" for state, count in plain["states"].items())
    show.out.print(f"[green]✓[/] study {found.study}: {counts}")
    if found.cost is not None:
        show.out.print(f"  it cost {found.cost:.4g}")
    show.out.print(
        f"  best: trial {best.number}, {found.metric} [bold]{best.value:.4f}[/] ({values})"
    )
    for name, share in found.importances.items():
        show.out.print(f"  {name:>18} {show.bar(share)} {share:.2f}", highlight=False)
    print_model(found.model)
    if out is not None:
        show.out.print(f"[green]✓[/] plots, trials and best.toml in {out}")


def _plain(found: Any) -> dict[str, Any]:
    states: dict[str, int] = {}
    for row in found.trials:
        states[row.state] = states.get(row.state, 0) + 1
    return {
        "study": found.study,
        "metric": found.metric,
        "states": states,
        "best": found.best,
        "trials": found.trials,
        "importances": found.importances,
        "cost": found.cost,
        "carried": found.carried,
        "model": as_plain(found.model),
    }


def _write(found: Any, plain: dict[str, Any], out: Path) -> None:
    import msgspec

    from numen.train.recipe import to_toml

    out.mkdir(parents=True, exist_ok=True)
    for form in ("png", "svg"):
        for name, picture in found.charts(form).items():
            (out / name).write_bytes(picture)
    (out / "trials.json").write_bytes(msgspec.json.format(msgspec.json.encode(plain)))
    (out / "best.toml").write_text(to_toml(found.recipe), encoding="utf-8")


class _Display(show.TrainingBar):
    """The table of trials while there are any, then the bar of the last training."""

    def __init__(self, trials: int, console: Console):
        super().__init__(console)
        self._rows: dict[int, Any] = {}
        self._wanted = trials
        self._begun = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._table, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> _Display:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        super().__exit__(kind, error, trace)

    def trial(self, row: Any) -> None:
        """A trial began, did an epoch, or ended."""
        self._rows[row.number] = row
        if row.state != "running" and not self._console.is_terminal:
            self._console.print(_line(row), highlight=False, soft_wrap=True)

    def begin(self, epochs: int, steps: int) -> None:
        """The search is over: the best recipe is trained in full."""
        if self._live.is_started:
            self._live.stop()
            self._console.print(self._table())
            super().__enter__()
        super().begin(epochs, steps)

    def _table(self) -> Group:
        rows = list(self._rows.values())
        shown = rows[-_SHOWN:]
        names = list(rows[-1].values) if rows else []
        nodes = any(row.where for row in rows)
        table = Table(box=None, header_style="bold dim")
        for name in ("trial", "", "value", "epoch", *names, "s", *(["node"] if nodes else [])):
            table.add_column(name, justify="right")
        for row in shown:
            value = "" if row.value is None else show.number(row.value)
            tried = (show.number(row.values.get(name, "")) for name in names)
            node = [row.where] if nodes else []
            cells = [str(row.number), _MARKS[row.state], value, str(row.epochs), *tried]
            cells += [f"{row.seconds:.1f}", *node]
            table.add_row(*cells, style="dim" if row.state in ("pruned", "lost", "stopped") else "")
        done = sum(row.state in ("complete", "pruned", "failed") for row in rows)
        took = time.monotonic() - self._begun
        return Group(table, Text(f"  {done}/{self._wanted} trials, {took:.0f} s", style="dim"))


def _line(row: Any) -> str:
    value = "" if row.value is None else f" {row.value:.4f}"
    values: Mapping[str, Any] = row.values
    said = " ".join(f"{name}={show.number(given)}" for name, given in values.items())
    error = f"  {escape(row.error)}" if row.error else ""
    return f"  trial {row.number:>3} {row.state:<8}{value}  {said}{error}"
