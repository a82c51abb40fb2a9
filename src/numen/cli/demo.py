"""`numen demo`."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="Stop after the journey.")] = False,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.", min=1)] = 5,
    port: Annotated[int | None, typer.Option(help="Port to serve on.")] = None,
) -> None:
    """From real MNIST to a model that answers over REST and GraphQL, in one command."""
    from numen.cli.journey import travel

    travel(epochs, port, stay=not exit_)
