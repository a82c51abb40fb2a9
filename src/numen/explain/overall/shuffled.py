"""How much worse a model gets where a column's values are dealt out anew among the rows.

Breiman, Random Forests (2001), 10; of any model: Fisher, Rudin and Dominici (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Final, TypeAlias

import msgspec
import numpy as np

from numen.core.manifest import EDGE, Column, places
from numen.core.signature import Array

REPEATS: Final = 5
_TINY: Final = 1e-7  # probabilities below count as this where logarithms are taken
_Z: Final = NormalDist().inv_cdf(0.975)
Answer: TypeAlias = Callable[[Array], Array]  # float32[n, …] rows to float[n, outputs]


class Grown(msgspec.Struct, frozen=True):
    """By how much something grew: the mean over the rows, and its 95 % interval."""

    mean: float
    low: float
    high: float


class Importance(msgspec.Struct, frozen=True):
    """What one column is worth to a model.

    Attributes:
        column: Its name.
        loss: How much the loss grows without what it says.
        error: How much the error grows.
    """

    column: str
    loss: Grown
    error: Grown

    @property
    def counts(self) -> bool:
        """Whether the model does worse without it, beyond chance."""
        return self.loss.low > 0


class Overall(msgspec.Struct, frozen=True):
    """What each column is worth to a model, on some rows.

    Attributes:
        rows: How many.
        loss: Of the rows as they are: mean cross-entropy in nats, or of quantities the squared
            error as a part of the target's variance.
        error: Of the rows as they are: the part that is wrong, or of quantities the absolute
            error in standard deviations of the target.
        columns: The columns, the one that is worth most first.
        method: How that was found.
    """

    rows: int
    loss: float
    error: float
    columns: tuple[Importance, ...]
    method: str


def row_losses(output: Array, target: Array) -> Array:
    """The loss and the error of each row, float64[n, 2].

    Of classes the cross-entropy and whether another is likelier, of labels of which a row carries
    any number the mean cross-entropy and whether one is wrong, of quantities the squared and the
    absolute error, by the variance and the standard deviation of each in these rows.

    Args:
        output: Probabilities float[n, labels], or values float[n, quantities].
        target: `int[n]` class indices, `bool[n, labels]`, or `float[n]` or `float[n, quantities]`.
    """
    said = output.astype(np.float64)
    if target.dtype.kind in "iu":
        of_true = np.clip(said[np.arange(len(said)), target], _TINY, 1)
        return np.stack([-np.log(of_true), said.argmax(1) != target], 1)
    if target.dtype.kind == "b":
        of_true = np.clip(np.where(target, said, 1 - said), _TINY, 1)
        return np.stack([-np.log(of_true).mean(1), ((said >= EDGE) != target).any(1)], 1)
    truth = target.astype(np.float64).reshape(len(said), -1)
    apart = np.abs(said - truth) / np.maximum(truth.std(0), 1e-12)
    return np.stack([(apart**2).mean(1), apart.mean(1)], 1)


def importance(
    answer: Answer,
    rows: Array,
    target: Array,
    columns: Sequence[Column],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    told: Callable[[int, str], None] = lambda _place, _name: None,
) -> Overall:
    """Shuffles one column after the other, all its numbers (of a window: all steps) together.

    The intervals say what other rows of the same kind would show. A row counts twice there, as it
    takes another's value and gives its own (Hoeffding 1948, of means over pairs).

    Args:
        answer: The model.
        rows: float32[n, width] or, of windows, float32[n, steps, width].
        target: As `row_losses` takes it.
        columns: What the columns are.
        repeats: How often each is shuffled.
        seed: The same seed shuffles the same.
        told: Hears the place and the name of the column that is next.
    """
    random = np.random.default_rng(seed)
    turns = [random.permutation(len(rows)) for _ in range(repeats)]
    before = row_losses(answer(rows), target)
    found = []
    for number, (place, column) in enumerate(places(columns)):
        told(number, column.name)
        part = slice(place, place + column.width)
        shuffled = np.concatenate([rows] * repeats)
        shuffled[..., part] = np.concatenate([rows[turn][..., part] for turn in turns])
        taken, given = np.zeros_like(before), np.zeros_like(before)
        for turn, said in zip(turns, np.split(answer(shuffled), repeats), strict=True):
            grown = row_losses(said, target) - before
            taken += grown / repeats
            given[turn] += grown / repeats
        found.append(Importance(column.name, *map(_grown, taken.T, given.T)))
    found.sort(key=lambda each: -each.loss.mean)
    loss, error = map(float, before.mean(0))
    method = (
        f"each column shuffled {repeats} times, seed {seed}; 95 %: the normal law of a mean over "
        f"pairs of {len(rows)} rows"
    )
    return Overall(len(rows), loss, error, tuple(found), method)


def _grown(taken: Array, given: Array) -> Grown:
    """The mean of what grew, of each row as it took a value and as it gave its own."""
    mean, rows = float(taken.mean()), len(taken)
    half = _Z * float((taken + given).std(ddof=1)) / rows**0.5 if rows > 1 else float("inf")
    return Grown(mean, mean - half, mean + half)
