"""A dataset on disk: one Arrow stream a split, and `dataset.json`.

Owns the form of that folder and its digest; `numen.data.writing` writes the splits. The digest is
of what a model sees (values, targets, columns, labels), so it does not change with the format,
the compression, the names or the machine the data came from. Any Arrow reader opens the files,
`datasets.Dataset.from_file` included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import msgspec
import numpy as np

from numen.core.errors import CorruptBundle, InvalidData, MissingExtra, NotFound
from numen.core.manifest import Preprocess
from numen.core.signature import Array
from numen.data.reading import Taken

try:
    import pyarrow as pa
except ModuleNotFoundError as error:
    raise MissingExtra.of("reading data", "train") from error

DATASET: Final = "dataset.json"
_SAID: Final = ("group", "order", "several", "quantities")  # in the digest where they are said


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `dataset.json` says.

    Attributes:
        preprocess: What a row is: a picture, columns, a text, a sound, a window of rows.
        target: Name of the target column; of several, their names with commas between them.
        labels: Class names by class index; None where the target is a quantity.
        rows: Number of rows of each split.
        encoded: Pictures are kept as PNG, JPEG … rather than as pixels.
        missing: A value of some row is missing (NaN).
        notes: What a person should know of how the data was read.
        taken: How each column of a table was taken.
        group: The column whose values stand in one split each; the third stored column.
        order: The column of times by which splits are made; the last stored column.
        several: A row carries any number of the labels.
        quantities: What the numbers of a target are called, where it has several.
        digest: `sha256:` and the hex digest of the contents.
        format: Version of this form.
    """

    preprocess: Preprocess
    target: str
    labels: tuple[str, ...] | None
    rows: dict[str, int] = {}
    encoded: bool = False
    missing: bool = False
    notes: tuple[str, ...] = ()
    taken: tuple[Taken, ...] = ()
    group: str = ""
    order: str = ""
    several: bool = False
    quantities: tuple[str, ...] = ()
    digest: str = ""
    format: Literal[1] = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row, such as `[h, w]`, `[h, w, 3]` or `[columns]`."""
        return self.preprocess.shape

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Of one row's target: `[]`, or how many numbers it has."""
        count = len(self.labels or ()) if self.several else len(self.quantities)
        return (count,) if count else ()

    @property
    def target_dtype(self) -> str:
        """Of targets: class indices are whole numbers."""
        return "float32" if self.labels is None or self.several else "int64"


class Written(Protocol):
    """A split that was written: its name, the file it came from, its size and its digest."""

    name: str
    origin: str
    rows: int

    @property
    def digest(self) -> str:
        """Of its rows, in their order."""


def load(folder: Path) -> Stored:
    """Reads what a stored dataset says of itself.

    Raises:
        NotFound: There is no dataset in `folder`.
        CorruptBundle: `dataset.json` is not what numen writes.
    """
    try:
        return msgspec.json.decode((folder / DATASET).read_bytes(), type=Stored)
    except OSError as error:
        raise NotFound(f"dataset: no {DATASET} in {folder}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptBundle(f"dataset {folder}: {DATASET}: {error}") from error


def seal(folder: Path, stored: Stored, splits: Iterable[Written]) -> Stored:
    """Completes a folder whose splits are written: computes the digest, writes `dataset.json`."""
    written = {split.name: split for split in splits}
    if stored.labels is not None and len(stored.labels) < 2:
        raise InvalidData(
            f"{written['train'].origin}: expected at least two classes, "
            f"found {', '.join(stored.labels)}"
        )
    stored = msgspec.structs.replace(
        stored, rows={name: split.rows for name, split in written.items()}
    )
    digest = hashlib.sha256(
        msgspec.json.encode(
            {
                "preprocess": stored.preprocess,
                "target": stored.target,
                "labels": stored.labels,
                "splits": {name: (split.rows, split.digest) for name, split in written.items()},
                **{k: v for k in _SAID if (v := getattr(stored, k))},
            },
            order="deterministic",
        )
    )
    stored = msgspec.structs.replace(stored, digest=f"sha256:{digest.hexdigest()}")
    text = msgspec.json.format(msgspec.json.encode(stored), indent=2)
    (folder / DATASET).write_bytes(text)
    return stored


def open_split(path: Path, rows: int) -> Any:
    """The `pyarrow.Table` of a split; its columns lie in the mapped file, not in memory.

    Raises:
        CorruptBundle: The file is missing, cut short or altered in form.
    """
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            table = stream.read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise CorruptBundle(f"dataset {path}: {error}") from error
    if table.num_rows != rows:
        raise CorruptBundle(f"dataset {path}: expected {rows} rows, found {table.num_rows}")
    return table


def as_array(column: Any, shape: Sequence[int]) -> Array:
    """A column of one block as `[n, *shape]`: a read-only view of the mapped file, no copy."""
    (values,) = column.chunks
    for _ in shape:
        values = values.flatten()
    return flat(values).reshape(-1, *shape)


def as_targets(column: Any, shape: Sequence[int]) -> Array:
    """A column of targets, of as many blocks as there are, as `[n, *shape]`: a copy."""
    blocks = [chunk.flatten() if shape else chunk for chunk in column.chunks]
    return np.concatenate([flat(block) for block in blocks]).reshape(-1, *shape)


def flat(values: Any) -> Array:
    """Plain numbers without gaps as a read-only view.

    Not `to_numpy`: that imports pandas, a second of waiting.
    """
    dtype = np.dtype(values.type.to_pandas_dtype())
    return np.frombuffer(values.buffers()[1], dtype, len(values), values.offset * dtype.itemsize)


def class_index(labels: Sequence[str] | None) -> Mapping[str, int]:
    """Each label's place."""
    return {label: place for place, label in enumerate(labels or ())}
