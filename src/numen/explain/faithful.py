"""How far an explanation can be trusted: what happens when what it names is taken away.

Whoever explains well names first what the answer hangs on. So what is named is taken away, the
most important first, and the answer must fall sooner than when things are taken in any order
(deletion, Petsiuk et al. 2018). Beside it: whether attributions add up, whether a little noise
changes them, and whether they notice that the model has learnt nothing (Adebayo et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from numen.core.signature import Array

Score = Callable[[Array, int], Array]
STEPS: Final = 10  # in which all is taken away
_ORDERS: Final = 2  # of chance that are compared with
_LEAST: Final = 0.02  # of the largest change by taking all away: below it a row tells nothing
_NOISE: Final = 0.01  # of how far values are spread
_SEED: Final = 20_261_125


@dataclass(frozen=True)
class Rows:
    """Rows whose answers were explained.

    Attributes:
        given: The model's input, `[rows, …]`; of texts `object[rows, 1]`.
        values: Attributions: as `given` is shaped, or of each text's pieces, `[rows, pieces]`.
        tokens: The pieces of texts, `[rows, pieces]`, empty where there is none; None of numbers.
        baseline: What takes the place of a number that is taken away, `[1, …]`.
    """

    given: Array
    values: Array
    tokens: Array | None
    baseline: Array

    def __len__(self) -> int:
        return len(self.given)

    def without(self, row: int, places: Array) -> Array:
        """A row, `[1, …]`, without the numbers or pieces at these places of its attributions."""
        if self.tokens is not None:
            gone = {int(place) for place in places}
            kept = [
                str(token)
                for place, token in enumerate(self.tokens[row])
                if str(token) and place not in gone
            ]
            made = np.empty((1, 1), object)
            made[0, 0] = " ".join(kept)
            return made
        flat = self.given[row].reshape(-1).copy()
        flat[places] = np.broadcast_to(self.baseline[0], self.given[row].shape).reshape(-1)[places]
        less: Array = flat.reshape(1, *self.given.shape[1:])
        return less

    def places(self, row: int) -> Array:
        """Those of the row that can be taken away."""
        if self.tokens is not None:
            return np.flatnonzero([bool(str(token)) for token in self.tokens[row]])
        return np.arange(self.values[row].size)


def deletion(score: Score, rows: Rows, steps: int = STEPS, seed: int = _SEED) -> dict[str, float]:
    """How soon the answer falls when what is named first is taken away first.

    Args:
        score: `[n, …]` as the model's input, and which row they were made of, to what is explained
            of that row, `float[n]`.
        rows: What was explained.
        steps: In which all is taken away.
        seed: Of the orders of chance.

    Returns:
        `deletion` and `deletion_random`: the mean height of the curve between the lowest and the
        highest answer to the row, 0 to 1, in the order of the attributions and in orders of chance.
        Nothing where no row's answer hangs on its input.
    """
    source = np.random.default_rng(seed)
    spans, named, chance = [], [], []
    for row in range(len(rows)):
        places = rows.places(row)
        order = places[np.argsort(-rows.values[row].reshape(-1)[places], kind="stable")]
        orders = [order, *(source.permutation(places) for _ in range(_ORDERS))]
        counts = _counts(len(places), steps)
        less = [rows.without(row, one[:count]) for one in orders for count in counts]
        ends = [rows.without(row, places[:0]), rows.without(row, places)]
        heights = score(np.concatenate([*less, *ends]), row)
        low, high = heights.min(), heights.max()
        spans.append(high - low)
        heights = ((heights - low) / (high - low or 1))[: -len(ends)].reshape(len(orders), -1)
        named.append(heights[0].mean())
        chance.append(heights[1:].mean())
    told = np.array(spans) > _LEAST * max(spans, default=0)
    if not told.any():
        return {}
    return {
        "deletion": float(np.array(named)[told].mean()),
        "deletion_random": float(np.array(chance)[told].mean()),
    }


def _counts(size: int, steps: int) -> list[int]:
    """How many are gone after each step, all but the first and the last."""
    steps = min(steps, size)
    return [round(size * step / steps) for step in range(1, steps)] or [0]


def stability(values_of: Callable[[Array], Array], rows: Rows, seed: int = _SEED) -> float:
    """How alike attributions stay when numbers are moved a little: mean cosine, to 1."""
    spread = np.nan_to_num(np.nanstd(rows.given, axis=0, keepdims=True))
    noise = np.random.default_rng(seed).normal(0, 1, rows.given.shape) * spread * _NOISE
    moved = values_of((rows.given + noise).astype(rows.given.dtype))
    return alike(rows.values, moved)


def alike(left: Array, right: Array) -> float:
    """Mean over rows of the cosine between two explanations, `[rows, …]`: 1 where they agree.

    Not the correlation of ranks, as ranks of what is next to nothing, such as a picture's border,
    are noise.
    """
    a, b = left.reshape(len(left), -1), right.reshape(len(right), -1)
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    told = sizes > 0
    return float(((a * b).sum(1)[told] / sizes[told]).mean()) if told.any() else 1.0
