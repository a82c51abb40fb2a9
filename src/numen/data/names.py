"""A dataset's name becomes the folder it is stored in: `name` is the newest, `name@2` the second.

The catalog and the blobs are given, or those in the settings. The latter are imported only when a
name is looked up, as the database library takes longer to import than all else here together.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from numen.core import settings
from numen.core.errors import InvalidInput, NotFound
from numen.core.reference import Reference

if TYPE_CHECKING:
    from numen.store.blobs import Blobs
    from numen.store.catalog import Catalog
    from numen.store.datasets import DatasetVersion

KIND: Final = "data"


def find_version(
    reference: str, catalog: Catalog | None = None, blobs: Blobs | None = None
) -> tuple[DatasetVersion, Path]:
    """The version `reference` stands for, and the folder it lies in.

    Raises:
        InvalidInput: It is neither `name` nor `name@version`.
        NotFound: There is no such dataset or version.
    """
    asked = Reference.parse(reference)
    if asked.alias is not None:
        raise InvalidInput(
            f'dataset "{reference}": expected name or name@version; datasets have no aliases'
        )
    if catalog is None or blobs is None:
        return _in_settings(reference)
    versions = catalog.datasets.versions(asked.name)
    for version in reversed(versions):
        if asked.version in (None, version.version):
            return version, blobs.path(KIND, version.digest)
    raise NotFound(
        f'dataset "{reference}": expected a version from 1 to {versions[-1].version}',
        hint=f"numen data show {asked.name}",
    )


def _in_settings(reference: str) -> tuple[DatasetVersion, Path]:
    known, _ = settings.load()
    if not known.catalog and not (known.home_path / "catalog.db").exists():
        raise NotFound(f'dataset "{reference}" was not added', hint="numen data add adds one")
    from numen.store.blobs import Blobs
    from numen.store.catalog import Catalog

    catalog = Catalog(known.catalog_url)
    try:
        return find_version(reference, catalog, Blobs.of(known))
    finally:
        catalog.close()
