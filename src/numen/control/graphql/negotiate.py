"""Which media types a request brings and takes, by the GraphQL-over-HTTP specification.

Parameters other than `charset` and `q` say nothing here; a charset other than UTF-8 is refused.
"""

from __future__ import annotations

from typing import Final

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
PAGE: Final = "text/html"

# What a range that names no one type means: the type every client reads.
_RANGES: Final = {JSON: JSON, GRAPHQL: GRAPHQL, "application/*": JSON, "*/*": JSON}


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case, and its parameters: `text/html; q=0.9`."""
    kind, *rest = header.split(";")
    parameters = {}
    for item in rest:
        name, _, value = item.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    return kind.strip().lower(), parameters


def is_utf8(parameters: dict[str, str]) -> bool:
    """Whether a media type's charset is UTF-8, which it is when none is given."""
    return parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")


def choose(accept: str | None) -> str | None:
    """The media type to answer with: the most wanted, and of several such the first.

    Args:
        accept: The Accept header; None or empty takes anything.

    Returns:
        `JSON`, `GRAPHQL`, or None where the client takes neither.
    """
    best, chosen = 0.0, None
    for kind, weight in _wanted(accept or "*/*"):
        if kind in _RANGES and weight > best:
            best, chosen = weight, _RANGES[kind]
    return chosen


def wants_page(accept: str | None) -> bool:
    """Whether the client is a browser that shows pages."""
    return any(kind == PAGE and weight > 0 for kind, weight in _wanted(accept or ""))


def _wanted(accept: str) -> list[tuple[str, float]]:
    ranges = []
    for item in accept.split(","):
        kind, parameters = media_type(item)
        if is_utf8(parameters):
            ranges.append((kind, _weight(parameters.get("q", "1"))))
    return ranges


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
