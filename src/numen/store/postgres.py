"""Postgres as the catalog's database, for several machines: nothing waits for it for ever.

A server that is gone says so at once. One that hangs is given seconds, then its connection is
dropped and the next use makes a new one.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from numen.core.errors import MissingExtra

# Longest that a connection may take to be made, and each statement to be answered, in seconds.
_CONNECT: Final = 3
_ANSWER: Final = 4.0
# What one process keeps open while it only follows, and has at most.
_KEPT, _MOST = 2, 10
# Writers wait for one another less long than for an answer. A transaction whose host fell silent
# would else keep all others from writing until TCP gives it up, in hours.
_PREPARE: Final = "SET lock_timeout = '3s'; SET idle_in_transaction_session_timeout = '10s'"


def engines(address: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """Who reads and who writes.

    Raises:
        MissingExtra: Its driver is not installed.
    """
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    try:
        engine = sa.create_engine(
            address, isolation_level="READ COMMITTED", pool_pre_ping=True,
            pool_size=_KEPT, max_overflow=_MOST - _KEPT, pool_timeout=_ANSWER,
        )  # fmt: skip
    except ModuleNotFoundError as error:
        raise MissingExtra.of("a catalog on Postgres", "postgres") from error
    sa.event.listen(engine, "do_connect", _connect)
    sa.event.listen(engine, "connect", _prepare)
    # Each statement that only reads stands for itself: no BEGIN and no ROLLBACK on the way.
    return engine.execution_options(isolation_level="AUTOCOMMIT"), engine


def _connect(_dialect: Any, _record: Any, arguments: Any, named: dict[str, Any]) -> Any:
    named.setdefault("connect_timeout", _CONNECT)
    return _bounded().connect(*arguments, **named)


def _prepare(connection: Any, _record: Any) -> None:
    connection.autocommit = True
    connection.execute(_PREPARE)
    connection.autocommit = False


@cache
def _bounded() -> Any:
    """The driver's connection, which waits so long for an answer and no longer."""
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        def wait(self, *args: Any, **named: Any) -> Any:
            end = time.monotonic() + _ANSWER
            try:
                return super().wait(*args, **{"timeout": _ANSWER, **named})
            except psycopg.OperationalError:
                if time.monotonic() >= end:
                    self.pgconn.finish()  # what it would answer yet must not be taken for another's
                raise

    return Bounded
