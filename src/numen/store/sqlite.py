"""SQLite as the catalog's database: a file, for one machine.

A file that is moved away is away, and no other is made in its place; one that is put there is read
from then on.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa


def engines(address: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """Who reads and who writes; with `mode=ro`, nothing is made."""
    engine = sa.create_engine(address, pool_pre_ping=True)
    if address.query.get("mode") != "ro":
        path = Path((address.database or "").removeprefix("file:"))
        path.parent.mkdir(parents=True, exist_ok=True)
        place = _Place(path)
        sa.event.listen(engine, "do_connect", place.expect)
        sa.event.listen(engine, "connect", place.enter)
        sa.event.listen(engine, "checkout", place.compare)
    sa.event.listen(engine, "begin", _begin)
    return engine, engine.execution_options(numen_writes=True)


class _Place:
    """Keeps connections to the file that lies at a path, as a file goes on without its name."""

    def __init__(self, path: Path):
        self._path = path
        self._made = False

    def expect(self, _dialect: Any, _record: Any, _arguments: Any, _named: Any) -> None:
        """Before a connection is opened, which would make a file that is missing."""
        if self._made and not self._path.exists():
            raise sqlite3.OperationalError("unable to open database file: it is gone")

    def enter(self, connection: Any, record: Any) -> None:
        """A new connection."""
        _prepare(connection)
        record.info["file"] = self._file()
        self._made = True

    def compare(self, _connection: Any, record: Any, _proxy: Any) -> None:
        """A connection is to be used again."""
        if record.info["file"] != self._file():
            raise sa.exc.DisconnectionError("another file is there")

    def _file(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _prepare(connection: Any) -> None:
    connection.isolation_level = None  # the driver would begin too late; `_begin` does
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


def _begin(connection: sa.Connection) -> None:
    # A writer takes its lock at once: a reader that turns writer midway may not wait for it.
    writes = connection.get_execution_options().get("numen_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
