"""Keys in a file, a line of JSON each, for where a catalog cannot hold them: a container's secret.

As in the catalog, only digests are here. Who puts another file in its place has changed the keys;
a server that follows it knows within a second.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import msgspec

from numen.core.errors import Conflict, InvalidInput, NotFound
from numen.core.key import ACTIONS, EVERY, USUAL, Key, mint, redact


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A key as its line says it; see `numen.core.key.Key`."""

    id: str
    name: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    models: list[str]
    actions: list[str]
    created: int = 0
    expires: int | None = None
    revoked: int | None = None
    max_concurrency: Annotated[int, msgspec.Meta(ge=1)] | None = None


class KeyFile:
    """The keys in a file; none where there is no file."""

    def __init__(self, path: Path):
        self._path = path.expanduser().absolute()

    def all(self) -> list[Key]:
        """All its keys, in the file's order.

        Raises:
            InvalidInput: A line is no key; what it holds is not repeated, for it may be a secret.
        """
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return []
        keys = []
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip():
                continue
            try:
                keys.append(_key(msgspec.json.decode(line, type=_Line)))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InvalidInput(
                    f"{self._path}, line {number}: expected a key as JSON: {error}",
                    hint="numen keys create NAME --file FILE writes one",
                    field="keys_file",
                ) from None
        return keys

    def revision(self) -> object:
        """Something that differs after every change."""
        try:
            about = self._path.stat()
        except FileNotFoundError:
            return "none"
        return about.st_ino, about.st_mtime_ns, about.st_size

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
            InvalidInput: What it shall be is not what that must be, or the file holds other things.
            Conflict: The file cannot be written.
        """
        key, secret = mint(
            name, now=time.time(), models=models, actions=actions, expires=expires,
            max_concurrency=max_concurrency,
        )  # fmt: skip
        self._write([*self.all(), key])
        return key, secret

    def revoke(self, id_: str) -> Key:
        """Takes a key back. Taking it back again changes nothing.

        Raises:
            NotFound: There is no such key.
            Conflict: The file cannot be written.
        """
        keys = self.all()
        for number, key in enumerate(keys):
            if key.id == id_:
                if key.revoked is None:
                    line = _line(key)
                    line.revoked = int(time.time())
                    keys[number] = _key(line)
                    self._write(keys)
                return keys[number]
        raise NotFound(
            f'key "{redact(id_)[:64]}" is not in {self._path}',
            hint="numen keys ls --file shows ids",
        )

    def _write(self, keys: list[Key]) -> None:
        """Replaces the file in one step."""
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        text = b"".join(msgspec.json.encode(_line(key)) + b"\n" for key in keys)
        try:
            partial.write_bytes(text)
            partial.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            raise Conflict(
                f"{self._path} cannot be written: {error.strerror}",
                hint="change the file where it comes from; servers follow it",
            ) from error


def _key(line: _Line) -> Key:
    # What a later numen allows and this one does not know is not allowed here.
    return Key(
        id=line.id, name=line.name, digest=bytes.fromhex(line.sha256), models=tuple(line.models),
        actions=tuple(action for action in ACTIONS if action in line.actions),
        created=line.created, expires=line.expires, revoked=line.revoked,
        max_concurrency=line.max_concurrency,
    )  # fmt: skip


def _line(key: Key) -> _Line:
    return _Line(
        key.id, key.name, key.digest.hex(), list(key.models), list(key.actions), key.created,
        key.expires, key.revoked, key.max_concurrency,
    )  # fmt: skip
