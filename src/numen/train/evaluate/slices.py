"""Where a model is weak: its rows by class and by the values of their columns.

Looking at many slices finds bad ones by chance, so what is called weak has been tested against
the other rows and corrected for how many were looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import Column
from numen.core.signature import Array
from numen.train.evaluate.figures import mean_interval, wilson
from numen.train.evaluate.report import Slice

_FEWEST: Final = 20  # rows; of fewer nothing can be said
_VALUES: Final = 20  # most values of a column that are looked at, the commonest first
_FEW: Final = 8  # distinct numbers that are looked at one by one
_LEVEL: Final = 0.05


def slices(
    score: Array,
    shares: bool,
    columns: Sequence[Column],
    table: Array | None,
    by: Sequence[str],
    classes: tuple[str, Array, Sequence[str]] | None,
) -> tuple[Slice, ...]:
    """The classes, all values of the columns asked for, and of all others those that are weak.

    Args:
        score: Of each row: whether it is right, or its absolute error; [rows].
        shares: It is whether rows are right, so more is better.
        columns: What the columns of `table` are.
        table: float32[rows, columns]; None where the data have no columns.
        by: Names of the columns asked for.
        classes: The target's name, its values int64[rows], or 0 and 1 of each label
            float[rows, labels], and the labels.

    Raises:
        InvalidInput: A column asked for is not there.
    """
    known = [column.name for column in columns] if table is not None else []
    for name in by:
        if name not in known:
            what = f"one of {', '.join(known)}" if known else "no column, as the data have none"
            raise InvalidInput(f'by: expected {what}, received "{name}"', field="by")
    found = []
    if classes:
        name, target, labels = classes
        found += [
            (name, label, target == place if target.ndim == 1 else target[:, place] > 0)
            for place, label in enumerate(labels)
        ]
    if table is not None:
        at = 0
        for column in columns:
            if column.width == 1:
                found += [(column.name, *part) for part in _parts(column, table[:, at])]
            at += column.width
    found = [part for part in found if _FEWEST <= part[2].sum() <= len(score) - 1]
    test = _fisher if shares else _mann_whitney
    ps = _holm([test(score, inside) for *_, inside in found])
    judged = []
    for (name, value, inside), p in zip(found, ps, strict=True):
        mine = score[inside]
        where = wilson(int(mine.sum()), len(mine)) if shares else mean_interval(mine)
        judged.append(
            Slice(name, value, len(mine), float(mine.mean()), where.low, where.high, p, p < _LEVEL)
        )
    asked = {*by, *([classes[0]] if classes else [])}
    return tuple(part for part in judged if part.column in asked or part.weak)


def _parts(column: Column, values: Array) -> Iterator[tuple[str, Array]]:
    """A column's values with the rows that have them."""
    missing = ~np.isfinite(values)
    if missing.any():
        yield "missing", missing
    there = values[~missing]
    if not len(there):
        return
    if column.categories is not None:
        counts = np.bincount(there.astype(int), minlength=len(column.categories))
        for code in np.argsort(-counts, kind="stable")[:_VALUES]:
            yield column.categories[code], values == code
        return
    distinct = np.unique(there)
    if len(distinct) <= _FEW:
        for number in distinct:
            yield f"{number:g}", values == number
        return
    edges = np.unique(np.quantile(there, (0, 0.25, 0.5, 0.75, 1)))
    for low, high in pairwise(edges):
        first = low == edges[0]
        inside = (values >= low if first else values > low) & (values <= high)
        yield f"{'' if first else '>'}{low:.4g} … {high:.4g}", inside


def _fisher(right: Array, inside: Array) -> float:
    """How likely so few or fewer of the rows inside are right (Fisher's exact test)."""
    from scipy.special import gammaln

    total, hits, size = len(right), int(right.sum()), int(inside.sum())
    least, seen = max(0, size - (total - hits)), int(right[inside].sum())

    def ways(n: Array | int, k: Array) -> Array:
        return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))

    k = np.arange(least, seen + 1)
    logs = ways(hits, k) + ways(total - hits, size - k) - ways(total, np.array(size))
    return float(min(1.0, np.exp(logs).sum()))


def _mann_whitney(error: Array, inside: Array) -> float:
    """How likely the errors inside rank so high or higher; by the normal law, ties allowed for."""
    _, place, count = np.unique(error, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    m, n = int(inside.sum()), int((~inside).sum())
    above = ranks[inside].sum() - m * (m + 1) / 2 - m * n / 2 - 0.5
    ties = (count**3.0 - count).sum() / ((m + n) * (m + n - 1))
    spread = (m * n / 12 * (m + n + 1 - ties)) ** 0.5
    return 1 - NormalDist().cdf(above / spread) if spread else 1.0


def _holm(ps: Sequence[float]) -> list[float]:
    """Corrected for being many (Holm 1979)."""
    order = np.argsort(ps)
    made, highest = [1.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, ps[place] * (len(ps) - rank)))
        made[place] = highest
    return made
