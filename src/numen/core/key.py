"""What a key is: a secret shown once, what is kept of it, and how far it goes.

Only the SHA-256 of a secret is kept. It needs no salt and no slow hash: those protect what people
think up, while this is 256 random bits that nobody can guess through any hash. Keys are stored
elsewhere, and whether one opens a door is decided elsewhere.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias, get_args

from numen.core.errors import InvalidInput
from numen.core.reference import EXPLAINS, check_name

Action: TypeAlias = Literal["predict", "explain", "read", "manage"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
USUAL: Final[tuple[Action, ...]] = ("predict", "explain", "read")
EVERY: Final = "*"

_SECRET: Final = re.compile(r"nm_[A-Za-z0-9_-]{20,}")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = 100 * 366 * 86_400
_MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key; not the key itself.

    Attributes:
        id: What it is called by, 8 hexadecimal digits. It opens nothing.
        name: What it is for, in its owner's words.
        digest: SHA-256 of its secret.
        models: Names of the models it goes for; `*` is all of them.
        actions: What it may do; none of them implies another.
        created: When it was made, in seconds since 1970.
        expires: From when on it opens nothing, in seconds since 1970; None is never.
        revoked: When it was taken back; None where it was not.
        max_concurrency: Most predictions under way at once in one process; None is no limit.
    """

    id: str
    name: str
    digest: bytes = field(repr=False)
    models: tuple[str, ...]
    actions: tuple[Action, ...]
    created: int
    expires: int | None = None
    revoked: int | None = None
    max_concurrency: int | None = None

    def allows(self, model: str, action: Action) -> bool:
        """Whether its scope covers an action on a model; "" is all models together."""
        explained = model.removesuffix(EXPLAINS)
        if explained != model and action == "predict":
            return self.allows(explained, "explain") or self._covers(model, action)
        return self._covers(model, action)

    def _covers(self, model: str, action: Action) -> bool:
        return action in self.actions and (EVERY in self.models or model in self.models)

    def state(self, now: float) -> str:
        """`valid`, `expired` or `revoked`, at a time in seconds since 1970."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "valid"

    def as_dict(self, now: float) -> dict[str, Any]:
        """All of it but the digest, as plain data; times in ISO 8601."""
        return {
            "id": self.id, "name": self.name, "models": list(self.models),
            "actions": list(self.actions), "created": _iso(self.created),
            "expires": _iso(self.expires), "revoked": _iso(self.revoked),
            "max_concurrency": self.max_concurrency, "state": self.state(now),
        }  # fmt: skip


def mint(
    name: str,
    *,
    now: float,
    models: Collection[str] = (EVERY,),
    actions: Collection[str] = USUAL,
    expires: str | None = None,
    max_concurrency: int | None = None,
) -> tuple[Key, str]:
    """Makes a key.

    Args:
        name: What it is for, 1-64 printable characters.
        now: The time, in seconds since 1970.
        models: Names of models, or `*`.
        actions: Some of `ACTIONS`.
        expires: How long it is good for, such as `30d`; None is for ever.
        max_concurrency: Most predictions under way at once in one process.

    Returns:
        The key, and its secret, which is nowhere else.

    Raises:
        InvalidInput: One of these is not what it must be.
    """
    if not 0 < len(name) <= 64 or not name.isprintable() or _SECRET.search(name):
        raise InvalidInput("name: expected 1-64 printable characters", field="name")
    for model in models:
        if model != EVERY:
            check_name(model)
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown or not actions:
        raise InvalidInput(
            f"actions: expected some of {', '.join(ACTIONS)}, "
            f"received {redact(unknown[0])[:64] if unknown else 'none'}",
            field="actions",
        )
    if not models:
        raise InvalidInput("models: expected names or *, received none", field="models")
    if max_concurrency is not None and not 1 <= max_concurrency <= _MOST:
        raise InvalidInput(
            f"max_concurrency: expected 1-{_MOST}, received {max_concurrency}",
            field="max_concurrency",
        )
    secret = f"nm_{secrets.token_urlsafe(32)}"
    key = Key(
        id=secrets.token_hex(4),
        name=name,
        digest=digest(secret.encode()),
        models=tuple(dict.fromkeys(models)),
        actions=tuple(action for action in ACTIONS if action in actions),
        created=int(now),
        expires=None if expires is None else int(now) + lifetime(expires),
        max_concurrency=max_concurrency,
    )
    return key, secret


def digest(secret: bytes) -> bytes:
    """What is kept of a secret."""
    return sha256(secret).digest()


def lifetime(text: str) -> int:
    """Seconds in `90s`, `15m`, `12h`, `30d` or `52w`.

    Raises:
        InvalidInput: It is none of these, nothing, or over a hundred years.
    """
    match = re.fullmatch(r"([0-9]{1,10})([smhdw])", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= _LONGEST:
        raise InvalidInput(
            f'expires: expected a time such as 12h, 30d or 52w, received "{redact(text)[:64]}"',
            field="expires",
        )
    return seconds


def redact(text: str) -> str:
    """The text with any secret in it blotted out."""
    return _SECRET.sub("nm_…", text)


def _iso(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
