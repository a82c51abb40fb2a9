"""`numen importance`: what a model goes by on the whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from numen.cli import show
from numen.cli.complete import datasets
from numen.cli.quality import Ref, check_split

if TYPE_CHECKING:
    from numen.api.model import Model
    from numen.data.split import Split
    from numen.explain.overall import Dependence, Overall

_SHOWN = 30  # columns at a terminal; --json and the page have all


def importance(
    model: Ref,
    data: Annotated[str, typer.Option(help="Data set.", autocompletion=datasets)],
    split: Annotated[str, typer.Option(help="Which rows of it.")] = "test",
    along: Annotated[
        list[str] | None,
        typer.Option(help="A column along whose values the model's answer is told as well."),
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often a column is shuffled.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Of the shuffles.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Write a page (HTML).")] = None,
    as_json: show.Json = False,
) -> None:
    """Say what each column of a table is worth to a model, on rows it has not seen."""
    from numen.api.data import open_data
    from numen.api.workspace import load
    from numen.explain.overall import page

    dataset = open_data(data)
    check_split(dataset, split)
    with show.err.status("shuffling columns") as status:
        loaded = load(model)
        rows = loaded.seeing(dataset).splits[split]
        curves = [loaded.dependence(rows, name, seed=seed) for name in along or ()]
        found = loaded.importance(
            rows, repeats=repeats, seed=seed,
            told=lambda place, name: status.update(f"shuffling {escape(name)} ({place + 1})"),
        )  # fmt: skip
        if out is not None:
            title = f"{model} on {dataset.name} ({split})"
            drawn = curves or _first(loaded, rows, found, page.CURVES)
            out.write_text(page.html(title, found, drawn), encoding="utf-8")
    if as_json:
        show.print_json({"importance": found, "along": curves})
        return
    _tell(found)
    for curve in curves:
        _tell_curve(curve)
    if out is not None:
        show.out.print(f"[green]✓[/] {out}")


def _first(model: Model, rows: Split, found: Overall, count: int) -> list[Dependence]:
    """The curves of the columns that are worth most; texts have none."""
    texts = {column.name for column in getattr(model.manifest.preprocess, "columns", ())
             if column.words}  # fmt: skip
    names = [each.column for each in found.columns if each.counts and each.column not in texts]
    return [model.dependence(rows, name) for name in names[:count]]


def _tell(found: Overall) -> None:
    most = max((each.loss.mean for each in found.columns), default=0) or 1
    show.table(
        ("column", "", "loss grows", "95 % from", "to", "error grows"),
        (
            (e.column, show.bar(e.loss.mean / most, 12), e.loss.mean, e.loss.low, e.loss.high,
             e.error.mean)
            for e in found.columns[:_SHOWN]
        ),
    )  # fmt: skip
    if len(found.columns) > _SHOWN:
        show.out.print(f"[dim]… {len(found.columns) - _SHOWN} more columns; --json has all[/]")
    show.out.print(
        f"{found.rows:,} rows: loss [bold]{found.loss:.4f}[/], error [bold]{found.error:.4f}[/] "
        "with all columns as they are"
    )
    show.out.print(f"[dim]{found.method}[/]")


def _tell_curve(curve: Dependence) -> None:
    show.out.print(f"[bold]along {escape(curve.column)}[/]: the mean of {curve.rows:,} rows")
    show.table(
        (curve.column, *curve.outputs),
        ((show.number(value), *mean) for value, mean in zip(curve.values, curve.mean, strict=True)),
    )
