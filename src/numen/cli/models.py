"""`numen models …` and `numen publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from numen.cli import show
from numen.cli.complete import references
from numen.core.errors import InvalidInput
from numen.core.reference import DEFAULT_ALIAS

app = typer.Typer(no_args_is_help=True)
Ref = Annotated[str, typer.Argument(help="name, name@3 or name@alias.", autocompletion=references)]
Name = Annotated[str, typer.Argument(help="The model.", autocompletion=references)]
Alias = Annotated[str, typer.Argument(help="The alias.")]


@app.command("ls")
def ls(as_json: show.Json = False) -> None:
    """List published models."""
    from numen.api.workspace import models

    found = models()
    if as_json:
        show.print_json(
            [{"name": m.name, "versions": m.versions, "aliases": m.aliases} for m in found]
        )
        return
    if not found:
        show.out.print("no models yet; [bold]numen demo[/] trains and serves one")
        return
    show.table(
        ("model", "version", "aliases", "size", "published"),
        (
            (
                model.name, str(model.default.version),
                ", ".join(f"{alias}→{number}" for alias, number in model.aliases.items()),
                show.size(model.default.size), model.default.created,
            )
            for model in found
        ),
    )  # fmt: skip


@app.command("show")
def show_(reference: Ref, as_json: show.Json = False) -> None:
    """Show a model's card, signature and versions."""
    from numen.api.workspace import load, registry
    from numen.control.models import describe

    model = load(reference)
    assert model.version is not None
    published = registry().model(model.version.name)
    if as_json:
        show.print_json(describe(published, model.version, model.bundle))
        return
    manifest = model.manifest
    show.out.print(f"[bold]{model.version.name}@{model.version.version}[/]  {manifest.framework}")
    show.table(
        ("", ""),
        [
            ("family", manifest.family), ("data", f"{manifest.dataset} {manifest.data[:19]}"),
            ("digest", model.bundle.digest), ("size", show.size(model.version.size)),
            ("published", model.version.created),
            *((f"in  {spec.name}", str(spec)) for spec in manifest.signature.inputs),
            *((f"out {spec.name}", str(spec)) for spec in manifest.signature.outputs),
            *((name, show.number(value)) for name, value in manifest.metrics.items()),
            ("parity", "" if manifest.parity is None else f"{manifest.parity:.1e}"),
        ],
    )  # fmt: skip
    show.table(
        ("version", "digest", "published", "aliases"),
        (
            (
                str(v.version), v.digest[:19], v.created,
                ", ".join(a for a, n in published.aliases.items() if n == v.version),
            )
            for v in published.versions
        ),
    )  # fmt: skip


@app.command("diff")
def diff(left: Ref, right: Ref, as_json: show.Json = False) -> None:
    """Say what two versions have different."""
    from numen.api.workspace import registry

    found = registry().diff(left, right)
    if as_json:
        show.print_json({key: {"left": a, "right": b} for key, (a, b) in found.items()})
        return
    rows = ((key, show.number(a), show.number(b)) for key, (a, b) in found.items())
    show.table(("", left, right), rows)


@app.command("promote")
def promote(reference: Ref, alias: Alias = DEFAULT_ALIAS, as_json: show.Json = False) -> None:
    """Make an alias stand for a version. Running servers follow within a second."""
    from numen.api.workspace import promote as promote_

    version = promote_(reference, alias)
    _moved(version.name, alias, version.version, as_json)


@app.command("rollback")
def rollback(name: Name, alias: Alias = DEFAULT_ALIAS, as_json: show.Json = False) -> None:
    """Undo an alias's last move."""
    from numen.api.workspace import rollback as rollback_

    version = rollback_(name, alias)
    _moved(name, alias, version.version, as_json)


def _moved(name: str, alias: str, version: int, as_json: bool) -> None:
    if as_json:
        show.print_json({"name": name, "alias": alias, "version": version})
    else:
        show.out.print(f"[green]✓[/] {name}@{alias} is now version [bold]{version}[/]")


@app.command("rm")
def rm(reference: Ref, as_json: show.Json = False) -> None:
    """Remove a version that no alias stands for."""
    from numen.api.workspace import registry

    if "@" not in reference:
        raise InvalidInput(
            f"rm: expected {reference}@VERSION", hint=f"numen models show {reference}"
        )
    version = registry().remove(reference)
    if as_json:
        show.print_json({"name": version.name, "removed": version.version})
    else:
        show.out.print(f"[green]✓[/] removed {version.name}@{version.version}")


def publish(
    path: Annotated[Path, typer.Argument(help="An ONNX or .keras file, or a bundle.")],
    name: Annotated[str, typer.Option(help="The model's name.", autocompletion=references)],
    sample: Annotated[
        Path | None, typer.Option(help="A few inputs as .npy, to record and check.")
    ] = None,
    labels: Annotated[str, typer.Option(help="Comma-separated labels of the output.")] = "",
    alias: Annotated[str, typer.Option(help="Alias to move to the new version.")] = "",
    licence: Annotated[str, typer.Option(help="SPDX name of the model's licence.")] = "",
    variant: Annotated[
        list[str] | None,
        typer.Option(help="NAME=FILE: a faster way to answer when time is short (ONNX, or a "
                          "table as .npz). May be repeated."),
    ] = None,
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Publish a model file as the next version of a name."""
    import numpy as np

    from numen.api.publish import publish as publish_

    array = None
    if sample is not None:
        try:
            array = np.load(sample, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InvalidInput(f"sample: cannot read {sample}: {error}", field="sample") from error
    variants = {}
    for text in variant or ():
        key, equals, file = text.partition("=")
        if not (key and equals and file):
            raise InvalidInput(f"variant: expected NAME=FILE, received {text}", field="variant")
        variants[key] = file
    model = publish_(
        path, name, sample=array, labels=labels.split(",") if labels else None,
        alias=alias or None, licence=licence, variants=variants,
    )  # fmt: skip
    assert model.version is not None
    if as_json:
        show.print_json(
            {"name": name, "version": model.version.version, "digest": model.bundle.digest}
        )
    else:
        show.out.print(f"[green]✓[/] published [bold]{name}@{model.version.version}[/]")
