"""How people name a model: `digits`, `digits@3`, `digits@champion`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from numen.core.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_ALIAS = re.compile(r"[a-z](?:[a-z0-9_-]{0,62}[a-z0-9])?")

DEFAULT_ALIAS = "champion"
EXPLAINS = ".explain"  # behind a model's name: the model that says why it answers so


@dataclass(frozen=True, slots=True)
class Reference:
    """A model's name and, where given, a version number or an alias."""

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Reads `name`, `name@3` or `name@alias`.

        Raises:
            InvalidInput: The text is none of these.
        """
        name, at, tail = text.partition("@")
        check_name(name)
        if not at:
            return cls(name)
        if tail.isascii() and tail.isdigit() and 0 < len(tail) < 10:
            return cls(name, version=int(tail))
        return cls(name, alias=check_alias(tail))

    def __str__(self) -> str:
        tail = self.alias if self.version is None else self.version
        return self.name if tail is None else f"{self.name}@{tail}"


def check_name(name: str, what: str = "model") -> str:
    """Returns `name` if a model or dataset may be called so.

    Raises:
        InvalidInput: It is empty, too long, or holds other than a-z 0-9 . _ -
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{what} name: expected 1-64 of a-z 0-9 . _ - (ends are a letter or digit), "
            f'received "{name}"',
            field="name",
        )
    return name


def check_alias(alias: str) -> str:
    """Returns `alias` if an alias may be called so.

    Raises:
        InvalidInput: It does not begin with a letter, is too long, or holds odd characters.
    """
    if not _ALIAS.fullmatch(alias):
        raise InvalidInput(
            f'alias: expected a letter, then up to 63 of a-z 0-9 _ -, received "{alias}"',
            field="alias",
        )
    return alias
