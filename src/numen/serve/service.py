"""The only entrance to live models.

The Service holds an immutable table of live endpoints. `swap` replaces it whole: requests that
come later see the new table, those in flight finish on the old endpoints, which then close.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from numen.core.bundle import Bundle, Golden
from numen.core.errors import CorruptBundle, NotFound, NotReady, NumenError
from numen.core.manifest import Manifest
from numen.core.message import Answer, Request
from numen.core.signature import Array, Arrays, Signature, format_shape
from numen.runtime.base import Runtime, open_variant
from numen.serve.batcher import Batcher, Done
from numen.serve.stats import Stats

# A graph on another CPU may differ from the framework by rounding, not by more than this.
_GOLDEN_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that was loaded and warmed, but is not live yet.

    Attributes:
        name: The model's name.
        version: Its version.
        created: When that was published.
        bundle: What was opened.
        runtime: What runs it.
        seconds: Time of a full batch.
    """

    name: str
    version: str
    created: str
    bundle: Bundle
    runtime: Runtime
    seconds: float


def open_model(
    name: str,
    version: str,
    bundle: Bundle,
    *,
    created: str = "",
    max_rows: int = 64,
    threads: int = 1,
) -> Opened:
    """Loads a bundle, replays its golden samples and measures it. Blocks; not for the loop.

    Raises:
        CorruptBundle: It does not load, or does not give the recorded outputs.
    """
    runtime = open_variant(bundle, threads=threads)
    try:
        golden = bundle.golden()
        try:
            bundle.manifest.signature.check(golden.inputs)
            _compare(golden, runtime.predict(golden.inputs))
        except NumenError as error:
            raise CorruptBundle(f"model {name}@{version}: recorded samples: {error}") from error
        batch = golden.inputs
        if bundle.manifest.batched:
            batch = {key: np.resize(a, (max_rows, *a.shape[1:])) for key, a in batch.items()}
        runtime.predict(batch)
        begin = time.perf_counter()
        runtime.predict(batch)
        seconds = time.perf_counter() - begin
    except BaseException:
        runtime.close()
        raise
    return Opened(name, version, created, bundle, runtime, seconds)


def _compare(golden: Golden, outputs: Arrays) -> None:
    for key, expected in golden.outputs.items():
        received = outputs.get(key)
        if received is None or received.shape != expected.shape:
            raise CorruptBundle(
                f'output "{key}": expected {format_shape(expected.shape)}, received '
                f"{'none' if received is None else format_shape(received.shape)}"
            )
        if expected.dtype.kind not in "fiub":
            if expected.astype(str).tolist() != received.astype(str).tolist():
                raise CorruptBundle(f'output "{key}" differs')
        elif not np.allclose(
            received, expected, atol=_GOLDEN_TOLERANCE, rtol=_GOLDEN_TOLERANCE, equal_nan=True
        ):
            gap = np.abs(np.asarray(received, np.float64) - np.asarray(expected, np.float64))
            raise CorruptBundle(f'output "{key}" differs by {float(gap.max()):.3g}')


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One live version of a model."""

    name: str
    version: str
    created: str
    bundle: Bundle
    batcher: Batcher
    stats: Stats

    @property
    def manifest(self) -> Manifest:
        """What its bundle says."""
        return self.bundle.manifest

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.bundle.manifest.signature


@dataclass(frozen=True, slots=True)
class LiveModel:
    """The live versions of one model; `aliases` name versions, `default` is meant by none."""

    name: str
    versions: Mapping[str, Endpoint]
    aliases: Mapping[str, str]
    default: Endpoint

    def find(self, version: str | None) -> Endpoint:
        """The endpoint of a version number or an alias.

        Raises:
            NotFound: It is not live.
        """
        if version is None:
            return self.default
        found = self.versions.get(self.aliases.get(version, version))
        if found is None:
            known = ", ".join([*self.versions, *self.aliases])
            raise NotFound(
                f"model {self.name}: version {version[:64]!r} is not live", hint=f"live: {known}"
            )
        return found


@dataclass(slots=True)
class Table:
    """What is to be live: endpoints by name and version, aliases, and each model's default."""

    versions: dict[str, dict[str, Endpoint]] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)


class Service:
    """Live models. Belongs to one event loop."""

    def __init__(self, *, max_rows: int = 64, max_queue: int = 8192):
        self.max_rows = max_rows
        self.max_queue = max_queue
        self.ready = False
        self._models: Mapping[str, LiveModel] = MappingProxyType({})

    @property
    def models(self) -> Mapping[str, LiveModel]:
        """The live models by name."""
        return self._models

    def admit(self, opened: Opened) -> Endpoint:
        """Makes an opened model ready to be put into a table."""
        stats = Stats()
        batcher = Batcher(
            opened.runtime,
            max_rows=self.max_rows,
            max_queue=self.max_queue,
            batched=opened.bundle.manifest.batched,
            seconds=opened.seconds,
            stats=stats,
        )
        return Endpoint(opened.name, opened.version, opened.created, opened.bundle, batcher, stats)

    def swap(self, table: Table) -> None:
        """Replaces what is live, whole. Endpoints no longer listed finish their work and close."""
        before = {id(e): e for model in self._models.values() for e in model.versions.values()}
        self._models = MappingProxyType(
            {
                name: LiveModel(
                    name,
                    MappingProxyType(dict(versions)),
                    MappingProxyType(dict(table.aliases.get(name, {}))),
                    versions[table.defaults[name]],
                )
                for name, versions in table.versions.items()
            }
        )
        for model in self._models.values():
            for endpoint in model.versions.values():
                before.pop(id(endpoint), None)
        for endpoint in before.values():
            endpoint.batcher.close()
        self.ready = True

    def close(self) -> None:
        """Lets all models finish and close."""
        self.swap(Table())
        self.ready = False

    def find(self, name: str, version: str | None = None) -> Endpoint:
        """The endpoint of a model and, where given, a version number or an alias.

        Raises:
            NotFound: It is not live.
            NotReady: Nothing is live yet.
        """
        model = self._models.get(name)
        if model is None:
            if not self.ready:
                raise NotReady("models are still being loaded", hint="try again in a moment")
            live = ", ".join(sorted(self._models)) or "none"
            raise NotFound(f"model {name[:64]!r} is not live", hint=f"live: {live}")
        return model.find(version)

    def submit(self, endpoint: Endpoint, request: Request, done: Done) -> None:
        """Checks a request and queues it; `done` gets its outputs or its error, on the loop.

        Raises:
            InvalidInput: The arrays do not fit the signature.
            Overloaded: The queue is full.
        """
        rows = endpoint.signature.check(request.inputs)
        endpoint.batcher.submit(request, rows, done)

    async def predict(self, request: Request) -> Answer:
        """One request's answer, for callers that await.

        Raises:
            NumenError: Whatever went wrong.
        """
        endpoint = self.find(request.model, request.version)
        future: asyncio.Future[dict[str, Array]] = asyncio.get_running_loop().create_future()

        def done(outcome: dict[str, Array] | NumenError) -> None:
            if future.done():
                return
            if isinstance(outcome, NumenError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(endpoint, request, done)
        try:
            outputs = await future
        except asyncio.CancelledError:
            request.cancelled = True
            raise
        return Answer(endpoint.name, endpoint.version, outputs)
