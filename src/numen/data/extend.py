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
from numen.core.manifest import AudioInput, Preprocess, TextInput, WindowInput
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.data.pixels import decode
from numen.data.stored import Stored, load, seal
from numen.data.writing import EncodedSplit, FixedSplit, TextSplit

_ROWS: Final = 1024


def growing(dataset: Dataset) -> Stored:
    """What a dataset says of itself, which rows can be added to.

    Raises:
        InvalidInput: It has no classes, or its rows are divided by what new rows do not say.
    """
    stored = load(dataset.folder)
    of_classes = stored.labels is not None and not stored.several
    if not of_classes or isinstance(stored.preprocess, WindowInput):
        raise InvalidInput(
            f"dataset {dataset.name}: expected one class a row, of pictures, sounds, texts or a "
            "table's rows"
        )
    if by := stored.group or stored.order:
        raise InvalidInput(
            f'dataset {dataset.name}: its rows are divided by "{by}", which labelled rows do not '
            "say: none can be added",
            hint="label them in the file, and add that with numen data add",
        )
    return stored


def extend(
    dataset: Dataset, rows: Sequence[Array], target: Sequence[int], note: str, work: Path
) -> Stored:
    """Writes the dataset with more training rows to the empty folder `work`.

    Args:
        dataset: A dataset of classes.
        rows: Each as its batches have it: `uint8[h, w]`, `uint8[h, w, 3]`, `float32[columns]`, a
            text as `object[1]`; of a sound its samples, `int16[n]`.
        target: The class of each.
        note: Where the new rows and their labels come from.
        work: Where to write.

    Raises:
        InvalidInput: The rows are not such as the dataset has, or none can be added.
    """
    before = growing(dataset)
    rows = list(rows)
    shapes = {row.shape for row in rows}
    if not rows or len(rows) != len(target) or not all(_fits(row, before) for row in rows):
        raise InvalidInput(
            f"dataset {dataset.name}: expected rows {list(before.shape)}, "
            f"received {len(target)} labels and {len(rows)} of {sorted(map(list, shapes))}"
        )
    classes = np.asarray(target, np.int64)
    if classes.min() < 0 or classes.max() >= len(before.labels or ()):
        raise InvalidInput(
            f"dataset {dataset.name}: expected classes from 0 to {len(before.labels or ()) - 1}, "
            f"received {classes.min()} to {classes.max()}"
        )
    write = _encoded if before.encoded else _fixed
    if isinstance(before.preprocess, TextInput):
        write = _texts
    splits = [
        write(dataset, name, rows if name == "train" else (), classes, work)
        for name in dataset.splits
    ]
    lacking = any(row.dtype.kind == "f" and np.isnan(row).any() for row in rows)
    notes = (*before.notes, note)
    after = msgspec.structs.replace(
        before, notes=notes, missing=before.missing or lacking, digest=""
    )
    return seal(work, after, splits)


def _fits(row: Array, stored: Stored) -> bool:
    if isinstance(stored.preprocess, AudioInput):  # each as long as it lasts
        most = stored.shape[0]
        return row.ndim == 1 and 0 < len(row) <= most and row.dtype.name == "int16"
    return bool(row.shape == stored.shape)


def _fixed(dataset: Dataset, name: str, more: Sequence[Array], classes: Array, work: Path) -> Any:
    split = dataset.splits[name]
    (one,) = next(split.batches(1)).inputs.values()
    column, target = split.whole.schema.names
    with FixedSplit(
        work, name, column, target, dataset.source, one.shape[1:], one.dtype.name
    ) as written:
        for batch in split.batches(_ROWS):
            written.append(next(iter(batch.inputs.values())), batch.target)
        if more:
            written.append(np.stack(more), classes)
    return written


def _encoded(dataset: Dataset, name: str, more: Sequence[Array], classes: Array, work: Path) -> Any:
    split, how = dataset.splits[name], dataset.preprocess
    places = split.stored_rows()
    column, target = split.whole.schema.names
    with EncodedSplit(work, name, column, target, dataset.source) as written:
        for start in range(0, len(places), _ROWS):
            part = split.whole.take(places[start : start + _ROWS])
            for kept, label in zip(part.column(0), part.column(1), strict=True):
                raw = kept.as_py()
                written.append(raw, _unpacked(raw, how, dataset.source), label.as_py())
        for row, label in zip(more, classes.tolist() if more else (), strict=True):
            written.append(_packed(row, how), row, label)
    return written


def _unpacked(raw: bytes, how: Preprocess, origin: str) -> Array:
    return np.frombuffer(raw, "<i2") if isinstance(how, AudioInput) else decode(raw, origin)


def _packed(row: Array, how: Preprocess) -> bytes:
    if isinstance(how, AudioInput):
        return row.astype("<i2").tobytes()
    file = io.BytesIO()
    Image.fromarray(row).save(file, "PNG")
    return file.getvalue()


def _texts(dataset: Dataset, name: str, more: Sequence[Array], classes: Array, work: Path) -> Any:
    split = dataset.splits[name]
    column, target = split.whole.schema.names
    with TextSplit(work, name, column, target, dataset.source) as written:
        for batch in split.batches(_ROWS):
            (texts,) = batch.inputs.values()
            written.append(texts[:, 0].tolist(), batch.target)
        if more:
            written.append([row[0] for row in more], classes)
    return written
