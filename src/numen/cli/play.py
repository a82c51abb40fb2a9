"""`numen play`: a game in the browser, on a model of one's own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from numen.cli import show
from numen.cli.complete import games
from numen.core.errors import NotFound

if TYPE_CHECKING:
    from numen.play import Game


def play(
    game: Annotated[str, typer.Argument(help="Which game.", autocompletion=games)],
    host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Play a game in the browser; its model is trained before the first time."""
    from numen.control.app import build
    from numen.core import observe, settings
    from numen.core.reference import Reference
    from numen.play import GAMES
    from numen.registry import Registry
    from numen.server import Server

    chosen = GAMES.get(game)
    if chosen is None:
        raise NotFound(f'there is no game "{game}"', hint=f"numen play {', '.join(GAMES)}")
    current, _ = settings.load({"host": host, "port": port, "grpc_port": 0})
    observe.setup("warning", current.log_format)
    registry = Registry.of(current)
    if chosen.model not in registry.names():
        _train(chosen)

    def ready(address: str) -> None:
        page = f"{address}/play/{game}/"
        show.out.print(
            f"[green]✓[/] {chosen.title} at [bold underline]{page}[/]  [dim]Ctrl-C stops[/]",
            soft_wrap=True,  # an address that is broken in two cannot be clicked
        )
        if open_:
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    Server(current, registry, build, [Reference.parse(chosen.model)]).run(ready)


def _train(game: Game) -> None:
    from numen.api.data import library
    from numen.api.train import train

    begin = time.perf_counter()
    show.out.print(f"[bold]{game.title}[/] needs a model first: this happens once")
    with show.err.status(f"looking through {game.source}"):
        added = library().add(game.data, [game.source])
    with show.TrainingBar() as bar:
        model = train(game.data, name=game.model, progress=bar, **game.recipe)
    if model.version is None:
        raise KeyboardInterrupt
    show.out.print(
        f"  {game.model}@{model.version.version}, learnt from {game.data}@{added.version.version}: "
        f"accuracy [bold]{model.metrics['accuracy']:.4f}[/] on digits it never saw, "
        f"{time.perf_counter() - begin:.0f} s"
    )
