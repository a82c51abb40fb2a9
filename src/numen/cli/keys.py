"""`numen keys …`: who may call a server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from numen.cli import show
from numen.cli.complete import key_ids, key_models
from numen.core.key import ACTIONS, EVERY, USUAL, Key

app = typer.Typer(no_args_is_help=True)
File = Annotated[
    Path | None, typer.Option(help="A file of keys, for a container; the catalog by default.")
]


def offer_actions(incomplete: str) -> list[str]:
    """What the Tab key offers as an action."""
    return [action for action in ACTIONS if action.startswith(incomplete)]


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    model: Annotated[
        list[str] | None,
        typer.Option(help="A model it goes for; all by default.", autocompletion=key_models),
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(
            help=f"What it may do: {', '.join(ACTIONS)}; by default {', '.join(USUAL)}.",
            autocompletion=offer_actions,
        ),
    ] = None,
    expires: Annotated[str | None, typer.Option(help="Such as 12h or 30d; else never.")] = None,
    max_concurrency: Annotated[
        int | None, typer.Option(help="Most predictions at once in one process.")
    ] = None,
    file: File = None,
    as_json: show.Json = False,
) -> None:  # fmt: skip
    """Make a key and show it, this once. Servers know it within a second."""
    key, secret = _kept(file).create(
        name, models=model or (EVERY,), actions=action or USUAL, expires=expires,
        max_concurrency=max_concurrency,
    )  # fmt: skip
    if as_json:
        show.print_json({**key.as_dict(time.time()), "key": secret})
        return
    show.out.print(f"[green]✓[/] key [bold]{key.id}[/] for {_scope(key)}", highlight=False)
    show.out.print(secret, highlight=False, soft_wrap=True)
    show.out.print("[dim]keep it: it is not stored and will not be shown again[/]")


@app.command("ls")
def ls(file: File = None, as_json: show.Json = False) -> None:
    """List all keys, revoked ones too. None shows its secret."""
    now = time.time()
    found = _kept(file).all()
    if as_json:
        show.print_json([key.as_dict(now) for key in found])
        return
    if not found:
        show.out.print("no keys yet; [bold]numen keys create NAME[/] makes one")
        return
    rows = [(key, key.as_dict(now)) for key in found]
    show.table(
        ("name", "id", "for", "at once", "created", "expires", "state"),
        (
            (
                key.name, key.id, _scope(key), str(key.max_concurrency or "any"), said["created"],
                said["expires"] or "never", said["state"],
            )
            for key, said in rows
        ),
    )  # fmt: skip


@app.command("revoke")
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Its id.", autocompletion=key_ids)],
    file: File = None,
    as_json: show.Json = False,
) -> None:
    """Take a key back. Servers refuse it within a second."""
    key = _kept(file).revoke(id_)
    if as_json:
        show.print_json(key.as_dict(time.time()))
    else:
        show.out.print(f"[green]✓[/] revoked {key.id}", highlight=False)


def _kept(file: Path | None) -> Any:
    """Where the keys are that are meant."""
    if file is not None:
        from numen.store.keyfile import KeyFile

        return KeyFile(file)
    from numen.api.workspace import registry

    return registry().keys


def _scope(key: Key) -> str:
    models = "all models" if EVERY in key.models else ", ".join(key.models)
    return f"{', '.join(key.actions)} of {models}"
