"""Which rows are most like one: prototypes that say by example what a model has seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from numen.core.manifest import Column, places
from numen.core.signature import Array


class Alike(msgspec.Struct, frozen=True):
    """A row that is much like another one.

    Attributes:
        row: Its place in the split.
        fields: Its numbers and categories; None is missing. Dates and texts are left out.
        distance: From the row asked about.
        truth: Its target, in words.
        answer: What the model says of it.
    """

    row: int
    fields: dict[str, float | str | None]
    distance: float
    truth: str
    answer: dict[str, Any]


def distances(rows: Array, row: Array, columns: Sequence[Column]) -> Array:
    """How far rows are from one, float64[n]: summed over the columns, after Gower (1971).

    A number counts by its difference in standard deviations of these rows, another category as 1,
    and so does a value that only one of them has; a date or a text by the mean of its numbers.

    Args:
        rows: float32[n, width].
        row: float32[width].
        columns: What the columns are.
    """
    total = np.zeros(len(rows))
    for place, column in places(columns):
        part = slice(place, place + column.width)
        theirs, ours = rows[:, part].astype(np.float64), row[part].astype(np.float64)
        if column.categories is not None:
            apart = (theirs != ours).astype(np.float64)
        else:
            apart = np.abs(theirs - ours) / _spread(theirs)
        one = np.isnan(theirs) != np.isnan(ours)
        both = np.isnan(theirs) & np.isnan(ours)
        total += np.where(one, 1.0, np.where(both, 0.0, apart)).mean(1)
    return total


def _spread(values: Array) -> Array:
    """The standard deviation of each column's values that are there; 1 where all are alike."""
    there = ~np.isnan(values)
    count = np.maximum(there.sum(0), 1)
    mean = np.where(there, values, 0).sum(0) / count
    spread = (np.where(there, values - mean, 0) ** 2).sum(0) / count
    return np.where(spread > 0, spread, 1.0) ** 0.5


def fields(row: Array, columns: Sequence[Column]) -> dict[str, float | str | None]:
    """A row's numbers and categories by name."""
    found: dict[str, float | str | None] = {}
    for place, column in places(columns):
        if column.date or column.words:
            continue
        found[column.name] = value_of(column, row[place])
    return found


def value_of(column: Column, number: np.float32) -> float | str | None:
    """A number of a row as people write it: a category's name, or None where it is missing."""
    if np.isnan(number):
        return None
    if column.categories is not None:
        return column.categories[int(number)]
    return float(str(number))  # the shortest that is this number of 32 bits
