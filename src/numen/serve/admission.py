"""Who may call what. While nobody was given a key, everybody on this machine may.

The table of keys is immutable and replaced whole, so every check sees one state of it. Where keys
are kept and how they get here is not known here.

A key that was let in is remembered as it was sent until the next table, which spares the digest.
That look-up compares bytes only where their hashes, seeded anew in every process, are the same, so
its time says nothing of a key to whoever guesses at one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from hmac import compare_digest
from time import time
from typing import Final

from numen.core.errors import Forbidden, InvalidInput, Overloaded, Unauthenticated
from numen.core.key import Action, Key, digest
from numen.core.message import Grant
from numen.core.observe import logger

__all__ = ["Action", "Admission"]

_log = logger(__name__)
_HOW: Final = "send Authorization: Bearer nm_…, or X-API-Key"


class _Holder:
    """A key in the table; as a Grant it counts what its caller has under way."""

    __slots__ = ("_under_way", "key")

    def __init__(self, key: Key):
        self.key = key
        self._under_way = 0

    def take(self) -> None:
        """Counts one more request."""
        if self._under_way >= (self.key.max_concurrency or 0):
            raise Overloaded(
                f"key {self.key.id}: {self._under_way} requests are under way, "
                "which is as many as it may have",
                hint="wait for an answer before asking again",
            )
        self._under_way += 1

    def give_back(self) -> None:
        """Counts one less."""
        self._under_way -= 1


class Admission:
    """Leave to call models. Belongs to one event loop.

    Args:
        local: Only programs of this machine reach it, so it is open until the first key is made.
        insecure: It is open to all while there is no key, or none but revoked ones.
    """

    def __init__(self, *, local: bool = True, insecure: bool = False):
        self._local = local
        self._insecure = insecure
        self._known: dict[bytes, _Holder] = {}
        self._let_in: dict[bytes, _Holder] = {}  # by the key as sent; as many as there are keys
        self._open = local or insecure

    @classmethod
    def at(cls, host: str, keys: Collection[Key], *, insecure: bool) -> Admission:
        """The admission of a server that listens at an address.

        Args:
            host: The address as it is bound.
            keys: All keys that were ever made.
            insecure: Whether it shall serve without.

        Raises:
            InvalidInput: Others than this machine reach it, and no key is good for anything.
        """
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        now = time()
        if not (local or insecure or any(key.state(now) == "valid" for key in keys)):
            raise InvalidInput(
                f"host: {host} is reached from other machines, and there is no key",
                hint="make one with numen keys create NAME, or say --insecure to serve everybody",
                field="host",
            )
        admission = cls(local=local, insecure=insecure)
        admission.replace(keys)
        if admission.open and not local:
            _log.warning("--insecure: whoever reaches %s may use and change all models", host)
        return admission

    @property
    def open(self) -> bool:
        """Whether no key is asked for."""
        return self._open

    def replace(self, keys: Iterable[Key]) -> None:
        """Puts another table in place. What callers have under way goes on being counted.

        Args:
            keys: All keys that were ever made. Revoked ones open nothing, but as long as they
                are listed, a server is not opened to everybody by the last one's end.
        """
        before = {holder.key.id: holder for holder in self._known.values()}
        known: dict[bytes, _Holder] = {}
        ever = False
        for key in keys:
            ever = True
            if key.revoked is None:
                holder = before.get(key.id)
                if holder is None or holder.key != key:
                    holder = _Holder(key)
                known[key.digest] = holder
        self._known = known
        self._let_in = {}
        self._open = not known and (self._insecure or (self._local and not ever))

    def check(self, credential: bytes, model: str, action: Action) -> Grant | None:
        """The leave that a caller has, for `Request.grant`.

        Args:
            credential: The key as it was sent; empty where none was.
            model: The model called; empty for what concerns all of them.
            action: What is to be done.

        Raises:
            Unauthenticated: No key, or none that is known, valid and unexpired.
            Forbidden: The key does not go that far.
        """
        if self._open:
            return None
        holder = self._find(credential)
        if not holder.key.allows(model, action):
            what = f"model {model[:64]}" if model else "all models"
            raise Forbidden(f"key {holder.key.id} is not for {action} of {what}")
        return None if holder.key.max_concurrency is None else holder

    def allowed(self, credential: bytes, models: Iterable[str], action: Action) -> list[str]:
        """Those of the models that the caller may do this to.

        Raises:
            Unauthenticated: No key, or none that is known, valid and unexpired.
        """
        if self._open:
            return list(models)
        key = self._find(credential).key
        return [model for model in models if key.allows(model, action)]

    def _find(self, credential: bytes) -> _Holder:
        holder = self._let_in.get(credential) or self._recognize(credential)
        expires = holder.key.expires
        if expires is not None and time() >= expires:
            raise Unauthenticated(f"key {holder.key.id} has expired", hint="ask for another")
        return holder

    def _recognize(self, credential: bytes) -> _Holder:
        if not credential:
            raise Unauthenticated("a key is needed, none was sent", hint=_HOW)
        sent = digest(credential)
        holder = self._known.get(sent)
        if holder is None or not compare_digest(holder.key.digest, sent):
            raise Unauthenticated("the key is not known, or was revoked", hint=_HOW)
        self._let_in[credential] = holder
        return holder
