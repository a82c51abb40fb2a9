"""The figures of targets of more than one number: any number of labels a row, or quantities.

Beside the figures of all together stand those of each, called `NAME: figure`; they are found in the
same resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from numen.core.manifest import EDGE
from numen.core.signature import Array
from numen.train.evaluate.report import ClassReport, Interval, QuantityReport

TINY: Final = 1e-7  # probabilities below count as this in the loss, as Keras has it
_RANKED: Final = 100  # labels; with more, ranking each anew for each resample takes minutes


class LabelFigures:
    """Figures of labels of which a row carries any number.

    A label is said from one half on. F1 of a label that is neither carried nor said is 0, as
    scikit-learn has it.

    Args:
        probabilities: float[rows, labels].
        target: 0 or 1, float[rows, labels].
        labels: What they are called.
    """

    def __init__(self, probabilities: Array, target: Array, labels: Sequence[str]):
        p = probabilities.astype(np.float64)
        self.labels = tuple(labels)
        self.classes = len(self.labels)
        self.said = p >= EDGE
        self.truth = target > 0
        self.right = (self.said == self.truth).all(1)
        sure = np.clip(np.where(self.truth, p, 1 - p), TINY, 1)
        self._means = np.stack([-np.log(sure).mean(1), self.right], 1)
        mixed = self.truth.any(0) & ~self.truth.all(0)
        self._ranks = {
            place: (np.unique(p[:, place], return_inverse=True)[1], self.truth[:, place])
            for place in np.flatnonzero(mixed)
            if self.classes <= _RANKED
        }

    def counts(self, weights: Array | None = None) -> tuple[Array, Array, Array]:
        """Of each label: rows that carry it and are said to, are said to, and carry it."""
        w = np.ones(len(self.truth)) if weights is None else weights
        return w @ (self.said & self.truth), w @ self.said, w @ self.truth

    def __call__(self, weights: Array | None = None) -> dict[str, float]:
        """The figures by name.

        Args:
            weights: How often each row counts, float64[rows]; once when None.
        """
        w = np.ones(len(self.truth)) if weights is None else weights
        loss, exact = (w @ self._means / w.sum()).tolist()
        right, said, carried = self.counts(w)
        each = 2 * right / np.maximum(said + carried, 1e-12)
        micro = 2 * right.sum() / max(said.sum() + carried.sum(), 1e-12)
        found = {"loss": loss, "exact": exact, "f1": float(each.mean()), "f1_micro": float(micro)}
        more = {f"{name}: f1": float(each[place]) for place, name in enumerate(self.labels)}
        ranked: dict[str, list[float]] = {"ap": [], "auc": []}
        for place, (order, is_one) in self._ranks.items():
            for name, value in zip(ranked, _ranked(order, is_one, w), strict=True):
                ranked[name].append(value)
                more[f"{self.labels[place]}: {name}"] = value
        means = {name: float(np.mean(values)) for name, values in ranked.items() if values}
        return found | means | more

    def reports(
        self, figures: Mapping[str, float], where: Mapping[str, Interval]
    ) -> tuple[ClassReport, ...]:
        """Each label, of what a call gave and the intervals of that."""
        right, said, carried = self.counts()
        return tuple(
            ClassReport(
                name,
                float(right[place] / max(said[place], 1)),
                float(right[place] / max(carried[place], 1)),
                figures[f"{name}: f1"],
                int(carried[place]),
                figures.get(f"{name}: ap"),
                figures.get(f"{name}: auc"),
                _of(name, where),
            )
            for place, name in enumerate(self.labels)
        )


class QuantitiesFigures:
    """Figures of several quantities.

    Args:
        values: float[rows, quantities].
        target: float[rows, quantities].
        names: What they are called.
    """

    def __init__(self, values: Array, target: Array, names: Sequence[str]):
        self.names = tuple(names)
        self.classes = len(self.names)
        self._y = target.astype(np.float64)
        self._error = np.abs(values.astype(np.float64) - self._y)
        deviation = self._y.std(0)
        self._size = np.where(deviation > 0, deviation, 1.0)
        #: Mean absolute and mean squared error of each row, in deviations; float64[rows].
        self.error = (self._error / self._size).mean(1)
        self.square = ((self._error / self._size) ** 2).mean(1)

    def __call__(self, weights: Array | None = None) -> dict[str, float]:
        """The figures by name; r2 of a constant quantity is 0.

        Args:
            weights: How often each row counts, float64[rows]; once when None.
        """
        w = np.ones(len(self._y)) if weights is None else weights
        total = w.sum()
        mse = w @ self._error**2 / total
        spread = w @ (self._y - w @ self._y / total) ** 2 / total
        mae = w @ self._error / total
        r2 = np.where(spread > 0, 1 - mse / np.where(spread > 0, spread, 1.0), 0.0)
        found = {
            "loss": float((mse / self._size**2).mean()),
            "mae": float((mae / self._size).mean()),
            "rmse": float((mse**0.5 / self._size).mean()),
            "r2": float(r2.mean()),
        }
        each = {"mae": mae, "rmse": mse**0.5, "r2": r2}
        return found | {
            f"{name}: {figure}": float(values[place])
            for place, name in enumerate(self.names)
            for figure, values in each.items()
        }

    def reports(
        self, figures: Mapping[str, float], where: Mapping[str, Interval]
    ) -> tuple[QuantityReport, ...]:
        """Each quantity, of what a call gave and the intervals of that."""
        return tuple(
            QuantityReport(
                name,
                mae=figures[f"{name}: mae"],
                rmse=figures[f"{name}: rmse"],
                r2=figures[f"{name}: r2"],
                intervals=_of(name, where),
            )
            for name in self.names
        )


def _of(name: str, where: Mapping[str, Interval]) -> dict[str, Interval]:
    start = f"{name}: "
    figures = ("f1", "ap", "auc", "mae", "rmse", "r2")
    return {each: where[start + each] for each in figures if start + each in where}


def _ranked(order: Array, is_one: Array, weights: Array) -> tuple[float, float]:
    """Average precision, and the area under the ROC curve, of rows ranked by a score.

    Average precision as scikit-learn has it: the sum over thresholds of the gain in recall times
    the precision there; of equal scores all are said together.
    """
    ones = np.bincount(order, weights * is_one)
    others = np.bincount(order, weights, len(ones)) - ones
    positive, negative = ones.sum(), others.sum()
    if not positive or not negative:
        return float(positive > 0), 0.5
    ahead, behind = np.cumsum(ones[::-1]), np.cumsum(others[::-1])
    precision = ahead / np.maximum(ahead + behind, 1e-300)
    below = np.cumsum(others) - others / 2  # equal scores count half
    return float(precision @ ones[::-1] / positive), float(ones @ below / (positive * negative))
