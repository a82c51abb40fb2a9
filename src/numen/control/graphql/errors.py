"""What a GraphQL answer says of errors: numen's own with their codes, all others masked."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError

from numen.core.errors import Internal, InvalidInput, NumenError
from numen.core.observe import logger

_log = logger(__name__)


def as_numen(error: GraphQLError) -> NumenError:
    """What went wrong, in numen's terms. A defect is logged and masked.

    Syntax, validation and coercion errors are the library's own, and are the caller's mistakes.
    """
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    if isinstance(cause, NumenError):
        return cause
    if isinstance(cause, RecursionError):
        return InvalidInput("query: it is nested too deeply", field="query")
    if cause is None or (error.path is None and isinstance(cause, ValueError | TypeError)):
        return InvalidInput(error.message)
    _log.error("a GraphQL field failed", exc_info=cause)
    return Internal("numen failed on this request")


def entry_at(error: GraphQLError, known: NumenError) -> dict[str, Any]:
    """An entry of an answer's `errors`: what went wrong, and where in the document."""
    entry = entry_of(known)
    if error.locations:
        entry["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path is not None:
        entry["path"] = list(error.path)
    return entry


def entry_of(error: NumenError) -> dict[str, Any]:
    """An entry of an answer's `errors` with no place in the document."""
    extensions: dict[str, Any] = {**error.as_dict()}
    return {"message": extensions.pop("error"), "extensions": extensions}
