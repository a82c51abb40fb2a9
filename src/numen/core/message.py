"""What travels on the fast road: a Request in, an Answer out.

Transports decode bytes to a Request and encode an Answer; nothing between them sees a protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from numen.core.errors import NumenError
from numen.core.signature import Array


class Grant(Protocol):
    """A caller's leave to have so many requests under way."""

    def take(self) -> None:
        """Counts one more.

        Raises:
            Overloaded: There are as many as the caller may have.
        """

    def give_back(self) -> None:
        """Counts one less."""


class Trace(Protocol):
    """A record of what becomes of one request, kept for those that are traced."""

    def ran(self, variant: str, rows: int, begin: float, end: float) -> None:
        """Takes note of the run it was part of: of so many rows, from when until when.

        Times are in seconds of `time.monotonic()`. For any thread.
        """


@dataclass(frozen=True, slots=True)
class Origin:
    """What a caller calls its request.

    Attributes:
        parent: The caller's span, as a W3C `traceparent`; empty where it has none.
        request_id: Its `X-Request-Id`; empty where it gave none.
    """

    parent: str = ""
    request_id: str = ""


@dataclass(slots=True)
class Request:
    """One call of a model.

    Attributes:
        model: The model's name.
        inputs: Arrays by input name, each `[rows, …]`.
        version: A version number or an alias; None is the default version.
        id: The caller's own id, echoed in the answer.
        deadline: When the answer is no longer wanted, in seconds of `time.monotonic()`.
        rows: Number of rows, where the inputs' types and sizes were checked already, else 0.
        grant: The caller's leave, where callers need one.
        cancelled: Set when the caller has gone away; the work is dropped if it has not begun.
        probe: Whether the server asks itself, which is not counted.
        origin: What the caller calls it, where it gave a name.
        trace: Where its run is noted, if it is traced.
    """

    model: str
    inputs: dict[str, Array]
    version: str | None = None
    id: str | None = None
    deadline: float | None = None
    rows: int = 0
    grant: Grant | None = None
    cancelled: bool = False
    probe: bool = False
    origin: Origin | None = None
    trace: Trace | None = None


@dataclass(slots=True)
class Answer:
    """What a model said.

    Attributes:
        model: The model's name.
        version: The version that answered.
        outputs: Arrays by output name, as many rows as were asked.
        variant: Which of the version's variants answered, such as `fp32`.
        degraded: Whether a better variant was passed over for want of time.
    """

    model: str
    version: str
    outputs: dict[str, Array] = field(default_factory=dict)
    variant: str = ""
    degraded: bool = False

    @property
    def served_by(self) -> str:
        """Who answered: `digits@3/int8`."""
        return f"{self.model}@{self.version}/{self.variant}"

    @property
    def outcome(self) -> Literal["met", "degraded"]:
        """Whether it was the best there is."""
        return "degraded" if self.degraded else "met"


Outcome: TypeAlias = Answer | NumenError
Done: TypeAlias = Callable[[Outcome], None]
