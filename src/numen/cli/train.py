"""`numen train` and `numen evaluate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from numen.cli import show
from numen.cli.complete import datasets, families, references
from numen.core.errors import Cancelled, InvalidInput


def train(
    target: Annotated[str, typer.Argument(help="A recipe (.toml), or a name for the model.")],
    data: Annotated[
        str, typer.Option(help="Data set: a name, sample:mnist, a file or folder.",
                          autocompletion=datasets)
    ] = "",
    model: Annotated[
        str, typer.Option(help="Family (mlp, cnn, forest, boosting) or your own module:build.",
                          autocompletion=families)
    ] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of the recipe or the family.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from where it was interrupted.")] = False,
    on: Annotated[
        str, typer.Option(help="Train on a Ray cluster: ray (RAY_ADDRESS, else a local one), or "
                               "ray://host:port.")
    ] = "",
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Train a model, check its export, measure it, and publish it."""
    from numen.api.train import train as train_

    options = settings_of(set_)
    recipe = Path(target) if target.endswith(".toml") else None
    name = "" if recipe else target
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
    else:
        show.out.print(f"  bundle: {trained.bundle.path}")


def evaluate(
    model: Annotated[
        str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)
    ],
    data: Annotated[str, typer.Option(help="Data set.", autocompletion=datasets)],
    split: Annotated[str, typer.Option(help="Which rows of it.")] = "test",
    out: Annotated[Path | None, typer.Option(help="Folder for report.json and the plots.")] = None,
    as_json: show.Json = False,
) -> None:
    """Measure a model on labelled rows: accuracy, every class, confusion, calibration."""
    import msgspec

    from numen.api.train import open_data
    from numen.api.workspace import load
    from numen.train.evaluate import plots

    dataset = open_data(data)
    if split not in dataset.splits and split != "test":
        raise InvalidInput(
            f"split: expected one of {', '.join(dataset.splits)}, received {split!r}"
        )
    rows = dataset.test if split == "test" else dataset.splits[split]
    with show.err.status("measuring"):
        report = load(model).evaluate(rows)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report)))
        for name, picture in plots(report).items():
            (out / name).write_bytes(picture)
    if as_json:
        show.print_json(report)
        return
    show.out.print(f"[bold]{model}[/] on {dataset.name} ({split}, {report.rows:,} rows)")
    show.out.print(f"  {_metrics(report.metrics)}")
    if report.classes:
        show.table(
            ("class", "precision", "recall", "f1", "rows"),
            ((c.label, c.precision, c.recall, c.f1, c.support) for c in report.classes),
        )
    if out is not None:
        show.out.print(f"[green]✓[/] report and plots in {out}")


def settings_of(texts: list[str] | None) -> dict[str, Any]:
    """What was said with `--set`: values by name.

    Raises:
        InvalidInput: One is not key=value.
    """
    return dict(_setting(text) for text in texts or ())


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
