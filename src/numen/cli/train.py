"""`numen train`."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from numen.cli import jobs, show
from numen.cli.complete import datasets, families
from numen.core.errors import Cancelled, InvalidInput


def train(
    target: Annotated[
        str, typer.Argument(help="A recipe (.toml), a name for the model, or a file or folder of "
                                 "data, after which the model is named.")
    ],
    data: Annotated[
        str, typer.Option(help="Data set: a name, sample:mnist, a file or folder.",
                          autocompletion=datasets)
    ] = "",
    model: Annotated[
        str, typer.Option(help="Family (mlp, cnn, boosting, words, audio-cnn …) or your own "
                               "module:build; what is usual for the data if not given.",
                          autocompletion=families)
    ] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the recipe or the family.")
    ] = None,
    select: Annotated[
        int | None, typer.Option(help="Of a table: choose so many columns and learn from these.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from where it was interrupted.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background; see numen jobs.")
    ] = False,
    on: Annotated[
        str, typer.Option(help="Train on a Ray cluster: ray (RAY_ADDRESS, else a local one), or "
                               "ray://host:port.")
    ] = "",
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Train a model, check its export, measure it, and publish it."""
    from numen.api.plan import plan_of
    from numen.api.train import train as train_

    options = settings_of(set_) | ({} if select is None else {"select": select})
    recipe = Path(target) if target.endswith(".toml") else None
    name = "" if recipe else target
    if not (recipe or data or "data" in options):
        data, name = target, _named_after(Path(target))
        if not Path(target).exists():
            raise InvalidInput(
                f"data: {target} is no file or folder, and --data names none",
                hint="numen train NAME --data DATA",
                field="data",
            )
    if detach:
        if resume:
            raise InvalidInput("--detach starts anew", hint="numen jobs resume ID goes on")
        said = {**options, **({"data": data} if data else {}), **({"on": on} if on else {})}
        jobs.detach(plan_of(recipe, model, name, said), as_json)
        return
    bar = show.TrainingBar(show.err if as_json else show.out)
    try:
        with bar:
            trained = train_(
                data, model, recipe=recipe, name=name, progress=bar, resume=resume, on=on, **options
            )
    except KeyboardInterrupt:
        raise Cancelled("interrupted before the first epoch was done: nothing is kept") from None
    if trained.stopped == "interrupted":
        raise Cancelled(
            f"interrupted: the best model so far is kept ({_plain(trained.metrics)})",
            hint=None if on else "the same command with --resume goes on from there",
        )
    if as_json:
        show.print_json(as_plain(trained))
        return
    print_model(trained)


def as_plain(trained: Any) -> dict[str, Any]:
    """A trained model as plain data."""
    version = trained.version
    return {
        "name": version.name if version else None,
        "version": version.version if version else None,
        "digest": trained.bundle.digest,
        "metrics": trained.metrics,
        "parity": trained.manifest.parity,
        "stopped": trained.stopped,
        "bundle": str(trained.bundle.path),
    }


def print_model(trained: Any) -> None:
    """Says what was trained, how good it is, and where it lies."""
    show.out.print(f"[green]✓[/] {_metrics(trained.metrics)}")
    show.out.print(f"[green]✓[/] exported to ONNX, parity {trained.manifest.parity:.1e}")
    if trained.version:
        show.out.print(
            f"[green]✓[/] published [bold]{trained.version.name}@{trained.version.version}[/] "
            f"[dim]{trained.bundle.digest[:19]}[/]"
        )
        show.out.print(f"  [dim]{_next_step(trained.version)}[/]")
    else:
        show.out.print(f"  bundle: {trained.bundle.path}")


def _next_step(version: Any) -> str:
    """What a person would do now: serve it, or first say that it is the one to be served."""
    from numen.api.workspace import registry

    default = registry().model(version.name).default.version
    if default == version.version:
        return f"numen serve {version.name} answers, and shows a page"
    return (
        f"{version.name} still stands for {version.name}@{default}; "
        f"numen models promote {version.name}@{version.version} changes that"
    )


def settings_of(texts: list[str] | None) -> dict[str, Any]:
    """What was said with `--set`: values by name.

    Raises:
        InvalidInput: One is not key=value.
    """
    return dict(_setting(text) for text in texts or ())


def _named_after(data: Path) -> str:
    """A model's name from its data's, such as `my-data` from `My data.csv`."""
    stem = unicodedata.normalize("NFKD", data.resolve().name.partition(".")[0])
    plain = stem.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain)[:64].strip("-_") or "model"


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidInput(f"--set: expected key=value, received {text!r}", field="set")
    try:
        return key.removeprefix("params."), json.loads(value)
    except ValueError:
        return key.removeprefix("params."), value


def _plain(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def _metrics(metrics: Mapping[str, float]) -> str:
    return "  ".join(f"{name} [bold]{value:.4f}[/]" for name, value in metrics.items())
