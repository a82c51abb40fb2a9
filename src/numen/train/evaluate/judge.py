"""A model's predictions on a split, collected batch by batch, and the report of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from numen.core.conformal import Conformal
from numen.core.errors import InvalidInput, TooLarge
from numen.core.manifest import Column, ColumnsInput, Preprocess, WindowInput
from numen.core.signature import Array
from numen.train.evaluate import slices as slices_
from numen.train.evaluate.conformal import coverage
from numen.train.evaluate.figures import (
    BINS,
    RESAMPLES,
    ClassFigures,
    Figures,
    QuantityFigures,
    intervals,
)
from numen.train.evaluate.ranking import RankingFigures
from numen.train.evaluate.report import METRICS, Bin, ClassReport, Interval, Report
from numen.train.evaluate.several import LabelFigures, QuantitiesFigures

if TYPE_CHECKING:
    from numen.data.dataset import Batch, Split

_ROWS: Final = 1_024  # predicted at once
_MOST: Final = 1 << 29  # bytes of predictions that are held
_TABLE: Final = 1 << 28  # bytes of columns that are held for slices; of more, there are none


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions and the truth.

    Attributes:
        output: Probabilities float32[rows, labels], or values float32[rows, k].
        target: int64[rows] class indices, float32[rows], or float32[rows, k] of several quantities
            or of labels of which a row carries any number.
        labels: The classes or labels, or None for a quantity.
        columns: What the columns of `table` are.
        table: The rows' columns, float32[rows, columns], of a window its last row's; None where
            the data have none.
        group: Alike for rows that are ordered among themselves, int64[rows], where an order is
            judged; else None.
        several: A row carries any number of the labels.
        quantities: What several quantities are called.
        conformal: What sets or intervals the model gives, where it does.
    """

    output: Array
    target: Array
    labels: tuple[str, ...] | None
    columns: tuple[Column, ...] = ()
    table: Array | None = None
    group: Array | None = None
    several: bool = False
    quantities: tuple[str, ...] = ()
    conformal: Conformal | None = None

    @property
    def figures(self) -> Figures:
        """Its single figures."""
        if self.group is not None:
            return RankingFigures(self.output, self.target, self.group)
        if self.labels is not None and self.several:
            return LabelFigures(self.output, self.target, self.labels)
        if self.quantities:
            return QuantitiesFigures(self.output, self.target, self.quantities)
        kind = QuantityFigures if self.labels is None else ClassFigures
        return kind(self.output, self.target)

    def take(self, rows: Array) -> Judged:
        """Some of the rows, by their places."""
        table = None if self.table is None else self.table[rows]
        group = None if self.group is None else self.group[rows]
        return replace(
            self, output=self.output[rows], target=self.target[rows], table=table, group=group
        )


def judge(
    predict: Callable[[Batch], Array],
    split: Split,
    labels: tuple[str, ...] | None,
    how: Preprocess | None = None,
    *,
    group: Array | None = None,
    several: bool = False,
    quantities: tuple[str, ...] = (),
    conformal: Conformal | None = None,
) -> Judged:
    """Has a model predict a split.

    Args:
        predict: A batch to float[rows, labels] of probabilities, or to float[rows, k].
        split: The rows.
        labels: The classes, or None for a quantity.
        how: What the rows are; columns are kept for slicing, if they are no more than 256 MB.
        group: Where an order is judged, by which groups, int64[rows].
        several: A row carries any number of the labels.
        quantities: What several quantities are called.
        conformal: What sets or intervals the model gives, where it does.

    Raises:
        InvalidInput: The split is empty, or the output is not one score a class or one value.
        TooLarge: The predictions would not fit in memory.
    """
    if len(split) == 0:
        raise InvalidInput("evaluate: expected rows, received an empty split")
    width = len(labels or quantities or ("value",))
    wanted = (width,) if several or quantities else ()
    if len(split) * width * 4 > _MOST:
        raise TooLarge(
            f"evaluate: expected predictions of at most {_MOST} bytes, "
            f"received {len(split)} rows of {width}",
            hint="evaluate a part of the rows",
        )
    columns = how.columns if isinstance(how, ColumnsInput | WindowInput) else ()
    if len(split) * sum(column.width for column in columns) * 4 > _TABLE:
        columns = ()  # a set that is read in parts is not held whole to be sliced
    outputs, targets, tables = [], [], []
    for batch in split.batches(_ROWS):
        output = predict(batch)
        expected = (len(batch.target), width)
        if output.shape != expected and (labels is not None or output.size != expected[0]):
            raise InvalidInput(
                f"evaluate: expected an output {list(expected)}, received {list(output.shape)}"
            )
        if batch.target.shape[1:] != wanted:
            raise InvalidInput(
                f"evaluate: expected targets {list(wanted)} a row, "
                f"received {list(batch.target.shape[1:])}",
                hint="evaluate on data read as those the model was trained on",
            )
        outputs.append(output.astype(np.float32).reshape(expected))
        targets.append(batch.target)
        if columns:
            (given,) = batch.inputs.values()
            tables.append(given[:, -1] if given.ndim == 3 else given)
    return Judged(
        np.concatenate(outputs),
        np.concatenate(targets),
        labels,
        columns,
        np.concatenate(tables) if tables else None,
        group,
        several,
        quantities,
        conformal,
    )


def report_of(
    judged: Judged,
    *,
    target: str = "class",
    by: Sequence[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Report:
    """All figures of some predictions.

    Args:
        judged: Predictions and the truth.
        target: What the target is called.
        by: Columns every value of which is reported; of the others, those that are weak.
        seed: Of the resamples; the same seed gives the same report.
        resamples: How many are drawn for the intervals; 0 finds none.

    Raises:
        InvalidInput: A column of `by` is not there.
    """
    figures = judged.figures
    rows = len(judged.target)
    if isinstance(figures, RankingFigures):
        return _of_ranking(figures, rows, by, seed, resamples)
    found, method = intervals(figures, rows, seed, resamples) if resamples else ({}, "")
    classes = None
    if isinstance(figures, ClassFigures | LabelFigures):
        classes = (target, judged.target, judged.labels or ())
        score = figures.right
    else:
        assert isinstance(figures, QuantityFigures | QuantitiesFigures)
        score = figures.error
    parts = slices_.slices(score, classes is not None, judged.columns, judged.table, by, classes)
    said = figures()
    single: dict[str, Any] = {name: said[name] for name in METRICS if name in said}
    sure: dict[str, Interval] = {name: found[name] for name in METRICS if name in found}
    report = Report(rows=rows, **single, intervals=sure, method=method, slices=parts)
    report = msgspec.structs.replace(report, coverage=coverage(judged))
    if isinstance(figures, LabelFigures):
        return msgspec.structs.replace(report, classes=figures.reports(said, found))
    if isinstance(figures, QuantitiesFigures):
        return msgspec.structs.replace(report, quantities=figures.reports(said, found))
    return report if judged.labels is None else _with_classes(report, judged.labels, figures)


def _of_ranking(
    figures: RankingFigures, rows: int, by: Sequence[str], seed: int, wanted: int
) -> Report:
    if by:
        raise InvalidInput(
            "by: an order is judged by whole groups, which have no values of a column", field="by"
        )
    found: dict[str, Interval] = {}
    method = ""
    if wanted:
        found, method = intervals(figures, len(figures), seed, wanted, f"{len(figures)} groups")
        if figures.left_out:
            method += f"; {figures.left_out} groups of one grade are left out"
    single: dict[str, Any] = dict(figures())
    return Report(rows=rows, **single, intervals=found, method=method)


def evaluate(
    predict: Callable[[Batch], Array],
    split: Split,
    labels: tuple[str, ...] | None,
    how: Preprocess | None = None,
    **more: Any,
) -> Report:
    """Judges a model by a split: `judge`, then `report_of` with `more`.

    Raises:
        InvalidInput: The split is empty, or the output is not one score a class or one value.
    """
    return report_of(judge(predict, split, labels, how), **more)


def _with_classes(report: Report, labels: tuple[str, ...], figures: Figures) -> Report:
    assert isinstance(figures, ClassFigures)
    table = figures.confusion().astype(int)
    right, called, support = np.diag(table), table.sum(0), table.sum(1)
    precision, recall = right / np.maximum(called, 1), right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(called + support, 1)
    n, sure, hits = figures.bins()
    return msgspec.structs.replace(
        report,
        classes=tuple(
            ClassReport(label, float(precision[i]), float(recall[i]), float(f1[i]), int(s))
            for i, (label, s) in enumerate(zip(labels, support, strict=True))
        ),
        confusion=tuple(tuple(map(int, row)) for row in table),
        calibration=tuple(
            Bin(i / BINS, (i + 1) / BINS, int(n[i]), float(sure[i] / n[i]), float(hits[i] / n[i]))
            for i in range(BINS)
            if n[i]
        ),
    )
