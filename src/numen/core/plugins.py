"""Plug-ins, found by name. numen's own come in by the same door as anybody's: entry points.

A seam is an entry-point group such as `numen.trainers`; a plug-in is one name in it. Nothing is
imported before it is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from numen.core.errors import InvalidInput, MissingExtra

_EXTRA_OF_GROUP = {
    "numen.bodies": "train",
    "numen.trainers": "train",
    "numen.exporters": "train",
    "numen.readers": "train",
    "numen.sources": "train",
}
# Packages that come with an extra of their own.
_EXTRA_OF_PACKAGE = {"xgboost": "xgboost"}


@cache
def _group(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def names(group: str) -> list[str]:
    """The plug-ins of a seam, sorted by name."""
    return sorted(_group(group))


def load(group: str, name: str) -> Any:
    """The object registered as `name` in the seam `group`.

    Raises:
        InvalidInput: No plug-in has that name.
        MissingExtra: It is there, but a package it needs is not installed.
    """
    point = _group(group).get(name)
    if point is None:
        seam = group.removeprefix("numen.")
        raise InvalidInput(f'{seam}: expected one of {names(group)}, received "{name}"', field=seam)
    try:
        return point.load()
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package == "numen":
            raise
        extra = _EXTRA_OF_PACKAGE.get(package) or _EXTRA_OF_GROUP.get(group, name)
        raise MissingExtra.of(f'"{name}" ({error.name})', extra) from error
