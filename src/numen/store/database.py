"""The database behind the catalog and the keys, SQLite or Postgres: transactions, and a revision.

Every change is one transaction and moves `revision()`; writers wait for one another. What the
tables hold is the business of those who bring them. A SQLite URL with `mode=ro` is only read:
nothing is made beside it, and whoever would change it is told so.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from numen.core.errors import Conflict

_meta = sa.MetaData()
_revision = sa.Table(
    "revision",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)


class Database:
    """The database at a SQLAlchemy URL.

    Args:
        url: Where it is.
        tables: Made when missing.
    """

    def __init__(self, url: str, tables: sa.MetaData):
        address = sa.make_url(url)
        self._read_only = address.query.get("mode") == "ro"
        if address.get_backend_name() == "sqlite" and address.database and not self._read_only:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        self._engine = sa.create_engine(address, pool_pre_ping=True)
        if address.get_backend_name() == "sqlite":
            if not self._read_only:
                sa.event.listen(self._engine, "connect", _prepare_sqlite)
            sa.event.listen(self._engine, "begin", _begin_sqlite)
        self._writer = self._engine.execution_options(numen_writes=True)
        self.make(tables)

    def make(self, tables: sa.MetaData) -> None:
        """Makes the tables that are missing; in one that is only read, they are all there."""
        if self._read_only:
            return
        try:
            self._make(tables)
        except sa.exc.DBAPIError:  # another process made them at the same moment
            self._make(tables)

    def _make(self, tables: sa.MetaData) -> None:
        with self._writer.begin() as connection:
            _meta.create_all(connection)
            tables.create_all(connection)
            if connection.scalar(sa.select(_revision.c.value)) is None:
                connection.execute(sa.insert(_revision).values(id=1, value=0))

    def close(self) -> None:
        """Gives back connections."""
        self._engine.dispose()

    def revision(self) -> int:
        """A number that grows with every change."""
        with self.read() as connection:
            return int(connection.scalar(sa.select(_revision.c.value)) or 0)

    def read(self) -> sa.Connection:
        """A connection to read with, in a `with` statement."""
        return self._engine.connect()

    @contextmanager
    def change(self) -> Iterator[sa.Connection]:
        """One transaction; who finds nothing to change rolls it back.

        Raises:
            Conflict: It is only read.
        """
        if self._read_only:
            raise Conflict(
                "the catalog here is only read",
                hint="make the change where the models come from, then deploy again",
            )
        with self._writer.begin() as connection:
            # First, so that writers on any database wait for one another here.
            connection.execute(sa.update(_revision).values(value=_revision.c.value + 1))
            yield connection


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin too late; `_begin_sqlite` does
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA synchronous=FULL")
    end = time.monotonic() + 30
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:  # of all steps, a new file's first turn to WAL never waits
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes its lock at once: a reader that turns writer midway may not wait for it.
    writes = connection.get_execution_options().get("numen_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
