"""`numen serve`: published models behind one port."""

from __future__ import annotations

from typing import Annotated

import typer

from numen.cli import show
from numen.cli.complete import references


def serve(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="What to serve; all published models by default.",
                       autocompletion=references),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    grpc_port: Annotated[
        int | None, typer.Option(help="Port for gRPC; 0 takes a free one.")
    ] = None,
    insecure: Annotated[
        bool | None, typer.Option("--insecure", help="Serve other machines without any key.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.")] = None,
    origins: Annotated[
        str | None, typer.Option(help="Origins whose pages may call, with commas; * is all.")
    ] = None,
    traces: Annotated[
        str | None, typer.Option(help="URL of an OpenTelemetry collector to send traces to.")
    ] = None,
) -> None:  # fmt: skip
    """Serve published models: REST, TensorFlow Serving, GraphQL, gRPC, the console."""
    from numen.control.app import build
    from numen.core import observe, settings
    from numen.core.reference import Reference
    from numen.registry import Registry
    from numen.server import Server, Supervisor

    flags = {
        "host": host, "port": port, "grpc_port": grpc_port, "workers": workers,
        "insecure": insecure, "origins": origins,
        "log_level": log_level, "log_format": log_format, "traces": traces,
    }  # fmt: skip
    current, _ = settings.load(flags)
    observe.setup(current.log_level, current.log_format)
    references_ = [Reference.parse(text) for text in models or ()]

    def ready(address: str) -> None:
        if current.log_format == "json":  # a line for people among those for machines
            return
        show.err.print(
            f"[green]✓[/] serving at [bold]{address}[/]  "
            f"[dim]console {address}/  docs {address}/docs  Ctrl-C stops[/]",
            soft_wrap=True,  # an address that is broken in two cannot be clicked
        )

    if current.workers > 1:
        Supervisor(current, build, references_).run(ready)
    else:
        Server(current, Registry.of(current), build, references_).run(ready)
