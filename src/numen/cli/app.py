"""The commands and how they hang together."""

from __future__ import annotations

from typing import Annotated

import typer

import numen
from numen.cli import (
    bench,
    change,
    data,
    demo,
    deploy,
    doctor,
    explain,
    export,
    jobs,
    keys,
    label,
    models,
    overall,
    play,
    predict,
    quality,
    serve,
    train,
    tune,
)

app = typer.Typer(
    name="numen",
    help="From data to a model that a game can call.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(numen.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and leave.")
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("evaluate")(quality.evaluate)
app.command("importance")(overall.importance)
app.command("compress")(quality.compress)
app.command("publish")(models.publish)
app.command("serve")(serve.serve)
app.command("play")(play.play)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("export")(export.export)
app.command("change")(change.change)
app.command("bench")(bench.bench)
data.app.command("drift")(quality.drift)
data.app.command("label")(label.label)
data.app.command("pseudo-label")(label.pseudo_label)
app.add_typer(data.app, name="data", help="Data sets: add, list, look at.")
app.add_typer(
    deploy.app, name="deploy", help="Models as containers, on clusters: render, then apply."
)
app.add_typer(models.app, name="models", help="Published models, their versions and aliases.")
app.add_typer(jobs.app, name="jobs", help="Trainings in the background.")
app.add_typer(keys.app, name="keys", help="Keys: who may call a server.")
