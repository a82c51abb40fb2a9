"""One serving process: a port, an app, and the models behind them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from numen.core.errors import InvalidInput, MissingExtra
from numen.core.loop import loop_factory
from numen.core.observe import logger
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Registry
from numen.serve.admission import Admission
from numen.serve.service import Service
from numen.server.board import Alone, Board, Folder, Life
from numen.server.keeper import Keeper
from numen.server.pulse import Pulse
from numen.server.resting import Resting, half_the_memory
from numen.store.keys import follow
from numen.transport.fast import protocol_for
from numen.transport.grpc_port import serving_grpc

if TYPE_CHECKING:
    from numen.server.traces import Traces

_log = logger(__name__)
MakeApp = Callable[[Service, Registry, Settings, Keeper], Any]
# Seconds between signs of life, and between counts written down unasked.
_LIFE: Final = 0.25
_COUNTS: Final = 1.0
# Most calls that wait for a disk, a database or a store at once.
_THREADS: Final = 64
# Longest that a model's last run is waited for at the end, in seconds.
_FINISH: Final = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """A process's place among those that serve together.

    Attributes:
        folder: Where they write what they know of one another.
        number: Which of them it is, from 1.
        workers: How many they are.
        first: Whether it starts with all others; who comes later takes models as they are.
    """

    folder: Path
    number: int
    workers: int
    first: bool = True


class Server:
    """A port, an app, and the models behind them.

    Args:
        settings: numen's settings.
        registry: What is published.
        make_app: Builds the ASGI app for the slow doors.
        references: What to serve; see `Keeper`.
        place: Its place among several; None serves alone.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        make_app: MakeApp,
        references: Sequence[Reference] = (),
        place: Place | None = None,
    ):
        self._settings = settings
        self._registry = registry
        self._make_app = make_app
        self._references = references
        self._place = place
        self._server: _Server | None = None
        self.address = ""

    def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serves until SIGINT or SIGTERM, then drains; exits with status 0 after a SIGTERM.

        Args:
            on_ready: Called with the address once every model is warm and the port is open.

        Raises:
            InvalidInput: The port is taken, or other machines reach it and there is no key.
            NotFound: A model to be served is not published.
        """
        _allow_connections()
        with contextlib.ExitStack() as held, asyncio.Runner(loop_factory=loop_factory()) as runner:
            if runner.run(self._until_sigterm(on_ready, held)):
                raise SystemExit(0)

    async def _until_sigterm(
        self, on_ready: Callable[[str], None] | None, held: contextlib.ExitStack
    ) -> bool:
        """As `serve`; true after a SIGTERM, which is handled until what is held is let go.

        Until uvicorn takes the signal, what begins is cancelled where it waits: a handler that
        raised would do so in the midst of anything, be it a query or the loop's own work.
        """
        if threading.current_thread() is not threading.main_thread():
            await self.serve(on_ready)
            return False
        told = False
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(_signal: int, _frame: object) -> None:
            nonlocal told
            told = True
            # uvicorn drains, then raises the signal again: what is left to do is then done.
            if not task.done() and not (self._server and self._server.should_exit):
                loop.call_soon_threadsafe(task.cancel)

        held.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, end))
        try:
            await self.serve(on_ready)
        except asyncio.CancelledError:
            if not told:
                raise
        return told

    async def serve(self, on_ready: Callable[[str], None] | None = None) -> None:
        """As `run`, inside a running loop."""
        settings = self._settings
        # Enough for those who wait for a store that hangs not to hold up who opens a model.
        slow = ThreadPoolExecutor(_THREADS, "numen-slow")
        asyncio.get_running_loop().set_default_executor(slow)
        service = Service(max_rows=settings.max_batch, max_queue=settings.max_queue)
        pulse = Pulse(service)
        tracing: Traces | None = None
        listener = bind(settings.host, settings.port, shared=self._place is not None)
        self.address = address_of(listener)
        try:
            keys = self._registry.keys
            host = listener.getsockname()[0]
            service.admission = Admission.at(host, keys.all(), insecure=settings.insecure)
            keeper, routine = self._join(service, pulse)
            service.tracing = tracing = _tracing(settings, self._place)
            admitting = follow(keys, service.admission.replace, settings.poll)
            async with _alongside(*routine, admitting):
                first = self._place is None or self._place.first
                await keeper.update(strict=first and bool(self._references))
                await pulse.ask_next()
                config = uvicorn.Config(
                    self._make_app(service, self._registry, settings, keeper),
                    http=protocol_for(service, settings.max_body, settings.allowed_origins),
                    ws="websockets-sansio",  # for the app's own; `/ws/` is not the app's
                    lifespan="auto",  # what the app does beside answering
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=10,
                )
                self._server = server = _Server(config, service, settings.drain)
                # Not before there is something to answer with: who is early is refused, not kept.
                # Doors on other ports open here as well.
                with _explain(settings.host, settings.port):
                    listener.listen(config.backlog)
                announcing = _when_started(server, self.address, on_ready)
                beside = _alongside(keeper.follow(), pulse.beat(), announcing)
                share = partial(bind, shared=self._place is not None)
                async with beside, serving_grpc(service, keeper, settings, share):
                    await server.serve(sockets=[listener])
        finally:
            listener.close()
            await _finish(service)
            if tracing is not None:
                await asyncio.to_thread(tracing.close)

    def _join(
        self, service: Service, pulse: Pulse
    ) -> tuple[Keeper, list[Coroutine[Any, Any, None]]]:
        """The keeper, and what is done beside serving, alone or together with others."""
        settings, place = self._settings, self._place
        workers = place.workers if place else 1
        budget = (settings.memory_budget or half_the_memory()) // workers
        resting = Resting(service, settings.idle_unload, budget)
        if place is None:
            service.fleet = Alone(service, pulse)
            keeper = Keeper(service, self._registry, settings, self._references)
            return keeper, [resting.watch()]
        board = Board(service, pulse, Folder(place.folder, place.workers), place.number)
        service.fleet = board
        keeper = Keeper(
            service, self._registry, settings, self._references,
            desk=board.desk, followed=board.followed,
        )  # fmt: skip
        return keeper, [resting.watch(), _live(board, pulse, keeper)]


def _tracing(settings: Settings, place: Place | None) -> Traces | None:
    if not settings.traces:
        return None
    try:
        from numen.server.traces import Traces
    except ModuleNotFoundError as error:
        raise MissingExtra.of("--traces", "otel") from error
    return Traces(settings.traces, settings.trace_share, place.number if place else 0)


class _Server(uvicorn.Server):
    """uvicorn's server, which says that it leaves some time before it does."""

    def __init__(self, config: uvicorn.Config, service: Service, drain: float):
        super().__init__(config)
        self._service = service
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends, once nobody is likely to come any more and all answers are given."""
        self._service.leaving = True
        end = time.monotonic() + self._drain
        while time.monotonic() < end and not self.force_exit:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)


async def _finish(service: Service) -> None:
    """Closes all models, and waits for what still runs on a thread though nobody waits for it."""
    endpoints = service.endpoints()
    service.close()
    end = time.monotonic() + _FINISH
    while time.monotonic() < end and not all(endpoint.batcher.idle for endpoint in endpoints):
        await asyncio.sleep(0.01)


async def _live(board: Board, pulse: Pulse, keeper: Keeper) -> None:
    """Gives signs of life, and writes down what was counted, the last time at the end."""
    counted = 0.0
    try:
        while True:
            now = time.monotonic()
            life = Life(
                os.getpid(), now, pulse.golden, pulse.trouble(), keeper.revision,
                keeper.orders.revision,
            )  # fmt: skip
            board.show(life)
            if now - counted >= _COUNTS:
                board.count()
                counted = now
            await asyncio.sleep(_LIFE)
    finally:
        board.count()


@contextlib.asynccontextmanager
async def _alongside(*routines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs routines until the block is left."""
    tasks = [asyncio.create_task(routine) for routine in routines]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, asyncio.CancelledError):
                _log.error("a routine failed", exc_info=error)


async def _when_started(
    server: uvicorn.Server, address: str, on_ready: Callable[[str], None] | None
) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    # What is loaded by now stays; looking through it again and again would cost a fifth of the
    # requests. The threshold lets most requests' objects die before anybody looks.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    _log.info("serving at %s", address)
    if on_ready is not None:
        on_ready(address)


def _allow_connections() -> None:
    """Each connection is an open file, and the usual limit is 1,024; raises it where it may."""
    try:
        import resource
    except ModuleNotFoundError:  # not made for Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that holds a port, and does not listen yet.

    Args:
        host: The address.
        port: The port; 0 takes a free one.
        shared: Whether others of this user may hold it as well, as `hold` allows.

    Raises:
        InvalidInput: It is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        with _explain(host, port):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


def hold(host: str, port: int) -> socket.socket:
    """A socket that keeps a port for others of this user to share, and never listens.

    Raises:
        InvalidInput: It is taken, even by somebody who shares it.
    """
    holder = bind(host, port)
    # It was bound as one that does not share, so it is the only one; from now on it shares, but
    # only with those who say so too.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return holder


def address_of(listener: socket.socket) -> str:
    """The URL of a server behind a socket."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@contextlib.contextmanager
def _explain(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="choose another with --port or --grpc-port, or 0 for any that is free",
            field="port",
        ) from error
