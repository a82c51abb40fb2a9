"""Everything that can go wrong, as one small tree with a closed set of codes.

numen raises these and nothing else on purpose. No transport is known here: each one, and the
command line, owns a table from code to status, and a test proves every table complete.

    NumenError
    ├── InvalidInput         a request, a recipe or an argument is not what it must be
    ├── InvalidData          a data set is broken: names the file and the row
    ├── UnsupportedMedia     a content type or encoding nobody here reads
    ├── TooLarge             over a stated limit
    ├── Unauthenticated      no key, or none that is known
    ├── Forbidden            the key does not go that far
    ├── NotFound             no such model, version, alias, dataset, run
    ├── Conflict             it exists already, or it is in use
    ├── MissingExtra         an optional package is not installed: names the command
    ├── ExportFailed         a model cannot become a bundle: unknown layer, parity over tolerance
    ├── CorruptBundle        bytes on disk are not what their digest says
    ├── NotReady             starting, draining or unloading; or a store is away
    ├── Overloaded           a queue is full; retry later
    ├── DeadlineExceeded     the answer could not be had in the time given
    ├── Cancelled            the caller went away or said stop
    └── Internal             a defect of ours, or of the model
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class NumenError(Exception):
    """Base of all errors numen raises on purpose.

    Args:
        message: What failed, what was expected and what was received.
        hint: What to do next, as a short imperative sentence.
        field: The input, column or setting at fault, where there is one.
        retry_after: In how many seconds it may be otherwise, where that is known.
    """

    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retry_after: float | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def as_dict(self) -> dict[str, str]:
        """The error as plain data: `error`, `code` and, where known, `hint` and `field`."""
        body = {"error": self.message, "code": self.code}
        if self.hint:
            body["hint"] = self.hint
        if self.field:
            body["field"] = self.field
        return body


class InvalidInput(NumenError):
    """A request, a recipe or an argument is not what it must be."""

    code = "invalid_input"


class InvalidData(NumenError):
    """A data set is broken; the message names the file and the row."""

    code = "invalid_data"


class UnsupportedMedia(NumenError):
    """A content type or encoding that this door does not read."""

    code = "unsupported_media"


class TooLarge(NumenError):
    """Something is over a stated limit."""

    code = "too_large"


class Unauthenticated(NumenError):
    """No key was given, or none that is known, valid and unexpired."""

    code = "unauthenticated"


class Forbidden(NumenError):
    """The key is known, but not for this model or this action."""

    code = "forbidden"


class NotFound(NumenError):
    """No such model, version, alias, dataset or run."""

    code = "not_found"


class Conflict(NumenError):
    """It exists already, or it is in use."""

    code = "conflict"


class MissingExtra(NumenError):
    """An optional package is not installed."""

    code = "missing_extra"

    @classmethod
    def of(cls, what: str, extra: str) -> MissingExtra:
        """The error for `what` needing `pip install "numen[extra]"`."""
        return cls(f"{what} needs an optional package", hint=f'pip install "numen[{extra}]"')


class ExportFailed(NumenError):
    """A model cannot become a bundle."""

    code = "export_failed"


class CorruptBundle(NumenError):
    """Bytes on disk are not what their digest says."""

    code = "corrupt_bundle"


class NotReady(NumenError):
    """Starting, draining or unloading; or the catalog or the blobs are away."""

    code = "not_ready"


class Overloaded(NumenError):
    """A queue is full."""

    code = "overloaded"


class DeadlineExceeded(NumenError):
    """The answer could not be had in the time given."""

    code = "deadline_exceeded"


class Cancelled(NumenError):
    """The caller went away or said stop."""

    code = "cancelled"


class Internal(NumenError):
    """A defect of numen's or of the model's."""

    code = "internal"


def meant(word: str, known: Iterable[str]) -> str | None:
    """A hint at what was probably meant by a word that is none of those known."""
    from difflib import get_close_matches  # only who errs waits for it

    near = get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def codes() -> frozenset[str]:
    """The closed set of error codes."""
    return frozenset(kind.code for kind in NumenError.__subclasses__())
