"""Names, versions and aliases: `name@version` and `name@alias` stand for one digest.

Versions never change; aliases move atomically. A bundle's bytes are stored before its name is,
so a crash at any moment leaves the old state or the new one.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from numen.core.bundle import Bundle
from numen.core.errors import CorruptBundle, NotFound
from numen.core.reference import DEFAULT_ALIAS, Reference, check_alias, check_name
from numen.core.settings import Settings
from numen.store.blobs import Blobs
from numen.store.catalog import Catalog, ModelVersion
from numen.store.keyfile import KeyFile
from numen.store.keys import Keys

_KIND = "bundles"


@dataclass(frozen=True, slots=True)
class Model:
    """A published model: its versions, oldest first, and its aliases."""

    name: str
    versions: tuple[ModelVersion, ...]
    aliases: dict[str, int]

    @property
    def default(self) -> ModelVersion:
        """The version meant when none is named: `champion`, else the newest."""
        wanted = self.aliases.get(DEFAULT_ALIAS)
        return next((v for v in self.versions if v.version == wanted), self.versions[-1])

    def resolve(self, ref: Reference) -> ModelVersion:
        """The version that a reference to this model stands for.

        Raises:
            NotFound: There is no such version or alias.
        """
        if ref.version is None and ref.alias is None:
            return self.default
        wanted = self.aliases.get(ref.alias) if ref.alias else ref.version
        for version in self.versions:
            if version.version == wanted:
                return version
        known = [str(v.version) for v in self.versions] + list(self.aliases)
        raise NotFound(f"model {ref} is not published", hint=f"{ref.name} has {', '.join(known)}")


class Registry:
    """The published models of one catalog and one blob store, and who was given keys.

    Args:
        catalog: Names, versions and aliases.
        blobs: The bundles.
        keys: The keys, where they are kept elsewhere than beside the names.
    """

    def __init__(self, catalog: Catalog, blobs: Blobs, keys: KeyFile | None = None):
        self.catalog = catalog
        self.blobs = blobs
        self.keys = keys or Keys(catalog.database)

    @classmethod
    def of(cls, settings: Settings) -> Registry:
        """The registry that the settings name."""
        keys = KeyFile(Path(settings.keys_file)) if settings.keys_file else None
        return cls(Catalog(settings.catalog_url), Blobs.of(settings), keys)

    def publish(self, name: str, bundle: Bundle, alias: str | None = None) -> ModelVersion:
        """Publishes a bundle as the next version of `name`.

        The bundle is copied; the same bundle as the newest version is not published twice.

        Args:
            name: The model's name.
            bundle: What to publish.
            alias: Moved to the new version. A model's first version becomes `champion` anyway.

        Raises:
            InvalidInput: The name or alias may not be called so.
            CorruptBundle: The bundle on disk is not what it says.
            NotReady: The catalog or the blobs are away; nothing was published.
        """
        check_name(name)
        if alias is not None:
            check_alias(alias)
        bundle = Bundle.open(bundle.path, bundle.digest)
        if not self.has(bundle.digest):
            # Beside the bundle, so that the blob store may rename it into place.
            copy = bundle.path.with_name(f".publish.{uuid.uuid4().hex}")
            try:
                shutil.copytree(bundle.path, copy)
                self.blobs.put(_KIND, bundle.digest, copy)
            finally:
                shutil.rmtree(copy, ignore_errors=True)
        size = sum(file.size for file in bundle.manifest.files)
        return self.catalog.add_version(name, bundle.digest, size, alias, DEFAULT_ALIAS)

    def has(self, digest: str) -> bool:
        """Whether a bundle is in the store, whatever it is called."""
        return self.blobs.has(_KIND, digest)

    def take(self, bundle: Bundle) -> None:
        """Moves a bundle into the store, under no name yet."""
        self.blobs.put(_KIND, bundle.digest, bundle.path)

    def names(self) -> list[str]:
        """Names of all models."""
        return self.catalog.models()

    def snapshot(self) -> tuple[int, dict[str, Model]]:
        """The catalog's revision, and all models by name."""
        found = self.catalog.snapshot()
        models = {
            name: Model(name, tuple(versions), found.aliases.get(name, {}))
            for name, versions in found.versions.items()
        }
        return found.revision, models

    def model(self, name: str) -> Model:
        """All there is to know of a model's versions.

        Raises:
            NotFound: There is no such model.
        """
        # Aliases first: what they stand for is then among the versions, however new.
        aliases = self.catalog.aliases(name)
        return Model(name, tuple(self.catalog.versions(name)), aliases)

    def resolve(self, reference: Reference | str) -> ModelVersion:
        """The version that a reference stands for.

        Raises:
            NotFound: There is no such model, version or alias.
        """
        ref = Reference.parse(reference) if isinstance(reference, str) else reference
        return self.model(ref.name).resolve(ref)

    def open(self, version: ModelVersion, *, verify: bool = True) -> Bundle:
        """The bundle of a version, verified.

        Raises:
            NotFound: Its bytes are nowhere.
            CorruptBundle: They are not what was published.
            NotReady: They are not here yet, and the store is away.
        """
        try:
            return self._open(version.digest, verify)
        except (CorruptBundle, NotFound):
            if not self.blobs.forget(_KIND, version.digest):
                raise  # it was no copy
        return self._open(version.digest, verify)

    def _open(self, digest: str, verify: bool) -> Bundle:
        path = self.blobs.path(_KIND, digest, lambda fetched: Bundle.open(fetched, digest))
        return Bundle.open(path, digest, verify=verify)

    def promote(
        self, reference: Reference | str, alias: str, *, opened: bool = False
    ) -> ModelVersion:
        """Makes `alias` stand for what the reference stands for now.

        Args:
            reference: What is promoted.
            alias: The alias that is moved.
            opened: Open it here first: what cannot be had, or is spoilt, moves nothing.

        Raises:
            NotFound: There is no such version.
            InvalidInput: An alias may not be called so.
            CorruptBundle: It was opened, and its bytes are not what was published.
            NotReady: It was opened, and they are not here yet, and the store is away.
        """
        check_alias(alias)
        version = self.resolve(reference)
        if opened:
            self.open(version, verify=False)
        self.catalog.promote(version.name, version.version, alias)
        return version

    def rollback(self, name: str, alias: str = DEFAULT_ALIAS) -> ModelVersion:
        """Undoes the last move of an alias.

        Raises:
            NotFound: There is no such alias.
            Conflict: There is nothing to go back to.
        """
        check_name(name)
        number = self.catalog.rollback(name, check_alias(alias))
        return self.resolve(Reference(name, version=number))

    def remove(self, reference: Reference | str) -> ModelVersion:
        """Removes a version, and its bytes when nothing else uses them.

        Raises:
            NotFound: There is no such version.
            Conflict: An alias stands for it.
        """
        version = self.resolve(reference)
        self.catalog.remove_version(version.name, version.version)
        if not self.catalog.digest_in_use(version.digest):
            self.blobs.remove(_KIND, version.digest)
        return version

    def diff(self, left: Reference | str, right: Reference | str) -> dict[str, tuple[Any, Any]]:
        """What two versions' manifests say differently: `{"metrics.accuracy": (0.97, 0.99)}`."""
        sides = [
            _flatten(msgspec.to_builtins(self.open(self.resolve(ref), verify=False).manifest))
            for ref in (left, right)
        ]
        keys = sorted(sides[0].keys() | sides[1].keys())
        return {
            key: (sides[0].get(key), sides[1].get(key))
            for key in keys
            if sides[0].get(key) != sides[1].get(key)
        }


def bundle_folder(settings: Settings) -> Path:
    """A new folder's path to write a bundle to, on the file system that will keep it."""
    return settings.home_path / "work" / uuid.uuid4().hex


def _flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        pairs = {
            (item.get("name") or item.get("path") or i) if isinstance(item, dict) else i: item
            for i, item in enumerate(value)
        }.items()
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, item in pairs:
        flat |= _flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return flat
