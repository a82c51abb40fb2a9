"""A request's GraphQL operation: from a URL, a JSON body, or a multipart body with files.

Multipart follows the GraphQL multipart request specification. Batches are refused. A browser may
send multipart anywhere without asking first, so what another site sends is refused too.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from numen.control.graphql.negotiate import JSON, is_utf8, media_type
from numen.control.origin import other_site
from numen.core.errors import InvalidInput, TooLarge, UnsupportedMedia
from numen.transport.tensors import kind as kind_of

MULTIPART: Final = "multipart/form-data"
MAX_QUERY: Final = 128 << 10
MAX_FILES: Final = 16


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be executed."""

    query: str
    variables: dict[str, Any] | None
    name: str | None


async def read(request: Request) -> Operation:
    """Reads a request's operation.

    Raises:
        InvalidInput: It is malformed; what it lacks or has wrong is named.
        UnsupportedMedia: The body is neither JSON nor multipart, or not in UTF-8.
        TooLarge: The document is too long.
    """
    if request.method == "GET":
        return operation(_of_url(request))
    kind, parameters = media_type(request.headers.get("content-type", ""))
    if kind == JSON and is_utf8(parameters):
        return operation(_json(await request.body(), "body"))
    if kind == MULTIPART:
        return operation(await _of_form(request))
    raise UnsupportedMedia(
        f"Content-Type: expected {JSON} or {MULTIPART} in UTF-8, received {kind[:80]!r}",
        field="Content-Type",
    )


def from_other_site(request: Request) -> bool:
    """Whether a browser says that another site's page made this multipart request."""
    kind, _ = media_type(request.headers.get("content-type", ""))
    return request.method != "GET" and kind == MULTIPART and other_site(request.headers)


def operation(message: dict[str, Any]) -> Operation:
    """The operation in a message: `query`, `variables`, `operationName`.

    Raises:
        InvalidInput: It is malformed.
        TooLarge: The document is too long.
    """
    query, name = message.get("query"), message.get("operationName")
    if not isinstance(query, str) or not query:
        raise InvalidInput(
            f'"query": expected a GraphQL document as text, received '
            f"{'nothing' if query in (None, '') else kind_of(query)}",
            hint='send {"query": "{ models { name } }"}',
            field="query",
        )
    if len(query) > MAX_QUERY:
        raise TooLarge(
            f'"query": expected at most {MAX_QUERY} characters, received {len(query)}',
            hint="send values as variables",
            field="query",
        )
    if name is not None and not isinstance(name, str):
        raise InvalidInput(
            f'"operationName": expected text, received {kind_of(name)}', field="operationName"
        )
    for key in ("variables", "extensions"):
        value = message.get(key)
        if value is not None and not isinstance(value, dict):
            raise InvalidInput(f'"{key}": expected an object, received {kind_of(value)}', field=key)
    return Operation(query, message.get("variables"), name)


def _of_url(request: Request) -> dict[str, Any]:
    message: dict[str, Any] = dict(request.query_params)
    for key in ("variables", "extensions"):
        text = message.pop(key, "")
        if text:
            message[key] = _json(text.encode(), key)
    return message


def _json(text: bytes, field: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"{field}: expected JSON: {error}", field=field) from None
    if not isinstance(value, dict):
        hint = "send operations one by one" if isinstance(value, list) else None
        raise InvalidInput(
            f"{field}: expected a JSON object, received {kind_of(value)}", hint=hint, field=field
        )
    return value


async def _of_form(request: Request) -> dict[str, Any]:
    try:
        # The body's size is limited for all doors; operations may be as long as JSON may be.
        form = await request.form(max_files=MAX_FILES, max_fields=2, max_part_size=sys.maxsize)
    except HTTPException as error:
        raise InvalidInput(f"body: {error.detail}", field="body") from None
    except (ValueError, LookupError) as error:
        raise InvalidInput(f"body: expected {MULTIPART}: {error}", field="body") from None
    parts = {}
    for field in ("operations", "map"):
        text = form.get(field)
        if not isinstance(text, str):
            raise InvalidInput(f'part "{field}" is missing: expected JSON', field=field)
        parts[field] = _json(text.encode(), field)
    for name, paths in parts["map"].items():
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise InvalidInput(f'map: there is no file "{name[:80]}"', field="map")
        if not isinstance(paths, list):
            raise InvalidInput(
                f"map: expected a list of paths, received {kind_of(paths)}", field="map"
            )
        for path in paths:
            _place(parts["operations"], path, file)
    return parts["operations"]


def _place(operations: dict[str, Any], path: Any, file: UploadFile) -> None:
    """Puts a file where `variables.upload` or `variables.files.0` says; null must be there."""
    wrong = InvalidInput(
        f"map: expected the path of a variable that is null, received {str(path)[:80]!r}",
        hint='such as "variables.upload"',
        field="map",
    )
    if not isinstance(path, str) or not path.startswith("variables."):
        raise wrong
    place: Any = operations
    *way, last = path.split(".")
    for step in way:
        place = place[_key(place, step, wrong)]
    key = _key(place, last, wrong)
    if place[key] is not None:
        raise wrong
    place[key] = file


def _key(place: Any, step: str, wrong: InvalidInput) -> str | int:
    if isinstance(place, dict) and step in place:
        return step
    if (
        isinstance(place, list)
        and step.isascii()
        and step.isdigit()
        and len(step) < 10
        and int(step) < len(place)
    ):
        return int(step)
    raise wrong
