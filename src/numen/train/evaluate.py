"""How good a model is: figures over a split, read in batches, and two pictures of them.

Draws and counts; rendering tables for people belongs to the command line.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.data.dataset import Batch, Split

_ROWS: Final = 1_024  # predicted at once
_BINS: Final = 10  # of confidence
_TINY: Final = 1e-7  # probabilities below count as this in the loss, as Keras has it
_DPI: Final = 150
_NUMBERED: Final = 24  # classes whose confusion picture still has room for numbers


class ClassReport(msgspec.Struct, frozen=True):
    """How one class fares: of what was called it, how much is it; of what is it, how much was."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class Bin(msgspec.Struct, frozen=True):
    """The predictions with confidence above `low` up to `high`."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model does on a split.

    Attributes:
        rows: Rows judged.
        loss: Mean cross-entropy in nats, or mean squared error.
        accuracy: Part of the rows whose likeliest class is right.
        classes: Each class.
        confusion: Rows by true class (outer) and predicted class (inner).
        calibration: Accuracy by confidence.
        ece: Expected calibration error: mean distance of confidence from accuracy.
        mae: Mean absolute error.
        rmse: Root of the mean squared error.
        r2: Part of the target's variance that is explained.
    """

    rows: int
    loss: float
    accuracy: float | None = None
    classes: tuple[ClassReport, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    calibration: tuple[Bin, ...] = ()
    ece: float | None = None
    mae: float | None = None
    rmse: float | None = None
    r2: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """The single figures by name."""
        names = ("loss", "accuracy", "ece", "mae", "rmse", "r2")
        return {n: v for n in names if (v := getattr(self, n)) is not None}


def evaluate(
    predict: Callable[[Batch], Array], split: Split, labels: tuple[str, ...] | None
) -> Report:
    """Judges a model by a split.

    Args:
        predict: A batch to float[rows, labels] of probabilities, or to float[rows, 1].
        split: The rows.
        labels: The classes, or None for a quantity.

    Raises:
        InvalidInput: The split is empty, or the output is not one score a class or one value.
    """
    if len(split) == 0:
        raise InvalidInput("evaluate: expected rows, received an empty split")
    tally = _Quantities() if labels is None else _Classes(labels)
    for batch in split.batches(_ROWS):
        output = predict(batch)
        expected = (len(batch.target), len(labels or ("value",)))
        if output.shape != expected and (labels is not None or output.size != expected[0]):
            raise InvalidInput(
                f"evaluate: expected an output {list(expected)}, received {list(output.shape)}"
            )
        tally.add(output.astype(np.float64), batch.target)
    return tally.report()


class _Classes:
    """Counts classes as batches come."""

    def __init__(self, labels: tuple[str, ...]):
        self.labels = labels
        self.confusion = np.zeros((len(labels), len(labels)), np.int64)
        self.loss = 0.0
        self.bins = np.zeros((3, _BINS))  # rows, sum of confidence, right

    def add(self, probabilities: Array, target: Array) -> None:
        """Takes in float64[rows, classes] and int64[rows]."""
        best = probabilities.argmax(1)
        np.add.at(self.confusion, (target, best), 1)
        of_true = probabilities[np.arange(len(target)), target]
        self.loss -= float(np.log(np.clip(of_true, _TINY, 1)).sum())
        sure = np.clip(probabilities.max(1), 0, 1)
        place = np.clip(np.ceil(sure * _BINS).astype(int) - 1, 0, _BINS - 1)
        for row, weights in enumerate((None, sure, best == target)):
            self.bins[row] += np.bincount(place, weights, _BINS)

    def report(self) -> Report:
        """The figures."""
        table = self.confusion
        right, called, support = np.diag(table), table.sum(0), table.sum(1)
        rows = int(table.sum())
        precision, recall = right / np.maximum(called, 1), right / np.maximum(support, 1)
        f1 = 2 * right / np.maximum(called + support, 1)
        n, sure, hits = self.bins
        return Report(
            rows=rows,
            loss=self.loss / rows,
            accuracy=float(right.sum() / rows),
            classes=tuple(
                ClassReport(label, float(precision[i]), float(recall[i]), float(f1[i]), int(s))
                for i, (label, s) in enumerate(zip(self.labels, support, strict=True))
            ),
            confusion=tuple(tuple(map(int, row)) for row in table),
            calibration=tuple(
                Bin(
                    i / _BINS,
                    (i + 1) / _BINS,
                    int(n[i]),
                    float(sure[i] / n[i]),
                    float(hits[i] / n[i]),
                )
                for i in range(_BINS)
                if n[i]
            ),
            ece=float(np.abs(sure - hits).sum() / rows),
        )


class _Quantities:
    """Sums up errors as batches come."""

    def __init__(self) -> None:
        self.rows = 0
        self.absolute = self.squared = self.mean = self.spread = 0.0

    def add(self, values: Array, target: Array) -> None:
        """Takes in float64[rows, 1] and float[rows]."""
        target = target.astype(np.float64)
        error = values.reshape(-1) - target
        self.absolute += float(np.abs(error).sum())
        self.squared += float((error**2).sum())
        # Batches are merged by their means (Chan et al. 1979): sums of squares would cancel.
        count, mean = len(target), float(target.mean())
        total = self.rows + count
        away = (mean - self.mean) ** 2 * self.rows * count / total
        self.spread += float(((target - mean) ** 2).sum()) + away
        self.mean += (mean - self.mean) * count / total
        self.rows = total

    def report(self) -> Report:
        """The figures; r2 of a constant target is 0."""
        mse = self.squared / self.rows
        return Report(
            rows=self.rows,
            loss=mse,
            mae=self.absolute / self.rows,
            rmse=mse**0.5,
            r2=1 - self.squared / self.spread if self.spread else 0.0,
        )


def plots(report: Report) -> dict[str, bytes]:
    """`confusion.png` and `calibration.png` of a classifier; nothing of a quantity.

    Raises:
        ModuleNotFoundError: matplotlib (extra `train`) is not installed.
    """
    if not report.confusion:
        return {}
    return {"confusion.png": _confusion(report), "calibration.png": _calibration(report)}


def _confusion(report: Report) -> bytes:
    """Shares of each true class as shades; the numbers too where there is room for them."""
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    counts = np.array(report.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [
        c.label if len(c.label) <= 24 else f"{c.label[:15]}…{c.label[-8:]}" for c in report.classes
    ]
    size = len(names)
    side = float(np.clip(2.5 + 0.45 * size, 4.5, 12))
    letters = float(np.clip(500 / size, 4, 9))
    figure = Figure((side * 1.15, side), layout="constrained")
    axes = figure.add_subplot()
    # Rare mistakes are what one looks for, so shades climb faster at the low end.
    shades = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    turned = 90 if size > 12 or max(map(len, names)) > 4 else 0
    axes.set_xticks(range(size), names, fontsize=letters, rotation=turned)
    axes.set_yticks(range(size), names, fontsize=letters)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{report.accuracy:.2%} of {report.rows:,} right", loc="left")
    for i, j in zip(*np.nonzero(counts), strict=True) if size <= _NUMBERED else ():
        color = "white" if shares[i, j] > 0.35 else "#1a1a1a"
        axes.text(j, i, _short(counts[i, j]), ha="center", va="center", color=color, fontsize=8)
    figure.colorbar(shades, ax=axes, label="part of the true class", shrink=0.8, pad=0.02)
    return _png(figure)


def _calibration(report: Report) -> bytes:
    """Accuracy against confidence above, how many rows are how sure below."""
    from matplotlib.figure import Figure

    figure = Figure((5.2, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    sure = [b.confidence for b in report.calibration]
    middle = [(b.low + b.high) / 2 for b in report.calibration]
    upper.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="as sure as right")
    upper.plot(sure, [b.accuracy for b in report.calibration], marker="o", color="#1f5fa8")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.set_title(f"expected calibration error {report.ece:.3f}", loc="left")
    upper.legend(frameon=False, loc="upper left")
    lower.bar(middle, [b.rows for b in report.calibration], width=0.09, color="#8fb4dc")
    lower.set(xlabel="confidence", ylabel="rows", yscale="log")
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def _short(count: int) -> str:
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"


def _png(figure: Any) -> bytes:
    target = io.BytesIO()
    # No version or date in the file, so that the same report gives the same bytes.
    figure.savefig(target, format="png", dpi=_DPI, metadata={"Software": None})
    return target.getvalue()
