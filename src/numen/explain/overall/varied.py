"""What a model says as one column goes through its values and all others stay as they are.

The mean is Friedman's partial dependence (2001), the single rows Goldstein's individual
conditional expectation (2015). Rows are asked about that may not exist, such as tall children.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.fields import date_parts
from numen.core.manifest import Column, places
from numen.core.signature import Array
from numen.explain.overall.shuffled import Answer

POINTS: Final = 20  # values of a number that are tried
_EACH: Final = 50  # rows that are kept one by one
_RANGE: Final = (0.05, 0.95)  # of the rows; beyond, there is little to have learnt from
_DAY: Final = 86_400.0


class Dependence(msgspec.Struct, frozen=True):
    """How a model's answer goes with one column.

    Attributes:
        column: Its name.
        values: Those that were tried: numbers, names of categories, or dates.
        outputs: What the answers are: labels, of which the probabilities are told, or quantities.
        mean: Over the rows, by value (outer) and output (inner).
        each: Some single rows, by row, value and output.
        rows: How many the mean is of.
    """

    column: str
    values: tuple[float | str, ...]
    outputs: tuple[str, ...]
    mean: tuple[tuple[float, ...], ...]
    each: tuple[tuple[tuple[float, ...], ...], ...]
    rows: int


def dependence(
    answer: Answer,
    rows: Array,
    columns: Sequence[Column],
    name: str,
    outputs: Sequence[str],
    *,
    seed: int = 0,
) -> Dependence:
    """Tries the values of one column on all rows.

    Numbers and dates are tried between the 5th and the 95th percentile of the rows.

    Args:
        answer: The model.
        rows: float32[n, width] or, of windows, float32[n, steps, width], whose every step then
            has the value.
        columns: What the columns are.
        name: Which is tried.
        outputs: What the answers are called.
        seed: Of the single rows that are kept.

    Raises:
        InvalidInput: There is no such column, it is a text, or it has no value in these rows.
    """
    place, column = find_column(columns, name)
    values, numbers = _values(column, rows[..., place])
    said = []
    changed = np.array(rows)
    for each in numbers:
        changed[..., place : place + column.width] = each
        said.append(answer(changed).astype(np.float64))
    all_said = np.stack(said, 1)  # float64[n, values, outputs]
    kept = np.random.default_rng(seed).permutation(len(rows))[:_EACH]
    return Dependence(
        name, values, tuple(outputs), _plain(all_said.mean(0)),
        tuple(_plain(all_said[row]) for row in kept), len(rows),
    )  # fmt: skip


def find_column(columns: Sequence[Column], name: str) -> tuple[int, Column]:
    """The place of a column's first number, and the column.

    Raises:
        InvalidInput: There is none of that name.
    """
    for place, column in places(columns):
        if column.name == name:
            return place, column
    names = ", ".join(column.name for column in columns[:40])
    raise InvalidInput(f'column: expected one of {names}, received "{name}"', field="column")


def _values(column: Column, seen: Array) -> tuple[tuple[float | str, ...], list[list[float]]]:
    """Values to try as people write them, and the numbers each becomes."""
    if column.words:
        raise InvalidInput(
            f'column "{column.name}" is a text, which has no values to go through',
            hint="numen importance says what it is worth",
            field="column",
        )
    if column.categories is not None:
        return column.categories, [[float(code)] for code in range(len(column.categories))]
    there = seen[np.isfinite(seen)].astype(np.float64)
    if not len(there):
        raise InvalidInput(f'column "{column.name}" has no value in these rows', field="column")
    distinct = np.unique(there)
    if len(distinct) > POINTS:
        distinct = np.unique(np.quantile(there, np.linspace(*_RANGE, POINTS)))
    if column.date:
        days = np.unique(np.round(distinct)).tolist()
        written = tuple(str(date(1970, 1, 1) + timedelta(days=day)) for day in days)
        return written, [date_parts(day * _DAY) for day in days]
    return tuple(distinct.tolist()), [[number] for number in distinct.tolist()]


def _plain(table: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())
