"""How well scores order the rows of each group: the single figures of a ranking.

A figure is a mean over groups, and a resample draws groups: rows of one query stand or fall
together. Groups whose rows are all of one grade are left out, as no order of them is better.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array

PLACES: Final = (5, 10)  # the first places that are judged
_SEED: Final = 20_261_125  # of the order of rows of one score


class RankingFigures:
    """Figures of a ranking.

    Args:
        scores: float[rows, 1]; higher is better.
        grades: float[rows], whole and at least 0; 0 is what does not belong.
        group: int64[rows], alike for rows that are ordered among themselves.

    Attributes:
        ndcg: Of each group by first places, float64[groups]: the grades' gains, discounted by the
            logarithm of their places, as a part of what the best order has (Järvelin and
            Kekäläinen 2002), with gains 2^grade - 1 (Burges et al. 2005).
        reciprocal: One over the place of the first row that is not of grade 0, float64[groups].

    Raises:
        InvalidInput: In no group one order is better than another.
    """

    classes = 1

    def __init__(self, scores: Array, grades: Array, group: Array):
        scores, grades = scores.reshape(-1).astype(np.float64), grades.astype(np.float64)
        _, place, sizes = np.unique(group, return_inverse=True, return_counts=True)
        low, high = np.full(len(sizes), np.inf), np.full(len(sizes), -np.inf)
        np.minimum.at(low, place, grades)
        np.maximum.at(high, place, grades)
        told_apart = high > low
        if not told_apart.any():
            raise InvalidInput(
                "evaluate: in every group all rows are of one grade, so no order can be judged",
                hint="judge by more groups, or by finer grades",
                field="target",
            )
        self.left_out = int((~told_apart).sum())
        # A score that many rows share orders them by chance, not as they happen to be stored.
        chance = np.random.default_rng(_SEED).random(len(scores))
        found = _ranks(place, sizes, np.lexsort((chance, -scores, place)))
        best = _ranks(place, sizes, np.lexsort((-grades, place)))
        gains = 2.0**grades - 1
        self.ndcg = {k: _ratio(gains, place, found, best, k)[told_apart] for k in PLACES}
        first = np.full(len(sizes), np.inf)
        np.minimum.at(first, place[grades > 0], found[grades > 0])
        self.reciprocal = (1 / first)[told_apart]

    def __len__(self) -> int:
        """How many groups are judged."""
        return len(self.reciprocal)

    def __call__(self, weights: Array | None = None) -> dict[str, float]:
        """The figures by name; the loss is what NDCG lacks to 1.

        Args:
            weights: How often each group counts, float64[groups]; once when None.
        """
        w = np.ones(len(self)) if weights is None else weights
        found = {f"ndcg{k}": float(w @ each / w.sum()) for k, each in self.ndcg.items()}
        mrr = float(w @ self.reciprocal / w.sum())
        return {"loss": 1 - found[f"ndcg{PLACES[-1]}"], **found, "mrr": mrr}


def _ranks(place: Array, sizes: Array, order: Array) -> Array:
    """The place of each row in its group, from 1, where rows stand in `order` group by group."""
    starts = np.cumsum(sizes) - sizes
    ranks = np.empty(len(order))
    ranks[order] = np.arange(len(order)) - starts[place[order]] + 1
    return ranks


def _ratio(gains: Array, place: Array, found: Array, best: Array, first: int) -> Array:
    """Discounted gains of the first places, as a part of the best order's, float64[groups]."""
    sums = []
    for ranks in (found, best):
        counted = np.where(ranks <= first, gains / np.log2(ranks + 1), 0.0)
        sums.append(np.bincount(place, counted))
    ratio: Array = sums[0] / np.maximum(sums[1], 1e-300)
    return ratio
