"""Request heads that were read before, recalled by their exact bytes.

Only what uvicorn's parser has accepted is remembered, and only the very same bytes are recalled,
so nothing gets in that the parser would refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from numen.transport.caller import Head

_MOST: Final = 1024
_LONGEST: Final = 2048


@dataclass(frozen=True, slots=True)
class Target:
    """What a request's head says: which model, and how.

    Attributes:
        name: The model called.
        version: The version or alias called.
        head: The headers.
        keep_alive: Whether the connection goes on after the answer.
        sharing: Header lines of the answer that let a page of another origin read it.
    """

    name: str
    version: str | None
    head: Head
    keep_alive: bool
    sharing: bytes = b""


class Heads(dict[bytes, Target]):
    """What heads say, by their bytes."""

    def remember(self, head: bytes, target: Target, headers: int) -> None:
        """Remembers a head that the parser has just read and found well.

        Every line ends in CR LF, so the parser's head ends where the first empty line is, as
        that of the same bytes will next time. What changes with every call is not worth it.

        Args:
            head: The bytes up to the first empty line of what was received.
            target: What the parser read.
            headers: How many headers it read.
        """
        if (
            target.keep_alive
            and target.head.origin is None
            and head.startswith(b"POST ")
            and len(head) <= _LONGEST
            and head.count(b"\n") == head.count(b"\r\n") == headers + 2
        ):
            if len(self) >= _MOST:
                self.clear()
            self[head] = target
