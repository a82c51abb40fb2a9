"""The database behind the catalog and the keys, SQLite or Postgres: transactions, and a revision.

Every change is one transaction and moves `revision()`; writers wait for one another. What the
tables hold is the business of those who bring them. A database that is away is one error,
`NotReady`, within seconds; its password is in no message. A SQLite URL with `mode=ro` is only read:
nothing is made beside it, and whoever would change it is told so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from numen.core.errors import Conflict, InvalidInput, NotReady
from numen.core.settings import hide_passwords
from numen.store import postgres, sqlite

_ENGINES: Final = {"sqlite": sqlite.engines, "postgresql": postgres.engines}
# What says that the database is away, or will not be written to, and not that we are wrong.
_AWAY: Final = (
    sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError
)  # fmt: skip
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

    Raises:
        InvalidInput: It is not the URL of such a database.
        NotReady: The database is away.
    """

    def __init__(self, url: str, tables: sa.MetaData):
        self._address = _parse(url)
        self._name = hide_passwords(url).partition("?")[0]
        self._read_only = self._address.query.get("mode") == "ro"
        self._reader, self._writer = _ENGINES[self._address.get_backend_name()](self._address)
        self.make(tables)

    def make(self, tables: sa.MetaData) -> None:
        """Makes the tables that are missing; in one that is only read, they are all there."""
        if self._read_only:
            return
        with self._reached(), self._writer.connect() as connection:
            try:
                _make(connection, tables)
            except sa.exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise
                _make(connection, tables)  # another process made them at the same moment

    def close(self) -> None:
        """Gives back connections."""
        self._reader.dispose()

    def revision(self) -> int:
        """A number that grows with every change."""
        with self.read() as connection:
            return int(connection.scalar(sa.select(_revision.c.value)) or 0)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection to read with."""
        with self._reached(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[sa.Connection]:
        """One transaction; who finds nothing to change rolls it back.

        Raises:
            Conflict: It is only read.
        """
        with self.note() as connection:
            # First, so that writers on any database wait for one another here.
            connection.execute(sa.update(_revision).values(value=_revision.c.value + 1))
            yield connection

    @contextmanager
    def note(self) -> Iterator[sa.Connection]:
        """One transaction that nobody follows: the revision stays, and no writer waits.

        Raises:
            Conflict: It is only read.
        """
        if self._read_only:
            raise Conflict(
                "the catalog here is only read",
                hint="make the change where the models come from, then deploy again",
            )
        with self._reached(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except _AWAY as error:
            raise NotReady(
                f"catalog {self._name}: {self._said(error)}",
                hint="try again when it is back; numen doctor shows whether it is reached",
            ) from error

    def _said(self, error: sa.exc.SQLAlchemyError) -> str:
        """What the driver said, on one line and without the password."""
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        password = str(self._address.password or "")
        return (said.replace(password, "***") if password else said)[:300]


def _parse(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
        known = address.get_backend_name() in _ENGINES
    except (sa.exc.ArgumentError, ValueError):  # they may say the whole of it
        known = False
    if not known:
        raise InvalidInput(
            "catalog: expected a URL such as postgresql://user@host/name or sqlite:///path",
            field="catalog",
        )
    return address


def _make(connection: sa.Connection, tables: sa.MetaData) -> None:
    with connection.begin():
        _meta.create_all(connection)
        tables.create_all(connection)
        if connection.scalar(sa.select(_revision.c.value)) is None:
            connection.execute(sa.insert(_revision).values(id=1, value=0))


def now() -> str:
    """The time, as rows of tables hold it: ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
