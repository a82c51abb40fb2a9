"""What is listed as live: versions, open or not, by model, number and alias. Immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numen.core.bundle import Bundle
from numen.core.errors import NotFound
from numen.core.manifest import Manifest
from numen.core.signature import Signature
from numen.serve.batcher import Batcher
from numen.serve.opening import Opened
from numen.serve.stats import Stats


@dataclass(frozen=True, slots=True, eq=False)
class Cold:
    """A version that is listed, but not open.

    Attributes:
        name: The model's name.
        version: The version.
        open: Opens it; blocks.
    """

    name: str
    version: str
    open: Callable[[], Opened]


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """One live version of a model.

    Attributes:
        name: The model's name.
        version: The version.
        bundle: What runs.
        batcher: Where its requests queue.
        stats: What it has done.
        cold: What it is while closed; None where it stays open as long as it is listed.
        known: What doors remember of callers' messages. It goes with the endpoint, so that
            nothing is remembered of another signature.
    """

    name: str
    version: str
    bundle: Bundle
    batcher: Batcher
    stats: Stats
    cold: Cold | None = None
    known: dict[bytes, Any] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        """What its bundle says."""
        return self.bundle.manifest

    @property
    def signature(self) -> Signature:
        """What it takes and gives."""
        return self.bundle.manifest.signature


Listed: TypeAlias = Endpoint | Cold


@dataclass(frozen=True, slots=True)
class LiveModel:
    """The listed versions of one model; `aliases` name versions, `default` is meant by none.

    One that `explains` another stands beside it, and is not shown where models are listed.
    """

    name: str
    versions: Mapping[str, Listed]
    aliases: Mapping[str, str]
    default: Listed
    explains: bool = False

    def find(self, version: str | None) -> Listed:
        """What is listed for a version number or an alias.

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
    """What is to be live: versions by model and number, aliases, and each model's default.

    Those that explain others are named.
    """

    versions: dict[str, dict[str, Listed]] = field(default_factory=dict)
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    explaining: set[str] = field(default_factory=set)
