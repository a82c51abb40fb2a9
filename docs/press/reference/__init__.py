"""The reference, written from the code each time the site is built, so that it is never stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from press.reference import command_line, errors, families, graphql, http, python, settings

PAGES: Final[dict[str, Callable[[], str]]] = {
    "python": python.write,
    "command-line": command_line.write,
    "settings": settings.write,
    "families": families.write,
    "http": http.write,
    "graphql": graphql.write,
    "errors": errors.write,
}
