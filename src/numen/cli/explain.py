"""`numen explain`: why a model answers so, drawn in the terminal or into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numen.cli import show
from numen.cli.complete import references
from numen.cli.predict import Input, given


def explain(
    model: Annotated[
        str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)
    ],
    input_: Input,
    method: Annotated[str, typer.Option(help="Another way than the usual.")] = "",
    target: Annotated[str, typer.Option(help="The label to ask about; else the likeliest.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write a PNG there.")] = None,
    top: Annotated[int, typer.Option(help="How many columns to show.", min=1)] = 12,
    as_json: show.Json = False,
) -> None:
    """Explain one input's answer."""
    from numen.api.workspace import load
    from numen.cli.attribution import drawn

    loaded = load(model)
    found = loaded.explain(given(input_, loaded.manifest), method or None, target or None)
    if out is not None:
        found.save(out)
    if as_json:
        rows = [found.as_dict(row) for row in range(len(found))]
        show.print_json(rows[0] if len(rows) == 1 else rows)
        return
    for row in range(len(found)):
        show.out.print(f"  [bold]{found.answer(row)}[/]  [dim]{found.method}[/]", highlight=False)
        show.out.print(drawn(found, row, top), highlight=False)
    if out is not None:
        show.out.print(f"[green]✓[/] {out}", highlight=False)
