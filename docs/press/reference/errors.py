"""The error codes: what each means, and what each door makes of it."""

from __future__ import annotations

from numen.cli import EXIT
from numen.core.errors import NumenError
from numen.transport.status import GRPC, RETRY, STATUS
from press.reference.code import one_line

_HEAD = """# Errors

Everything that can go wrong has one of these codes. Over HTTP an error is
`{"error": …, "code": …, "hint": …, "field": …}` with the status below (TensorFlow Serving's,
GraphQL's and gRPC's doors keep their own shapes); in Python it is a `numen.NumenError`, or a
`ServerError` of the client; on the command line it is the exit status. Written from the code.

| Code | Meaning | HTTP | gRPC | Exit |
|---|---|---|---|---|
"""
_FOOT = """
Answers with {statuses} say in `Retry-After` in how many seconds it may be otherwise.
"""
# The names that gRPC gives its numbers.
_GRPC_NAMES = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


def write() -> str:
    """The page."""
    rows = [
        f"| `{kind.code}` | {one_line(kind.__doc__ or '')} | {STATUS[kind.code]} "
        f"| `{_GRPC_NAMES[GRPC[kind.code]]}` | {EXIT[kind.code]} |"
        for kind in NumenError.__subclasses__()
    ]
    foot = _FOOT.format(statuses=" and ".join(map(str, sorted(RETRY))))
    return _HEAD + "\n".join(rows) + "\n" + foot
