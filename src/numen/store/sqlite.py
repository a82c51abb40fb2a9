"""SQLite as the catalog's database: a file, for one machine."""

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
        if address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine, engine.execution_options(numen_writes=True)


def _prepare(connection: Any, _record: Any) -> None:
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
