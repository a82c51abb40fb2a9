"""The library: datasets under a name, each version immutable and addressed by its digest.

Adding is all or nothing: sources are read and checked in a folder of their own first. Contents
without a name, should the catalog fail at the last step, are found again by the next add.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from numen.core import settings
from numen.core.errors import CorruptBundle, NotFound
from numen.core.reference import check_name
from numen.core.signature import Array
from numen.data import intake
from numen.data.dataset import Dataset
from numen.data.extend import extend
from numen.data.names import KIND, find_version
from numen.data.profile import PROFILE, Profile, examine, read_profile
from numen.data.reading import PLAIN, Reading
from numen.data.stored import load
from numen.store.blobs import Blobs
from numen.store.catalog import Catalog
from numen.store.datasets import DatasetVersion


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did: the version as the catalog has it, and what is in it.

    Attributes:
        version: Its name, number and digest.
        profile: What the data looks like.
        new: False if the newest version had the same contents, so that nothing was added.
    """

    version: DatasetVersion
    profile: Profile
    new: bool


class Library:
    """Datasets by name.

    Args:
        catalog: Holds names, versions and digests.
        blobs: Holds contents.
        home: Where sources are read before they are whole; numen's home when None.
    """

    def __init__(self, catalog: Catalog, blobs: Blobs, home: Path | None = None):
        self._catalog = catalog
        self._blobs = blobs
        self._home = home

    def add(self, name: str, sources: Sequence[str | Path], reading: Reading = PLAIN) -> Added:
        """Adds the next version of a dataset; the same contents as the newest add nothing.

        Args:
            name: What to call it.
            sources: Files or folders of one kind, or `sample:mnist`.
            reading: What numen should know of the data beside its looks.

        Raises:
            InvalidInput: The name, the sources or the reading do not do.
            NotFound: A source does not exist.
            InvalidData: A file is broken; the message names it and the row. Nothing was added.
        """
        check_name(name, "dataset")
        where = [os.fspath(source) for source in sources]
        with intake.working(self._home or settings.load()[0].home_path) as work:
            stored = intake.convert(where, reading, work)
            if self._blobs.has(KIND, stored.digest):
                folder = self._blobs.path(KIND, stored.digest)
                profile = read_profile(folder)
            else:
                profile = examine(Dataset.stored(work, name, where[0], stored))
                (work / PROFILE).write_bytes(profile.to_json())
                self._blobs.put(KIND, stored.digest, work)
        before = {found.version for found in self._versions(name)}
        version = self._catalog.datasets.add(name, stored.digest, " ".join(where))
        return Added(version, profile, version.version not in before)

    def extend(
        self,
        reference: str,
        rows: Sequence[Array],
        target: Sequence[int],
        note: str,
        *,
        newest: bool = False,
    ) -> Added:
        """Adds the next version of a dataset: one that is there, with more training rows.

        Doing the same again adds nothing.

        Args:
            reference: What to begin with, `name` or `name@2`.
            rows: Each as `numen.data.extend` takes it.
            target: The class of each.
            note: Where the rows and their labels come from; it is kept with the data.
            newest: What is begun with must be the newest version, so that nothing is lost of what
                others add at the same time.

        Raises:
            NotFound: There is no such dataset or version.
            InvalidInput: The rows are not such as the dataset has.
            Conflict: It must be the newest version, and is not.
        """
        base, _ = find_version(reference, self._catalog, self._blobs)
        dataset = self.open(f"{base.name}@{base.version}")
        with intake.working(self._home or settings.load()[0].home_path) as work:
            stored = extend(dataset, rows, target, note, work)
            source = f"{dataset.name} + {len(rows)} rows"
            profile = examine(Dataset.stored(work, dataset.name, source, stored))
            (work / PROFILE).write_bytes(profile.to_json())
            self._blobs.put(KIND, stored.digest, work)
        before = {found.version for found in self._versions(dataset.name)}
        version = self._catalog.datasets.add(
            dataset.name, stored.digest, source, base.version if newest else None
        )
        return Added(version, profile, version.version not in before)

    def open(self, reference: str) -> Dataset:
        """The dataset `name` (its newest version) or `name@2`.

        Raises:
            NotFound: There is no such dataset or version.
        """
        version, folder = find_version(reference, self._catalog, self._blobs)
        stored = load(folder)
        if stored.digest != version.digest:
            raise CorruptBundle(
                f"dataset {reference}: expected {version.digest}, found {stored.digest}"
            )
        return Dataset.stored(folder, version.name, version.source, stored)

    def profile(self, reference: str) -> Profile:
        """What was found when the dataset was added.

        Raises:
            NotFound: There is no such dataset or version.
        """
        return read_profile(find_version(reference, self._catalog, self._blobs)[1])

    def ls(self) -> list[DatasetVersion]:
        """The newest version of every dataset, by name."""
        return self._catalog.datasets.newest()

    def versions(self, name: str) -> list[DatasetVersion]:
        """All versions of a dataset, oldest first.

        Raises:
            NotFound: There is no such dataset.
        """
        return self._catalog.datasets.versions(name)

    def _versions(self, name: str) -> list[DatasetVersion]:
        try:
            return self._catalog.datasets.versions(name)
        except NotFound:
            return []
