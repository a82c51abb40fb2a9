"""A dataset and some more training rows become the next one. The rows it had stay as they were.

Where the test rows were a part of the training rows, they stay the ones they were, so what is
measured on them can be compared; new rows are never among them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from PIL import Image

from numen.core.errors import InvalidInput
from numen.core.manifest import ColumnsInput, ImageInput
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.data.pixels import decode
from numen.data.stored import Stored, load, seal
from numen.data.writing import EncodedSplit, FixedSplit

_ROWS: Final = 1024


def extend(dataset: Dataset, rows: Array, target: Sequence[int], note: str, work: Path) -> Stored:
    """Writes the dataset with more training rows to the empty folder `work`.

    Args:
        dataset: A dataset of classes.
        rows: `uint8[n, h, w]`, `uint8[n, h, w, 3]` or `float32[n, columns]`, as its batches are.
        target: The class of each.
        note: Where the new rows and their labels come from.
        work: Where to write.

    Raises:
        InvalidInput: The rows are not such as the dataset has, or it has no classes.
    """
    before = load(dataset.folder)
    of_classes = before.labels is not None and not before.several
    if not of_classes or not isinstance(before.preprocess, ImageInput | ColumnsInput):
        raise InvalidInput(
            f"dataset {dataset.name}: expected classes, one a row, of pictures or a table"
        )
    assert before.labels is not None
    if rows.shape[1:] != before.shape or len(rows) != len(target) or not len(rows):
        raise InvalidInput(
            f"dataset {dataset.name}: expected rows {list(before.shape)}, "
            f"received {len(target)} labels and {list(rows.shape)}"
        )
    labels = np.asarray(target, np.int64)
    if labels.min() < 0 or labels.max() >= len(before.labels):
        raise InvalidInput(
            f"dataset {dataset.name}: expected classes from 0 to {len(before.labels) - 1}, "
            f"received {labels.min()} to {labels.max()}"
        )
    write = _encoded if before.encoded else _fixed
    splits = [
        write(dataset, name, (rows, labels) if name == "train" else None, work)
        for name in dataset.splits
    ]
    missing = before.missing or bool(rows.dtype.kind == "f" and np.isnan(rows).any())
    notes = (*before.notes, note)
    after = msgspec.structs.replace(before, notes=notes, missing=missing, digest="")
    return seal(work, after, splits)


def _fixed(dataset: Dataset, name: str, more: tuple[Array, Array] | None, work: Path) -> Any:
    split = dataset.splits[name]
    (one,) = next(split.batches(1)).inputs.values()
    column, target = split.whole.schema.names
    with FixedSplit(
        work, name, column, target, dataset.source, one.shape[1:], one.dtype.name
    ) as written:
        for batch in split.batches(_ROWS):
            written.append(next(iter(batch.inputs.values())), batch.target)
        if more is not None:
            written.append(*more)
    return written


def _encoded(dataset: Dataset, name: str, more: tuple[Array, Array] | None, work: Path) -> Any:
    split = dataset.splits[name]
    places = split.stored_rows()
    column, target = split.whole.schema.names
    with EncodedSplit(work, name, column, target, dataset.source) as written:
        for start in range(0, len(places), _ROWS):
            part = split.whole.take(places[start : start + _ROWS])
            for picture, label in zip(part.column(0), part.column(1), strict=True):
                encoded = picture.as_py()
                written.append(encoded, decode(encoded, dataset.source), label.as_py())
        for pixels, label in zip(*more, strict=True) if more is not None else ():
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            written.append(file.getvalue(), pixels, int(label))
    return written
