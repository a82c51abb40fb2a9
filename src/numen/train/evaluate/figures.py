"""The single figures of predictions, for any weighting of their rows, and their intervals.

A resample is a weighting: how often each row was drawn. So the same code gives a figure and all
that the bootstrap needs, and two models are resampled alike by sharing weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist
from typing import Final, Protocol

import numpy as np

from numen.core.signature import Array
from numen.train.evaluate.report import Interval
from numen.train.evaluate.several import TINY

BINS: Final = 10  # of confidence
RESAMPLES: Final = 1_000
AT_TRAINING: Final = 200  # nobody waits at a training for a third digit of an interval
_FEWEST: Final = 200
_WORK: Final = 2e8  # rows times classes times resamples; over it, fewer resamples are drawn
_AUC_CLASSES: Final = 50  # with more, ranking every class anew for each resample takes minutes
LEVEL: Final = 0.95
_Z: Final = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class ClassFigures:
    """Figures of classes.

    Args:
        probabilities: float[rows, classes].
        target: int64[rows].
    """

    def __init__(self, probabilities: Array, target: Array):
        rows, self.classes = probabilities.shape
        p = probabilities.astype(np.float64)
        self.target = target
        self.best = p.argmax(1)
        self.right = self.best == target
        self.sure = np.clip(p.max(1), 0, 1)
        of_true = p[np.arange(rows), target]
        loss = -np.log(np.clip(of_true, TINY, 1))
        brier = (p**2).sum(1) - 2 * of_true + 1
        self._means = np.stack([loss, self.right, brier], 1)
        self.place = np.clip(np.ceil(self.sure * BINS).astype(int) - 1, 0, BINS - 1)
        self._pair = target * self.classes + self.best
        self._present = np.bincount(target, minlength=self.classes) > 0
        # Of two classes one ranks as the other does.
        ranked = [1] if self.classes == 2 else range(self.classes)
        apart = self._present.sum() > 1 and self.classes <= _AUC_CLASSES
        self._ranks = [
            (np.unique(p[:, place], return_inverse=True)[1], target == place)
            for place in ranked
            if apart and self._present[place]
        ]

    def confusion(self, weights: Array | None = None) -> Array:
        """Weights by true and predicted class, float64[classes, classes]."""
        counts = np.bincount(self._pair, weights, self.classes**2)
        return counts.reshape(self.classes, self.classes)

    def bins(self, weights: Array | None = None) -> tuple[Array, Array, Array]:
        """By confidence: rows, summed confidence, rows that are right; float64[10] each."""
        w = np.ones(len(self.sure)) if weights is None else weights
        parts = (w, w * self.sure, w * self.right)
        n, sure, hits = (np.bincount(self.place, part, BINS) for part in parts)
        return n, sure, hits

    def __call__(self, weights: Array | None = None) -> dict[str, float]:
        """The figures by name.

        Args:
            weights: How often each row counts, float64[rows]; once when None.
        """
        w = np.ones(len(self.sure)) if weights is None else weights
        loss, accuracy, brier = (w @ self._means / w.sum()).tolist()
        table = self.confusion(w)
        f1 = 2 * np.diag(table) / np.maximum(table.sum(0) + table.sum(1), 1e-12)
        _, sure, hits = self.bins(w)
        figures = {"loss": loss, "accuracy": accuracy, "f1": float(f1[self._present].mean())}
        if self._ranks:
            figures["auc"] = float(
                np.mean([_auc(place, is_one, w) for place, is_one in self._ranks])
            )
        ece = float(np.abs(sure - hits).sum() / w.sum())
        return figures | {"brier": brier, "ece": ece}


class QuantityFigures:
    """Figures of quantities.

    Args:
        values: float[rows, 1].
        target: float[rows].
    """

    classes = 1

    def __init__(self, values: Array, target: Array):
        self._y = target.astype(np.float64)
        self.error = np.abs(values.astype(np.float64).reshape(-1) - self._y)

    def __call__(self, weights: Array | None = None) -> dict[str, float]:
        """The figures by name; r2 of a constant target is 0.

        Args:
            weights: How often each row counts, float64[rows]; once when None.
        """
        w = np.ones(len(self._y)) if weights is None else weights
        mse = float(w @ self.error**2 / w.sum())
        spread = float(w @ (self._y - w @ self._y / w.sum()) ** 2 / w.sum())
        mae = float(w @ self.error / w.sum())
        return {
            "loss": mse,
            "mae": mae,
            "rmse": mse**0.5,
            "r2": 1 - mse / spread if spread else 0.0,
        }


class Figures(Protocol):
    """The single figures of some predictions, for any weighting of them."""

    @property
    def classes(self) -> int:
        """Of how much work one resample is."""

    def __call__(self, weights: Array | None = None) -> dict[str, float]:
        """The figures by name."""


def _auc(place: Array, is_one: Array, weights: Array) -> float:
    """Mann and Whitney's: how often a row of the class ranks above one of the others."""
    ones = np.bincount(place, weights * is_one)
    others = np.bincount(place, weights) - ones
    total = ones.sum() * others.sum()
    below = np.cumsum(others) - others / 2  # equal scores count half
    return float(ones @ below / total) if total else 0.5


def resamples(rows: int, classes: int, seed: int, wanted: int = RESAMPLES) -> Iterator[Array]:
    """Weightings of `rows` as drawn with replacement, float64[rows] each.

    Args:
        rows: How many.
        classes: Of how much work each resample is.
        seed: The same seed draws the same.
        wanted: How many; fewer where that would take minutes, never under 200.
    """
    count = min(wanted, max(_FEWEST, int(_WORK / (rows * classes))))
    random = np.random.default_rng(seed)
    for _ in range(count):
        drawn = random.integers(0, rows, rows)
        yield np.bincount(drawn, minlength=rows).astype(np.float64)


def intervals(
    figures: Figures, rows: int, seed: int, wanted: int, what: str = "rows"
) -> tuple[dict[str, Interval], str]:
    """Of each figure: percentiles of the bootstrap (Efron and Tibshirani 1993, chapter 13).

    Accuracy is a share, for which Wilson's interval (1927) is right even where all rows are.

    Args:
        figures: Of some predictions.
        rows: How many are drawn from.
        seed: Of the resamples.
        wanted: How many.
        what: What is drawn, in words.

    Returns:
        The intervals, and how they were found in words.
    """
    drawn = [figures(weights) for weights in resamples(rows, figures.classes, seed, wanted)]
    edge = (1 - LEVEL) / 2
    found = {}
    for name in figures():
        low, high = np.quantile([each[name] for each in drawn], (edge, 1 - edge))
        found[name] = Interval(float(low), float(high))
    method = f"{LEVEL:.0%}: percentile bootstrap over {what}, {len(drawn)} resamples, seed {seed}"
    if isinstance(figures, ClassFigures):
        found["accuracy"] = wilson(int(figures.right.sum()), rows)
        method += "; accuracy: Wilson's score interval"
    return found, method


def wilson(right: int, rows: int) -> Interval:
    """Where a share lies of which `right` of `rows` were seen (Wilson 1927)."""
    share, z2 = right / rows, _Z**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = _Z / (1 + z2 / rows) * (share * (1 - share) / rows + z2 / (4 * rows**2)) ** 0.5
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def mean_interval(values: Array) -> Interval:
    """Where a mean lies, by the normal law of means."""
    mean = float(values.mean())
    half = _Z * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("inf")
    return Interval(mean - half, mean + half)
