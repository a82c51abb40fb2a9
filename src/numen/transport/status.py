"""Which HTTP and gRPC status stands for which error code. A test proves the tables complete."""

from __future__ import annotations

from math import ceil
from typing import Any, Final

import orjson

from numen.core.errors import NumenError

STATUS: Final = {
    "invalid_input": 400,
    "invalid_data": 422,
    "unsupported_media": 415,
    "too_large": 413,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "missing_extra": 501,
    "export_failed": 422,
    "corrupt_bundle": 500,
    "not_ready": 503,
    "overloaded": 429,
    "deadline_exceeded": 504,
    "cancelled": 499,
    "internal": 500,
}
RETRY: Final = frozenset({429, 503})
LONGEST_RETRY: Final = 3600
# 3 invalid argument, 8 resource exhausted, 9 failed precondition, 12 unimplemented, 15 data loss.
GRPC: Final = {
    "invalid_input": 3,
    "invalid_data": 3,
    "unsupported_media": 12,
    "too_large": 8,
    "unauthenticated": 16,
    "forbidden": 7,
    "not_found": 5,
    "conflict": 9,
    "missing_extra": 12,
    "export_failed": 9,
    "corrupt_bundle": 15,
    "not_ready": 14,
    "overloaded": 8,
    "deadline_exceeded": 4,
    "cancelled": 1,
    "internal": 13,
}


def status_of(error: NumenError) -> int:
    """The HTTP status of an error."""
    return STATUS[error.code]


def error_body(error: NumenError) -> bytes:
    """The error as the JSON that all of numen's own HTTP doors send."""
    return orjson.dumps(error.as_dict())


def headers_of(error: NumenError) -> dict[str, str]:
    """Headers that go with an error."""
    status = status_of(error)
    if status in RETRY:
        return {"retry-after": str(min(max(1, ceil(error.retry_after or 1)), LONGEST_RETRY))}
    return {"www-authenticate": "Bearer"} if status == 401 else {}


# What the doors' OpenAPI says of errors.
ERROR_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error", "code"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string", "enum": sorted(STATUS)},
        "hint": {"type": "string"},
        "field": {"type": "string"},
    },
}


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's words for the error statuses a route may answer with."""
    content = {"application/json": {"schema": ERROR_SCHEMA}}
    return {code: {"description": "Error", "content": content} for code in codes}
