"""What the schema's types share: fields described by their docstrings, and finite numbers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField


def documented(resolver: Callable[..., Any]) -> StrawberryField:
    """A field that the schema describes in the words of its resolver's docstring."""
    return strawberry.field(resolver, description=inspect.getdoc(resolver))


def finite(value: float | None) -> float | None:
    """A number as GraphQL can carry it: null where it is not finite."""
    return value if value is not None and math.isfinite(value) else None
