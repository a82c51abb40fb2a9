"""One serving process: what the registry says becomes live, and stays so while aliases move.

It is handed the app; it does not know what the app's slow doors do.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

from numen.core.errors import Conflict, InvalidInput, NotFound
from numen.core.observe import logger
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.registry import Model, Registry
from numen.serve.admission import Admission
from numen.serve.opening import Opened, open_model
from numen.serve.service import Listed, Service, Table
from numen.store.catalog import ModelVersion
from numen.transport.fast import protocol_for
from numen.transport.grpc_port import serving_grpc

_log = logger(__name__)
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What shall be live, as the catalog has it at one moment."""

    versions: dict[Key, ModelVersion]
    aliases: dict[str, dict[str, str]]
    defaults: dict[str, str]


class Keeper:
    """Keeps the Service at what the registry says: opens, warms, and swaps.

    Args:
        service: What is live.
        registry: What is published.
        settings: numen's settings.
        references: What to serve; empty is every model's default and all aliased versions.
    """

    def __init__(
        self,
        service: Service,
        registry: Registry,
        settings: Settings,
        references: Sequence[Reference] = (),
    ):
        self._service = service
        self._registry = registry
        self._settings = settings
        self._references = tuple(references)
        self._unloaded: set[str] = set()
        self._loaded: set[str] = set()
        self._live: dict[Key, Listed] = {}
        self._broken: dict[Key, str] = {}
        self._away: set[Key] = set()
        self._revision: int | None = None
        self._started = False
        self._turn = asyncio.Lock()

    async def follow(self) -> None:
        """Watches the catalog for ever. A catalog that is away leaves what is live as it is."""
        away = False
        while True:
            await asyncio.sleep(self._settings.poll)
            try:
                revision = await asyncio.to_thread(self._registry.catalog.revision)
                if revision != self._revision:
                    await self.update()
                away = False
            except Exception as error:
                if not away:
                    _log.warning("the catalog is away; serving what is loaded", exc_info=error)
                away = True

    async def update(self, *, strict: bool = False) -> None:
        """Brings the Service to what the registry says now.

        A version that does not open is logged and left out; the others go live, and an alias or
        default that should stand for it goes on standing for what it did. Where the disk or
        the network failed, the next look at the catalog tries again.

        Args:
            strict: Raise instead, as a server that is just starting should.
        """
        async with self._turn:
            revision = await asyncio.to_thread(self._registry.catalog.revision)
            wanted = await asyncio.to_thread(self._wanted)
            again = False
            for key, version in wanted.versions.items():
                if key in self._live or (key in self._broken and not strict):
                    continue
                try:
                    opened = await asyncio.to_thread(self._open, version)
                except Exception as error:
                    if strict:
                        raise
                    again = self._failed(key, error) or again
                    continue
                self._away.discard(key)
                self._live[key] = self._service.admit(opened)
                _log.info("live: %s@%s", *key)
            self._service.swap(self._table(wanted))
            self._revision = None if again else revision
            self._started = True

    def _failed(self, key: Key, error: Exception) -> bool:
        """Notes that a version did not open; whether it may do so a moment later."""
        away = isinstance(error, OSError)
        if key not in self._away:
            _log.error("cannot serve %s@%s: %s", *key, error)
        if away:
            self._away.add(key)
        else:
            self._broken[key] = str(error)
        return away

    def _open(self, version: ModelVersion) -> Opened:
        return open_model(
            version.name,
            str(version.version),
            self._registry.open(version),
            max_rows=self._settings.max_batch,
            threads=self._settings.threads,
        )

    def _wanted(self) -> _Wanted:
        wanted = _Wanted({}, {}, {})
        named: dict[str, list[Reference]] = {}
        for reference in self._references or [Reference(n) for n in self._registry.names()]:
            named.setdefault(reference.name, []).append(reference)
        for name in self._loaded:
            named.setdefault(name, [Reference(name)])
        for name, references in named.items():
            if name in self._unloaded:
                continue
            try:
                model = self._registry.model(name)
            except NotFound:
                if not self._started:
                    raise
                continue
            self._want(wanted, model, references)
        return wanted

    def _want(self, wanted: _Wanted, model: Model, references: list[Reference]) -> None:
        chosen: list[ModelVersion] = []
        for ref in references:
            if ref.version is None and ref.alias is None:
                aliased = set(model.aliases.values())
                whole = [model.default, *(v for v in model.versions if v.version in aliased)]
                chosen = [*whole, *chosen]
                continue
            try:
                chosen.append(self._registry.resolve(ref))
            except NotFound:  # it was there when the server started
                if not self._started:
                    raise
        if not chosen:
            return
        numbers = {version.version for version in chosen}
        for version in chosen:
            wanted.versions[model.name, version.version] = version
        wanted.aliases[model.name] = {a: str(n) for a, n in model.aliases.items() if n in numbers}
        wanted.defaults[model.name] = str(chosen[0].version)

    def _table(self, wanted: _Wanted) -> Table:
        self._hold(wanted)
        held = {(name, int(n)) for name, n in wanted.defaults.items()} | {
            (name, int(n)) for name, aliases in wanted.aliases.items() for n in aliases.values()
        }
        self._live = {k: e for k, e in self._live.items() if k in wanted.versions or k in held}
        table = Table()
        for (name, number), endpoint in self._live.items():
            table.versions.setdefault(name, {})[str(number)] = endpoint
        for name, versions in table.versions.items():
            aliases = wanted.aliases[name]
            table.aliases[name] = {a: n for a, n in aliases.items() if n in versions}
            default = wanted.defaults[name]
            # A default that would not open and was nothing before is the newest that did.
            table.defaults[name] = default if default in versions else max(versions, key=int)
        return table

    def _hold(self, wanted: _Wanted) -> None:
        """Lets what stands for a version that is not live stand for what it did before."""
        for name, before in self._service.models.items():
            if name not in wanted.defaults:
                continue
            if (name, int(wanted.defaults[name])) not in self._live:
                wanted.defaults[name] = before.default.version
            for alias, number in wanted.aliases[name].items():
                if (name, int(number)) not in self._live and alias in before.aliases:
                    wanted.aliases[name][alias] = before.aliases[alias]

    # The protocol's repository routes.

    async def load(self, name: str) -> None:
        """Makes a published model live.

        Raises:
            NotFound: It is not published.
        """
        await asyncio.to_thread(self._registry.model, name)
        self._unloaded.discard(name)
        self._loaded.add(name)
        self._broken = {key: why for key, why in self._broken.items() if key[0] != name}
        await self.update()
        failed = [why for key, why in self._broken.items() if key[0] == name]
        if failed and name not in self._service.models:
            raise Conflict(f"model {name} cannot be loaded: {failed[0]}")

    async def unload(self, name: str) -> None:
        """Takes a model out of service until it is loaded again.

        Raises:
            NotFound: It is not live.
        """
        self._service.find(name)
        self._unloaded.add(name)
        await self.update()

    async def index(self) -> list[dict[str, str]]:
        """All published models: name, version, state, reason."""

        def published() -> list[Model]:
            return [self._registry.model(name) for name in self._registry.names()]

        rows = []
        for model in await asyncio.to_thread(published):
            for version in model.versions:
                key = (model.name, version.version)
                state = "READY" if key in self._live else "UNAVAILABLE"
                rows.append(
                    {
                        "name": model.name,
                        "version": str(version.version),
                        "state": state,
                        "reason": self._broken.get(key, "" if state == "READY" else "not loaded"),
                    }
                )
        return rows


MakeApp = Callable[[Service, Registry, Settings, Keeper], Any]


class Server:
    """A port, an app, and the models behind them.

    Args:
        settings: numen's settings.
        registry: What is published.
        make_app: Builds the ASGI app for the slow doors.
        references: What to serve; see `Keeper`.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        make_app: MakeApp,
        references: Sequence[Reference] = (),
    ):
        self._settings = settings
        self._registry = registry
        self._make_app = make_app
        self._references = references
        self.address = ""

    def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serves until SIGINT or SIGTERM, then drains; exits with status 0 after a SIGTERM.

        Args:
            on_ready: Called with the address once every model is warm and the port is open.

        Raises:
            InvalidInput: The port is taken, or other machines reach it and there is no key.
            NotFound: A model to be served is not published.
        """
        with _quit_on_sigterm(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self.serve(on_ready))

    async def serve(self, on_ready: Callable[[str], None] | None = None) -> None:
        """As `run`, inside a running loop."""
        settings = self._settings
        service = Service(max_rows=settings.max_batch, max_queue=settings.max_queue)
        keeper = Keeper(service, self._registry, settings, self._references)
        listener = _bind(settings.host, settings.port)
        host, port = listener.getsockname()[:2]
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        try:
            keys = self._registry.keys
            service.admission = Admission.at(host, keys.all(), insecure=settings.insecure)
            await keeper.update(strict=bool(self._references))
            config = uvicorn.Config(
                self._make_app(service, self._registry, settings, keeper),
                http=protocol_for(service, settings.max_body),
                ws="websockets-sansio",  # for the app's own; `/ws/` is not the app's
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=10,
            )
            server = uvicorn.Server(config)
            # Not before there is something to answer with: who is early is refused, not kept.
            with _explain(settings.host, settings.port):
                listener.listen(config.backlog)
            admitting = keys.follow(service.admission.replace, settings.poll)
            announcing = _when_started(server, self.address, on_ready)
            tasks = list(map(asyncio.create_task, (keeper.follow(), admitting, announcing)))
            try:
                async with serving_grpc(service, keeper, settings, _bind):
                    await server.serve(sockets=[listener])
            finally:
                for task in tasks:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
        finally:
            service.close()
            listener.close()


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


@contextlib.contextmanager
def _quit_on_sigterm() -> Iterator[None]:
    # uvicorn drains on the signal, then raises it again for who handled it before.
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def quit_(_signal: int, _frame: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, quit_)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        with _explain(host, port):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ModuleNotFoundError:  # not made for Windows
        return None
    return uvloop.new_event_loop
