"""Listens for HTTP/2 connections, ends those where nobody is left, and lets the rest finish."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Final

from numen.transport.http2 import Connection
from numen.transport.http2_out import Handler, Home

_LOOK: Final = 5.0  # seconds between looks at silent connections
_BACKLOG: Final = 2048


class Http2Server:
    """All connections of one port; see `open`."""

    def __init__(self, server: asyncio.Server, home: Home):
        self._server = server
        self._home = home
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def open(cls, handler: Handler, listener: socket.socket) -> Http2Server:
        """Listens on a bound socket.

        Args:
            handler: Who serves the requests.
            listener: The socket; it is closed with the server.
        """
        home = Home()
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(handler, home), sock=listener, backlog=_BACKLOG
        )
        return cls(server, home)

    async def close(self, grace: float) -> None:
        """Takes no new connections, gives those there are `grace` seconds, and ends."""
        self._server.close()
        for connection in list(self._home.connections):
            connection.leave()
        end = time.monotonic() + grace
        while self._home.connections and time.monotonic() < end:
            await asyncio.sleep(0.02)
        for connection in list(self._home.connections):
            connection.abort()
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            now = time.monotonic()
            for connection in list(self._home.connections):
                connection.look(now)
