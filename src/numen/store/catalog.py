"""Names, versions and aliases of models; those of data sets are kept beside them.

Every change is one transaction and moves `revision()`, which is what servers watch. The catalog
knows nothing of files; it holds digests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from numen.core.errors import Conflict, NotFound
from numen.store.database import Database, now
from numen.store.datasets import Datasets

_meta = sa.MetaData()
_versions = sa.Table(
    "model_versions",
    _meta,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)
# Highest number ever given, so that a removed version's number is never used again.
_models = sa.Table(
    "models",
    _meta,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
)
_aliases = sa.Table(
    "aliases",
    _meta,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("alias", sa.String(64), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
_moves = sa.Table(
    "alias_moves",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("alias", sa.String(64), nullable=False),
    sa.Column("before", sa.Integer),
    sa.Column("after", sa.Integer, nullable=False),
    sa.Column("at", sa.String(32), nullable=False),
)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A published model: `name@version` is `digest`, for ever."""

    name: str
    version: int
    digest: str
    size: int
    created: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All models at one moment: the revision, versions (oldest first a model), and aliases."""

    revision: int
    versions: dict[str, list[ModelVersion]]
    aliases: dict[str, dict[str, int]]

    @classmethod
    def of(cls, models: Iterable[tuple[ModelVersion, Collection[str]]]) -> Snapshot:
        """Versions, each with the aliases that stand for it."""
        made = cls(0, {}, {})
        for version, aliases in models:
            made.versions.setdefault(version.name, []).append(version)
            if aliases:
                numbers = made.aliases.setdefault(version.name, {})
                numbers.update(dict.fromkeys(aliases, version.version))
        return made


class Catalog:
    """The catalog behind a SQLAlchemy URL; its tables are made when missing.

    Attributes:
        database: Where it is.
        datasets: The data sets that were added.
    """

    def __init__(self, url: str):
        self.database = Database(url, _meta)
        self.datasets = Datasets(self.database)

    def close(self) -> None:
        """Gives back connections."""
        self.database.close()

    def revision(self) -> int:
        """A number that grows with every change."""
        return self.database.revision()

    def snapshot(self) -> Snapshot:
        """All models, in three queries however many there are."""
        found = Snapshot(self.revision(), {}, {})
        with self.database.read() as connection:
            # Aliases first: what they stand for is then among the versions, however new.
            for row in connection.execute(sa.select(_aliases).order_by(_aliases.c.alias)):
                found.aliases.setdefault(row.model, {})[row.alias] = row.version
            query = sa.select(_versions).order_by(_versions.c.model, _versions.c.version)
            for row in connection.execute(query):
                found.versions.setdefault(row.model, []).append(_model_version(row))
        return found

    def replace(self, held: Snapshot) -> None:
        """Makes the catalog hold these models, as they are called elsewhere, and no others.

        Args:
            held: The models; its revision says nothing.
        """
        with self.database.change() as connection:
            for table in (_aliases, _moves, _versions, _models):
                connection.execute(sa.delete(table))
            for name, versions in held.versions.items():
                last = max(version.version for version in versions)
                connection.execute(sa.insert(_models).values(name=name, last=last))
                connection.execute(sa.insert(_versions), [_columns(each) for each in versions])
                for alias, number in sorted(held.aliases.get(name, {}).items()):
                    row = sa.insert(_aliases).values(model=name, alias=alias, version=number)
                    connection.execute(row)

    def add_version(
        self, name: str, digest: str, size: int, alias: str | None, first_alias: str | None = None
    ) -> ModelVersion:
        """Adds the next version of a model; the same digest as the newest adds nothing.

        Args:
            name: The model.
            digest: Its bundle's digest.
            size: Its bundle's size in bytes.
            alias: Moved to this version in the same transaction, unless None.
            first_alias: Moved as well if this is the first version of the model ever.
        """
        with self.database.change() as connection:
            newest = connection.execute(
                sa.select(_versions)
                .where(_versions.c.model == name)
                .order_by(_versions.c.version.desc())
                .limit(1)
            ).first()
            changed = newest is None or newest.digest != digest
            if newest is not None and not changed:
                added = _model_version(newest)
            else:
                last = connection.scalar(sa.select(_models.c.last).where(_models.c.name == name))
                added = ModelVersion(name, (last or 0) + 1, digest, size, now())
                if last is None:
                    connection.execute(sa.insert(_models).values(name=name, last=1))
                    if first_alias is not None:
                        _move(connection, name, first_alias, added.version)
                else:
                    connection.execute(
                        sa.update(_models).where(_models.c.name == name).values(last=added.version)
                    )
                connection.execute(sa.insert(_versions).values(**_columns(added)))
            if alias is not None:
                changed |= _move(connection, name, alias, added.version)
            if not changed:
                connection.rollback()
            return added

    def models(self) -> list[str]:
        """Names of all models that have a version."""
        query = sa.select(_versions.c.model).distinct().order_by(_versions.c.model)
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def versions(self, name: str) -> list[ModelVersion]:
        """A model's versions, oldest first.

        Raises:
            NotFound: There is no such model.
        """
        query = sa.select(_versions).where(_versions.c.model == name).order_by(_versions.c.version)
        with self.database.read() as connection:
            found = [_model_version(row) for row in connection.execute(query)]
        if not found:
            raise NotFound(f'model "{name}" is not published', hint="numen models ls shows all")
        return found

    def aliases(self, name: str) -> dict[str, int]:
        """A model's aliases and the versions they stand for."""
        query = sa.select(_aliases).where(_aliases.c.model == name).order_by(_aliases.c.alias)
        with self.database.read() as connection:
            return {row.alias: row.version for row in connection.execute(query)}

    def promote(self, name: str, version: int, alias: str) -> None:
        """Moves an alias to a version.

        Raises:
            NotFound: There is no such version.
        """
        with self.database.change() as connection:
            if not _exists(connection, name, version):
                raise NotFound(f"model {name}@{version} is not published")
            if not _move(connection, name, alias, version):
                connection.rollback()

    def rollback(self, name: str, alias: str) -> int:
        """Undoes the last move of an alias and returns the version it stands for now.

        Rolling back again goes one move further back. Versions removed since are passed over.

        Raises:
            NotFound: The alias does not exist.
            Conflict: There is nothing to go back to.
        """
        with self.database.change() as connection:
            current = connection.scalar(
                sa.select(_aliases.c.version).where(
                    _aliases.c.model == name, _aliases.c.alias == alias
                )
            )
            if current is None:
                raise NotFound(f"model {name} has no alias {alias}")
            moves = connection.execute(
                sa.select(_moves)
                .where(_moves.c.model == name, _moves.c.alias == alias)
                .order_by(_moves.c.id.desc())
            ).all()
            for move in moves:
                before = move.before
                if before not in (None, current) and _exists(connection, name, before):
                    break
            else:
                raise Conflict(f"{name}@{alias}: there is no earlier version to go back to")
            connection.execute(
                sa.delete(_moves).where(
                    _moves.c.model == name, _moves.c.alias == alias, _moves.c.id >= move.id
                )
            )
            connection.execute(
                sa.update(_aliases)
                .where(_aliases.c.model == name, _aliases.c.alias == alias)
                .values(version=before)
            )
            return int(before)

    def remove_version(self, name: str, version: int) -> ModelVersion:
        """Removes a version; its number is not given again.

        Raises:
            NotFound: There is no such version.
            Conflict: An alias stands for it.
        """
        with self.database.change() as connection:
            found = connection.execute(
                sa.select(_versions).where(
                    _versions.c.model == name, _versions.c.version == version
                )
            ).first()
            if found is None:
                raise NotFound(f"model {name}@{version} is not published")
            held = list(
                connection.scalars(
                    sa.select(_aliases.c.alias).where(
                        _aliases.c.model == name, _aliases.c.version == version
                    )
                )
            )
            if held:
                raise Conflict(
                    f"model {name}@{version} is {', '.join(held)}",
                    hint="promote another version first",
                )
            connection.execute(
                sa.delete(_versions).where(
                    _versions.c.model == name, _versions.c.version == version
                )
            )
            return _model_version(found)

    def digest_in_use(self, digest: str) -> bool:
        """Whether any version of any model is this bundle."""
        query = sa.select(_versions.c.model).where(_versions.c.digest == digest).limit(1)
        with self.database.read() as connection:
            return connection.scalar(query) is not None


def _columns(version: ModelVersion) -> dict[str, Any]:
    return {"model" if key == "name" else key: said for key, said in asdict(version).items()}


def _model_version(row: sa.Row[Any]) -> ModelVersion:
    return ModelVersion(row.model, row.version, row.digest, row.size, row.created)


def _exists(connection: sa.Connection, name: str, version: int) -> bool:
    query = sa.select(_versions.c.version).where(
        _versions.c.model == name, _versions.c.version == version
    )
    return connection.scalar(query) is not None


def _move(connection: sa.Connection, name: str, alias: str, version: int) -> bool:
    """Whether the alias stood for something else before."""
    where = (_aliases.c.model == name, _aliases.c.alias == alias)
    before = connection.scalar(sa.select(_aliases.c.version).where(*where))
    if before == version:
        return False
    if before is None:
        connection.execute(sa.insert(_aliases).values(model=name, alias=alias, version=version))
    else:
        connection.execute(sa.update(_aliases).where(*where).values(version=version))
    connection.execute(
        sa.insert(_moves).values(model=name, alias=alias, before=before, after=version, at=now())
    )
    return True
