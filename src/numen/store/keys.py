"""Keys on disk: who was given which, and how far it goes. Of a secret, only its digest is here.

A revoked key is marked, not removed: it stays known who had it, and a server whose last key ends
is not one to which nobody was ever given a key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

import sqlalchemy as sa

from numen.core.errors import InvalidInput, NotFound
from numen.core.key import ACTIONS, EVERY, USUAL, Key, mint, redact
from numen.core.observe import logger
from numen.store.database import Database

_log = logger(__name__)
_meta = sa.MetaData()
_keys = sa.Table(
    "keys",
    _meta,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("models", sa.JSON, nullable=False),
    sa.Column("actions", sa.JSON, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.Column("expires", sa.BigInteger),
    sa.Column("revoked", sa.BigInteger),
    sa.Column("max_concurrency", sa.Integer),
)


class Keys:
    """The keys in a database; their table is made when missing."""

    def __init__(self, database: Database):
        self._database = database
        database.make(_meta)

    def create(
        self,
        name: str,
        *,
        models: Collection[str] = (EVERY,),
        actions: Collection[str] = USUAL,
        expires: str | None = None,
        max_concurrency: int | None = None,
    ) -> tuple[Key, str]:
        """Makes a key; see `numen.core.key.mint`.

        Returns:
            The key, and its secret, which is nowhere else.

        Raises:
            InvalidInput: What it shall be is not what that must be.
        """
        key, secret = mint(
            name, now=time.time(), models=models, actions=actions, expires=expires,
            max_concurrency=max_concurrency,
        )  # fmt: skip
        with self._database.change() as connection:
            connection.execute(sa.insert(_keys).values(**_row(key)))
        return key, secret

    def replace(self, held: Iterable[Key]) -> None:
        """Makes these, which were made elsewhere, all the keys that there are."""
        with self._database.change() as connection:
            connection.execute(sa.delete(_keys))
            for key in held:
                connection.execute(sa.insert(_keys).values(**_row(key)))

    def all(self) -> list[Key]:
        """All keys that were ever made, oldest first."""
        query = sa.select(_keys).order_by(_keys.c.created, _keys.c.id)
        with self._database.read() as connection:
            return [_key(row) for row in connection.execute(query)]

    def revoke(self, id_: str) -> Key:
        """Takes a key back; servers follow within a second. Taking it back again changes nothing.

        Raises:
            NotFound: There is no such key.
            InvalidInput: It is a secret, not an id.
        """
        if redact(id_) != id_:
            raise InvalidInput(
                "id: that is a key's secret, expected its id",
                hint="numen keys ls shows ids",
                field="id",
            )
        with self._database.change() as connection:
            row = connection.execute(sa.select(_keys).where(_keys.c.id == id_)).first()
            if row is None:
                raise NotFound(f'key "{id_[:64]}" does not exist', hint="numen keys ls shows ids")
            if row.revoked is not None:
                connection.rollback()
                return _key(row)
            connection.execute(
                sa.update(_keys).where(_keys.c.id == id_).values(revoked=int(time.time()))
            )
            row = connection.execute(sa.select(_keys).where(_keys.c.id == id_)).one()
            return _key(row)

    def revision(self) -> object:
        """Something that differs after every change."""
        return self._database.revision()


class Kept(Protocol):
    """Where keys are kept: `Keys`, or a file of them."""

    def all(self) -> list[Key]:
        """All keys that were ever made, oldest first."""
        ...

    def revision(self) -> object:
        """Something that differs after every change."""
        ...


async def follow(keys: Kept, replace: Callable[[list[Key]], None], poll: float) -> None:
    """Tells of every change, for ever. Where they are away, what is known stays as it is.

    Not a part of following models: one that opens for a minute must not keep a key alive.

    Args:
        keys: Where they are kept.
        replace: Called on the loop with all keys, at once and whenever they may have changed.
        poll: Seconds between looks.
    """
    seen: object = None
    away = False
    while True:
        try:
            revision = await asyncio.to_thread(keys.revision)
            if revision != seen:
                replace(await asyncio.to_thread(keys.all))
                seen = revision
            if away:
                _log.warning("keys can be read again")
            away = False
        except Exception as error:
            if not away:
                _log.warning("keys cannot be read; those known stay: %s", error)
            away = True
        await asyncio.sleep(poll)


def _row(key: Key) -> dict[str, Any]:
    row = {column.name: getattr(key, column.name) for column in _keys.columns}
    return row | {"models": list(key.models), "actions": list(key.actions)}


def _key(row: sa.Row[Any]) -> Key:
    # What a later numen allows and this one does not know is not allowed here.
    actions = tuple(action for action in row.actions if action in ACTIONS)
    return Key(
        id=row.id,
        name=row.name,
        digest=bytes(row.digest),
        models=tuple(row.models),
        actions=actions,
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
        max_concurrency=row.max_concurrency,
    )
