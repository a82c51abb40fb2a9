"""The registry and the library that the settings name, and the verbs that need nothing else."""

from __future__ import annotations

from functools import lru_cache

from numen.api.model import Model
from numen.core import settings as settings_
from numen.core.reference import DEFAULT_ALIAS
from numen.core.settings import Settings
from numen.registry import Model as Published
from numen.registry import Registry
from numen.store.catalog import ModelVersion


def settings() -> Settings:
    """The settings of this process, read anew so that a changed environment counts."""
    return settings_.load()[0]


@lru_cache(maxsize=8)
def _registry(current: Settings) -> Registry:
    return Registry.of(current)


def registry() -> Registry:
    """The registry that the settings name."""
    return _registry(settings())


def load(reference: str) -> Model:
    """Opens a published model: `digits`, `digits@3` or `digits@champion`.

    Raises:
        NotFound: There is no such model or version.
    """
    found = registry()
    version = found.resolve(reference)
    return Model(found.open(version), version)


def models() -> list[Published]:
    """All published models."""
    found = registry()
    return [found.model(name) for name in found.names()]


def promote(reference: str, alias: str = DEFAULT_ALIAS) -> ModelVersion:
    """Makes an alias stand for a version; servers follow within a second.

    Raises:
        NotFound: There is no such version.
    """
    return registry().promote(reference, alias)


def rollback(name: str, alias: str = DEFAULT_ALIAS) -> ModelVersion:
    """Undoes an alias's last move.

    Raises:
        NotFound: There is no such alias.
        Conflict: There is nothing to go back to.
    """
    return registry().rollback(name, alias)
