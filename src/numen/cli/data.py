"""`numen data …`: add data sets, list them, look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numen.cli import show
from numen.cli.complete import datasets
from numen.core.errors import InvalidInput

app = typer.Typer(no_args_is_help=True)


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call the data set.")],
    sources: Annotated[
        list[str],
        typer.Argument(help="Files or a folder: IDX, CSV, Parquet, JSONL, class folders of "
                            "images or sounds, an archive of them; or sample:mnist."),
    ],
    target: Annotated[
        str, typer.Option(help="The column to learn; found by its name if not given.")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help="NAME=number, category, date, text or ignore, where its looks deceive."),
    ] = None,
    group: Annotated[
        str, typer.Option(help="A column no value of which may stand in two splits.")
    ] = "",
    order: Annotated[str, typer.Option(help="A column of times: the latest rows test.")] = "",
    window: Annotated[int, typer.Option(help="Rows of a group that make one input.")] = 0,
    separator: Annotated[str, typer.Option(help="What stands between a row's labels.")] = "",
    centre: Annotated[
        bool | None,
        typer.Option(help="Pictures are drawings: crop each to its ink and centre it, as MNIST's."),
    ] = None,
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Add a data set, or its next version, and print what is in it."""
    from numen.api.data import library
    from numen.data import reading as readings
    from numen.data.picture import render

    columns = dict(_column(text) for text in column or ())
    reading = readings.make(
        {
            "target": target,
            "columns": columns,
            "group": group,
            "order": order,
            "window": window,
            "separator": separator,
            "centre": centre,
        }
    )
    with show.err.status(f"reading {', '.join(sources)}"):
        added = library().add(name, sources, reading)
    version = added.version
    if as_json:
        show.print_json(
            {
                "name": version.name, "version": version.version, "digest": version.digest,
                "new": added.new, "profile": added.profile,
            }
        )  # fmt: skip
        return
    show.out.print(render(added.profile, f"{name}@{added.version.version}"))
    what = "added" if added.new else "unchanged:"
    shown = f"[bold]{version.name}@{version.version}[/]"
    show.out.print(f"[green]✓[/] {what} {shown} [dim]{version.digest[:19]}[/]")


@app.command("ls")
def ls(as_json: show.Json = False) -> None:
    """List data sets."""
    from numen.api.data import library

    found = library().ls()
    if as_json:
        show.print_json(found)
        return
    if not found:
        show.out.print("no data sets yet; [bold]numen data add digits sample:mnist[/] adds one")
        return
    show.table(
        ("data set", "version", "digest", "source", "added"),
        ((v.name, str(v.version), v.digest[:19], v.source, v.created) for v in found),
    )


@app.command("show")
def show_(
    name: Annotated[str, typer.Argument(help="name or name@2.", autocompletion=datasets)],
    as_json: show.Json = False,
) -> None:
    """Show a data set's schema, counts, balance, and what looks wrong."""
    from numen.api.data import library
    from numen.data.picture import render

    profile = library().profile(name)
    if as_json:
        show.print_json(profile)
        return
    show.out.print(render(profile, name))


@app.command("sample")
def sample(
    name: Annotated[str, typer.Argument(help="A data set.", autocompletion=datasets)],
    rows: Annotated[int, typer.Option(help="How many.", min=1, max=100)] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Write a PNG: a sheet of samples, or with --label one.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="With --out: one test picture of it.")] = None,
    as_json: show.Json = False,
) -> None:
    """Look at some rows: in the terminal, or as a picture."""
    from numen.api.data import open_data
    from numen.data.picture import contact_sheet, of_class, render_samples

    dataset = open_data(name)
    if label is not None:
        if out is None:
            raise InvalidInput("--label: expected a file to write, with --out", field="out")
        of_class(dataset, label).save(out)
        show.out.print(f"[green]✓[/] {out}")
    elif out is not None:
        if "image" not in next(iter(dataset.test.batches(1))).inputs:
            raise InvalidInput(f"{name}: expected pictures to draw, it has none")
        contact_sheet(dataset, rows=rows).save(out)
        show.out.print(f"[green]✓[/] {out}")
    elif as_json:
        batch = next(iter(dataset.train.batches(rows)))
        (inputs,) = batch.inputs.values()
        show.print_json({"inputs": inputs.tolist(), "target": batch.target.tolist()})
    else:
        show.out.print(render_samples(dataset, rows))


def _column(text: str) -> tuple[str, str]:
    name, equals, kind = text.rpartition("=")
    if not equals or not name:
        raise InvalidInput(f"--column: expected NAME=KIND, received {text!r}", field="column")
    return name, kind
