"""The gRPC port: opened on a bound socket by the carrier that the settings name."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from numen.core.errors import InvalidInput, MissingExtra
from numen.core.observe import logger
from numen.core.settings import Settings
from numen.serve.service import Service
from numen.transport.rest_v2 import Repository

_log = logger(__name__)


class Carrier(Protocol):
    """What carries calls between callers and the Servicer."""

    async def close(self, grace: float) -> None:
        """Takes no new calls, gives those under way `grace` seconds, and ends."""


async def open_grpc(
    service: Service,
    repository: Repository | None,
    settings: Settings,
    listener: socket.socket,
) -> Port:
    """Serves gRPC.

    Args:
        service: The live models.
        repository: Who loads and unloads them.
        settings: numen's settings.
        listener: A bound socket, which is closed with the port.

    Raises:
        MissingExtra: The optional packages are not installed.
    """
    address = listener.getsockname()[:2]
    try:
        from numen.transport.grpc_service import Servicer

        servicer = Servicer(service, repository)
        carrier: Carrier
        if settings.grpc_carrier == "grpcio":
            from numen.transport.grpc_io import GrpcioCarrier

            carrier = await GrpcioCarrier.open(servicer, settings.max_body, listener)
        else:
            from numen.transport.grpc_fast import Door
            from numen.transport.http2_server import Http2Server

            carrier = await Http2Server.open(Door(servicer, settings.max_body), listener)
    except ModuleNotFoundError as error:
        listener.close()
        raise MissingExtra.of("gRPC", "grpc") from error
    return Port(servicer, carrier, address)


@asynccontextmanager
async def serving_grpc(
    service: Service,
    repository: Repository | None,
    settings: Settings,
    bind: Callable[[str, int], socket.socket],
) -> AsyncIterator[None]:
    """Serves gRPC inside the `with`, where it can be; see `open_grpc`.

    Without the optional packages, or where another server has the default port, it is off and
    the log says so.

    Args:
        service: The live models.
        repository: Who loads and unloads them.
        settings: numen's settings.
        bind: Binds a host and a port.

    Raises:
        InvalidInput: A port that was asked for is taken.
    """
    try:
        listener = bind(settings.host, settings.grpc_port)
        port = await open_grpc(service, repository, settings, listener)
    except (MissingExtra, InvalidInput) as error:
        if isinstance(error, InvalidInput) and settings.grpc_port != Settings().grpc_port:
            raise
        _log.warning("gRPC is off: %s", error)
        yield
        return
    _log.info("serving gRPC at %s:%d", *port.address)
    try:
        yield
    finally:
        await port.close()


class Port:
    """An open gRPC port.

    Attributes:
        address: Host and port.
    """

    def __init__(self, servicer: object, carrier: Carrier, address: tuple[str, int]):
        self.address = address
        self._servicer = servicer
        self._carrier = carrier

    async def close(self, grace: float = 10.0) -> None:
        """Takes no new calls, gives those under way `grace` seconds, and ends."""
        self._servicer.draining = True  # type: ignore[attr-defined]
        await self._carrier.close(grace)
