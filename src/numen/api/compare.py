"""A model on labelled rows, alone or beside another: is it better, or was that chance?"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
import numpy as np

from numen.api.model import Model
from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.data.split import Split
from numen.train.evaluate import compare, report_of
from numen.train.evaluate.figures import AT_TRAINING

MOST: Final = 20_000
_ROWS: Final = 1_024


def measured(model: Model, rows: Split, against: Model | None = None) -> dict[str, Any]:
    """Figures with intervals as plain data, and beside another model's how they differ.

    Args:
        model: The model.
        rows: Labelled rows; of more than `MOST` as many, spread evenly.
        against: Another model of the same classes or quantities.

    Raises:
        InvalidInput: The rows are not what a model takes, or there are none.
    """
    if not len(rows):
        raise InvalidInput("expected labelled rows to measure on, found none", field="data")
    if len(rows) > MOST:
        rows = rows.take(np.linspace(0, len(rows) - 1, MOST).astype(int))
    judged = model.judge(rows)
    said = _said(judged)
    if against is None:
        return said
    other = against.judge(rows)
    found = compare(judged, other, wanted=AT_TRAINING)
    return {**said, "against": _said(other), "comparison": msgspec.to_builtins(found)}


def added_since(data: Dataset, before: Dataset) -> Split:
    """The training rows that a data set has behind those of an earlier version, each once.

    Raises:
        InvalidInput: The earlier version is none of which it is the extension.
    """
    start, end = len(before.train), len(data.train)
    if data.labels != before.labels or end < start or data.spec != before.spec:
        raise InvalidInput(
            "since: expected an earlier version of the data, to which rows were added",
            field="since",
        )
    more = data.train.take(np.arange(start, end))
    places: dict[bytes, int] = {}
    at = 0
    for batch in more.batches(_ROWS):
        (inputs,) = batch.inputs.values()
        for row, label in zip(inputs, batch.target.tolist(), strict=True):
            places.setdefault(_key(row, label), at)
            at += 1
    return data.train.take(start + np.array(sorted(places.values()), np.int64))


def _said(judged: Any) -> dict[str, Any]:
    report = report_of(judged, resamples=AT_TRAINING)
    return {
        "rows": report.rows,
        "metrics": report.metrics,
        "intervals": msgspec.to_builtins(report.intervals),
    }


def _key(row: Array, label: int) -> bytes:
    raw = "\0".join(row).encode() if row.dtype == object else row.tobytes()
    return sha256(raw + str(label).encode()).digest()
