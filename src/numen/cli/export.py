"""`numen export`: a model as files for a device, with its certificate."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from numen.cli import show
from numen.cli.complete import references


def _forms() -> list[str]:
    return ["onnx", "web"]


def export(
    model: Annotated[
        str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)
    ],
    to: Annotated[
        str, typer.Option(help="onnx: the model; web: with a page.", autocompletion=_forms)
    ] = "web",
    out: Annotated[
        str, typer.Option(help="Where to write; export/NAME-VERSION-TO by default.")
    ] = "",
    as_json: show.Json = False,
) -> None:
    """Write a model for a device, and prove that it answers there as here."""
    from dataclasses import asdict

    from numen.api.export import export as export_

    with show.err.status("exporting") as status:
        made = export_(model, to, out or None, lambda line: status.update(escape(line)))
    if as_json:
        show.print_json(
            {
                "model": made.model, "to": made.to, "folder": str(made.folder),
                "files": made.files, "holds": made.holds,
                "engines": [asdict(trial) for trial in made.trials],
            }
        )  # fmt: skip
        return
    total = show.size(sum(made.files.values()))
    show.out.print(
        f"[green]✓[/] {made.model} [dim]in[/] [bold]{escape(str(made.folder))}[/] {total}"
    )
    for trial in made.trials:
        if trial.difference is None:
            show.out.print(f"  [yellow]–[/] {trial.engine:9} not run: {escape(trial.reason)}")
            continue
        what = "recorded" if trial.engine == "server" else "the server"
        show.out.print(
            f"  [green]✓[/] {trial.engine:9} {trial.difference:.1e} from {what}, "
            f"{trial.rows} rows  [dim]{escape(trial.version)}[/]"
        )
    if not made.trials:
        show.out.print("  [yellow]–[/] no certificate: the model has no recorded samples")
