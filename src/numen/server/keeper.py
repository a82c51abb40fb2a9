"""Keeps the Service at what the registry says: opens, warms, and swaps.

Models that were named are opened before the server is ready, and stay open. Where none were
named, the first so many are, and the others are listed, to be opened by their first request.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from numen.core.bundle import Bundle
from numen.core.errors import Conflict, Internal, NotFound, NotReady, NumenError
from numen.core.observe import logger
from numen.core.reference import EXPLAINS, Reference
from numen.core.settings import Settings
from numen.registry import Model, Registry
from numen.serve.live import Cold, Endpoint, Listed, Table
from numen.serve.opening import Opened, open_model
from numen.serve.service import Service
from numen.server.orders import Desk, Orders
from numen.store.catalog import ModelVersion

_log = logger(__name__)
Key = tuple[str, int]
# Seconds before a store that could not be reached is asked for the same version again.
_AWAY: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What shall be listed, as the catalog has it at one moment."""

    versions: dict[Key, ModelVersion]
    aliases: dict[str, dict[str, str]]
    defaults: dict[str, str]


async def _at_once(_revision: int) -> None:
    """There is nobody else to follow an order."""


class Keeper:
    """Keeps the Service at what the registry says.

    Args:
        service: What is live.
        registry: What is published.
        settings: numen's settings.
        references: What to serve; empty is every model's default and all aliased versions.
        desk: Where orders to load and unload lie.
        followed: Waits until all processes that serve together have followed the orders.

    Attributes:
        revision: The catalog's revision that is served; None before there is one.
        orders: The orders that are followed.
    """

    def __init__(
        self,
        service: Service,
        registry: Registry,
        settings: Settings,
        references: Sequence[Reference] = (),
        *,
        desk: Desk | None = None,
        followed: Callable[[int], Awaitable[None]] = _at_once,
    ):
        self.revision: int | None = None
        self.orders = Orders()
        self._service = service
        self._registry = registry
        self._settings = settings
        self._references = tuple(references)
        self._desk = desk or Desk()
        self._followed = followed
        self._broken: dict[Key, NumenError] = {}
        self._away: dict[Key, float] = {}
        self._prepared = settings.home_path / "cache" / "prepared"
        self._turn = asyncio.Lock()

    async def follow(self) -> None:
        """Watches catalog and orders for ever. A catalog that is away leaves what is live."""
        away = False  # it is said once, and once more when it is back
        while True:
            await asyncio.sleep(self._settings.poll)
            try:
                revision = await asyncio.to_thread(self._registry.catalog.revision)
                if revision != self.revision or self._desk.orders() != self.orders:
                    await self.update()
                if away:
                    _log.warning("the catalog is back")
                away = False
            except Exception as error:
                if not away:
                    known = isinstance(error, NumenError)
                    _log.warning(
                        "the catalog is away; serving what is loaded: %s", error,
                        exc_info=None if known else error,
                    )  # fmt: skip
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
            orders = self._desk.orders()
            revision, published = await asyncio.to_thread(self._registry.snapshot)
            self._forgive(orders)
            wanted = self._wanted(published, orders, strict)
            added: dict[Key, Listed] = {}
            again = False
            for key, opens in self._missing(wanted, orders):
                try:
                    added[key] = await self._add(wanted.versions[key], opens, strict)
                except Exception:
                    if strict:
                        raise
                    again = again or key in self._away
            # Callers' keys are brought to what the catalog says here as well, once there are any.
            self._service.swap(self._table(wanted, added))
            if self.revision is None:
                await asyncio.to_thread(_prune, self._prepared, published)
            self.revision = None if again else revision
            self.orders = orders

    def _forgive(self, orders: Orders) -> None:
        """Who was ordered to be loaded since is tried again."""
        new = {name for name, when in orders.loaded.items() if when > self.orders.revision}
        self._broken = {key: why for key, why in self._broken.items() if key[0] not in new}

    def _missing(self, wanted: _Wanted, orders: Orders) -> list[tuple[Key, bool]]:
        """Versions not yet as they should be, and whether to open them now."""
        listed = self._listed()
        models = {key[0] for key, found in listed.items() if isinstance(found, Endpoint)}
        named = {reference.name for reference in self._references} | set(orders.loaded)
        defaults = {(name, int(number)) for name, number in wanted.defaults.items()}
        room = self._settings.preload - len(self._service.endpoints())
        missing: list[tuple[Key, bool]] = []
        for key in sorted(wanted.versions, key=lambda key: key not in defaults):
            name = key[0]
            opens = name in named or name in models
            if key in listed:
                # Who is asked more than before is opened before, not by who asks.
                if opens and isinstance(listed[key], Cold) and self._is_moving_to(key, defaults):
                    missing.append((key, True))
                continue
            if key in self._broken:
                continue
            if not opens and name not in self._service.models and room > 0:
                opens = True
                room -= 1
            missing.append((key, opens))
        return missing

    def _is_moving_to(self, key: Key, defaults: set[Key]) -> bool:
        model = self._service.models[key[0]]
        return key in defaults and model.default.version != str(key[1])

    async def _add(self, version: ModelVersion, opens: bool, strict: bool) -> Listed:
        key = (version.name, version.version)
        cold = Cold(version.name, str(version.version), partial(self._open, version))
        if not opens:
            return cold
        found = self._listed().get(key)
        if isinstance(found, Cold):
            return await self._service.wake(found)
        pinned = any(reference.name == version.name for reference in self._references)
        opened = await asyncio.to_thread(self._open, version, strict)
        _log.info("live: %s@%s", *key)
        return self._service.admit(opened, None if pinned else cold)

    def _open(self, version: ModelVersion, strict: bool = False) -> Opened:
        """Opens a version; one that failed is not tried again and again. Blocks."""
        key = (version.name, version.version)
        if (known := self._broken.get(key)) is not None and not strict:
            raise _anew(known)
        if time.monotonic() < self._away.get(key, 0):
            raise NotReady(f"model {version.name}: its store is away", hint="try again later")
        try:
            opened = self._opened(version.name, version, self._registry.open(version))
        except (OSError, NotReady) as error:  # the disk, or the store
            if key not in self._away:
                _log.error("cannot serve %s@%s: %s", *key, error)
            self._away[key] = time.monotonic() + _AWAY
            raise
        except Exception as error:
            _log.error("cannot serve %s@%s: %s", *key, error)
            known = error if isinstance(error, NumenError) else Internal(f"{error!r}")
            self._broken[key] = _anew(known)
            raise
        self._away.pop(key, None)
        return opened

    def _opened(self, name: str, version: ModelVersion, bundle: Bundle) -> Opened:
        return open_model(
            name,
            str(version.version),
            bundle,
            max_rows=self._settings.max_batch,
            threads=self._settings.threads,
            cache=self._prepared,
        )

    def _wanted(self, published: Mapping[str, Model], orders: Orders, strict: bool) -> _Wanted:
        wanted = _Wanted({}, {}, {})
        named: dict[str, list[Reference]] = {}
        for reference in self._references or [Reference(name) for name in published]:
            named.setdefault(reference.name, []).append(reference)
        for name in orders.loaded:
            named.setdefault(name, [Reference(name)])
        for name, references in named.items():
            if name in orders.unloaded:
                continue
            if name in published:
                self._want(wanted, published[name], references, strict)
            elif strict:
                self._registry.model(name)  # says that there is none
        return wanted

    def _want(
        self, wanted: _Wanted, model: Model, references: list[Reference], strict: bool
    ) -> None:
        chosen: list[ModelVersion] = []
        for ref in references:
            if ref.version is None and ref.alias is None:
                aliased = set(model.aliases.values())
                whole = [model.default, *(v for v in model.versions if v.version in aliased)]
                chosen = [*whole, *chosen]
                continue
            try:
                chosen.append(model.resolve(ref))
            except NotFound:  # it was there when the server started
                if strict:
                    raise
        if not chosen:
            return
        numbers = {version.version for version in chosen}
        for version in chosen:
            wanted.versions[model.name, version.version] = version
        wanted.aliases[model.name] = {a: str(n) for a, n in model.aliases.items() if n in numbers}
        wanted.defaults[model.name] = str(chosen[0].version)

    def _listed(self) -> dict[Key, Listed]:
        return {
            (name, int(version)): found
            for name, model in self._service.models.items()
            for version, found in model.versions.items()
        }

    def _table(self, wanted: _Wanted, added: Mapping[Key, Listed]) -> Table:
        there = {**added, **self._listed()}
        self._hold(wanted, there)
        held = {(name, int(n)) for name, n in wanted.defaults.items()} | {
            (name, int(n)) for name, aliases in wanted.aliases.items() for n in aliases.values()
        }
        table = Table()
        for (name, number), found in there.items():
            if (name, number) in wanted.versions or (name, number) in held:
                table.versions.setdefault(name, {})[str(number)] = found
        for name, versions in table.versions.items():
            aliases = wanted.aliases[name]
            table.aliases[name] = {a: n for a, n in aliases.items() if n in versions}
            default = wanted.defaults[name]
            # A default that would not open and was nothing before is the newest that did.
            table.defaults[name] = default if default in versions else max(versions, key=int)
        self._add_explaining(table, wanted)
        return table

    def _add_explaining(self, table: Table, wanted: _Wanted) -> None:
        """Beside every model one that explains it, opened by the first who asks.

        Whether a version has an explanation is known when it is looked for.
        """
        for name in [*table.versions]:
            beside = name + EXPLAINS
            if beside in table.versions:
                continue  # somebody published a model of that name
            before = self._service.explaining(name)
            table.versions[beside] = {
                number: before.get(number)
                or Cold(beside, number, partial(self._open_explanation, version))
                for number in table.versions[name]
                if (version := wanted.versions.get((name, int(number)))) is not None
            }
            if table.defaults[name] not in table.versions[beside]:
                del table.versions[beside]
                continue
            there = table.versions[beside]
            table.aliases[beside] = {a: n for a, n in table.aliases[name].items() if n in there}
            table.defaults[beside] = table.defaults[name]
            table.explaining.add(beside)

    def _open_explanation(self, version: ModelVersion) -> Opened:
        """Opens what explains a version. Blocks.

        Raises:
            NotFound: It has none.
        """
        bundle = self._registry.open(version).explanation()
        return self._opened(version.name + EXPLAINS, version, bundle)

    def _hold(self, wanted: _Wanted, there: Mapping[Key, Listed]) -> None:
        """Lets what stands for a version that does not open stand for what it did before."""

        def opens(name: str, number: str) -> bool:
            key = (name, int(number))
            return key in there and not (key in self._broken and isinstance(there[key], Cold))

        for name, before in self._service.models.items():
            if name not in wanted.defaults:
                continue
            if not opens(name, wanted.defaults[name]):
                wanted.defaults[name] = before.default.version
            for alias, number in wanted.aliases[name].items():
                if not opens(name, number) and alias in before.aliases:
                    wanted.aliases[name][alias] = before.aliases[alias]

    # The protocol's repository routes.

    async def load(self, name: str) -> None:
        """Makes a published model live, in all processes that serve together.

        Raises:
            NotFound: It is not published.
            Conflict: It does not open.
        """
        await asyncio.to_thread(self._registry.model, name)
        revision = self._desk.order(lambda orders: orders.load(name))
        await self.update()
        failed = [why for key, why in self._broken.items() if key[0] == name]
        if failed and name not in self._service.models:
            raise Conflict(f"model {name} cannot be loaded: {failed[0]}")
        await self._followed(revision)

    async def unload(self, name: str) -> None:
        """Takes a model out of service, in all processes, until it is loaded again.

        Raises:
            NotFound: It is not live.
        """
        if name not in self._service.models:
            await self.update()  # it may have been published a moment ago
        self._service.find(name)
        revision = self._desk.order(lambda orders: orders.unload(name))
        await self.update()
        await self._followed(revision)

    async def index(self) -> list[dict[str, str]]:
        """All published models: name, version, state, reason."""
        _, published = await asyncio.to_thread(self._registry.snapshot)
        listed = self._listed()
        return [
            {"name": model.name, "version": str(version.version), **self._state(version, listed)}
            for model in published.values()
            for version in model.versions
        ]

    def _state(self, version: ModelVersion, listed: Mapping[Key, Listed]) -> dict[str, str]:
        key = (version.name, version.version)
        found = listed.get(key)
        if isinstance(found, Endpoint):
            return {"state": "READY", "reason": ""}
        if key in self._broken:
            return {"state": "UNAVAILABLE", "reason": str(self._broken[key])}
        if found is not None:
            return {"state": "READY", "reason": "opened by its first request"}
        return {"state": "UNAVAILABLE", "reason": "not loaded"}


def _prune(prepared: Path, published: Mapping[str, Model]) -> None:
    """Removes what was prepared of bundles that are published no more."""
    models = published.values()
    kept = {v.digest.replace(":", "-") for model in models for v in model.versions}
    for folder in prepared.glob("*"):
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _anew(error: NumenError) -> NumenError:
    """The same error, to be raised once more without where it was raised before."""
    return type(error)(error.message, hint=error.hint, field=error.field)
