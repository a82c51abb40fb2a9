"""Names and versions of data sets; their contents lie in the blobs, under their digest."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from numen.core.errors import Conflict, NotFound
from numen.store.database import Database, now

_meta = sa.MetaData()
_datasets = sa.Table(
    "datasets",
    _meta,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A data set that was added: `name@version` is `digest`, for ever."""

    name: str
    version: int
    digest: str
    source: str
    created: str


class Datasets:
    """The data sets in a database; their table is made when missing."""

    def __init__(self, database: Database):
        self._database = database
        database.make(_meta)

    def add(self, name: str, digest: str, source: str, after: int | None = None) -> DatasetVersion:
        """Adds the next version; the same digest as the newest adds nothing.

        Args:
            name: The data set's.
            digest: Of its contents.
            source: Where they come from.
            after: The version that must be the newest; any when None.

        Raises:
            Conflict: Another version was added after that one.
        """
        query = sa.select(_datasets).where(_datasets.c.name == name)
        with self._database.change() as connection:
            newest = connection.execute(query.order_by(_datasets.c.version.desc()).limit(1)).first()
            if newest is not None and newest.digest == digest:
                connection.rollback()
                return DatasetVersion(*newest)
            there = newest.version if newest else 0
            if after not in (None, there):
                raise Conflict(
                    f"dataset {name}: expected version {after} to be the newest, found {there}",
                    hint=f"add to {name}@{there}",
                )
            added = DatasetVersion(name, there + 1, digest, source, now())
            row = {column.name: getattr(added, column.name) for column in _datasets.columns}
            connection.execute(sa.insert(_datasets).values(**row))
            return added

    def newest(self) -> list[DatasetVersion]:
        """The newest version of every data set, by name."""
        return list({found.name: found for found in self._found(sa.true())}.values())

    def versions(self, name: str) -> list[DatasetVersion]:
        """A data set's versions, oldest first.

        Raises:
            NotFound: There is no such data set.
        """
        found = self._found(_datasets.c.name == name)
        if not found:
            raise NotFound(f'dataset "{name}" was not added', hint="numen data ls shows all")
        return found

    def _found(self, where: sa.ColumnElement[bool]) -> list[DatasetVersion]:
        query = sa.select(_datasets).where(where).order_by(_datasets.c.name, _datasets.c.version)
        with self._database.read() as connection:
            return [DatasetVersion(*row) for row in connection.execute(query)]
