"""Rows without a label, as a data set's rows are: files of pictures, sounds, texts, or tables.

A file is read when its row is asked for. A row is known by its contents, so the same row is the
same wherever it lies. What cannot be read is refused with its file and its place in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.core.fields import MISSING, numbers_of
from numen.core.manifest import AudioInput, Column, ColumnsInput, ImageInput, TextInput
from numen.core.signature import Array
from numen.data import pixels, sound
from numen.data.dataset import Dataset
from numen.data.facts import TableFile
from numen.data.sources.table import CsvSource, JsonlSource, ParquetSource
from numen.data.sources.text import SUFFIX as TEXT
from numen.data.sources.text import read_text
from numen.data.texts import column_in

_TABLES: Final = {
    suffix: kind.opened
    for kind in (CsvSource, JsonlSource, ParquetSource)
    for suffix in kind.suffixes
}


@dataclass(frozen=True, slots=True, eq=False)
class Unlabelled:
    """One row without a label.

    Attributes:
        file: The name of its file.
        row: As the data set's batches have it: `uint8[h, w]`, `uint8[h, w, 3]`, `float32[columns]`,
            a text as `object[1]`; of a sound its samples, `int16[n]`.
        fields: What a table says of it, by column.
        at: Tells its number in the file; of a long one this takes a while.
    """

    file: str
    row: Array
    fields: dict[str, Any] | None = None
    at: Callable[[], int] | None = None

    @property
    def origin(self) -> str:
        """The file, and the row in it."""
        return self.file if self.at is None else f"{self.file} row {self.at()}"

    @property
    def key(self) -> str:
        """Of its contents."""
        raw = self.row[0].encode() if self.row.dtype == object else self.row.tobytes()
        return sha256(raw).hexdigest()[:16]


Reader = Callable[[Path, Dataset], Iterator[Unlabelled]]


def read(sources: Sequence[Path], dataset: Dataset) -> Iterator[Unlabelled]:
    """All rows of some files and folders, in the order of the names, each content once.

    Args:
        sources: Files, or folders of them at any depth.
        dataset: Of whose kind the rows must be.

    Raises:
        InvalidInput: The data set is of windows, or a file is of another kind than it.
        NotFound: There is nothing at a source.
        InvalidData: A file is broken.
    """
    readers = _READERS.get(type(dataset.preprocess))
    if readers is None:
        raise InvalidInput("label: expected pictures, sounds, texts or a table", field="model")
    files = [file for source in sources for file in _files(source, readers)]
    if not files:
        raise NotFound(f"nothing to label in {', '.join(map(str, sources))}")
    return _once(chain.from_iterable(readers[file.suffix.lower()](file, dataset) for file in files))


def _once(rows: Iterator[Unlabelled]) -> Iterator[Unlabelled]:
    seen: set[str] = set()
    for found in rows:
        if (key := found.key) not in seen:
            seen.add(key)
            yield found


def _files(source: Path, readers: dict[str, Reader]) -> list[Path]:
    if not source.exists():
        raise NotFound(f"{source} does not exist")
    inside = sorted(source.rglob("*")) if source.is_dir() else [source]
    found = [path for path in inside if path.is_file() and path.suffix.lower() in readers]
    if not found and not source.is_dir():
        raise InvalidInput(f"{source}: expected {', '.join(sorted(readers))}", field="from")
    return found


def _picture(path: Path, dataset: Dataset) -> Iterator[Unlabelled]:
    shape = dataset.preprocess.shape
    found = grey_of(pixels.decode(path.read_bytes(), str(path)), shape)
    yield Unlabelled(path.name, pixels.fit(found, shape))


def grey_of(picture: Array, shape: tuple[int, ...]) -> Array:
    """A colour picture among grey ones becomes grey; any other stays as it is."""
    if picture.ndim > len(shape):
        return np.asarray(Image.fromarray(picture).convert("L"))
    return picture


def _sound(path: Path, dataset: Dataset) -> Iterator[Unlabelled]:
    how = dataset.preprocess
    assert isinstance(how, AudioInput)
    sound.heading(path)
    yield Unlabelled(path.name, sound.decode(path, how.rate, how.samples))


def _text(path: Path, _dataset: Dataset) -> Iterator[Unlabelled]:
    text = read_text(path)
    if text.strip():
        yield Unlabelled(path.name, _object(text))


def _texts(path: Path, dataset: Dataset) -> Iterator[Unlabelled]:
    file = _TABLES[path.suffix.lower()](path)
    column = column_in(file, but=dataset.target)
    for at, fields in _rows(file, [column]):
        text = fields[column]
        if text is not None and text.strip():  # of nothing nobody can say what it is
            yield Unlabelled(path.name, _object(text), at=at)


def _object(text: str) -> Array:
    made = np.empty(1, object)
    made[0] = text
    return made


def _fields(path: Path, dataset: Dataset) -> Iterator[Unlabelled]:
    how = dataset.preprocess
    assert isinstance(how, ColumnsInput)
    file = _TABLES[path.suffix.lower()](path)
    for at, fields in _rows(file, [column.name for column in how.columns]):
        try:
            row = row_of(fields, how)
        except InvalidInput as error:
            raise InvalidData(f"{path} row {at()}: {error.message}", field=error.field) from error
        yield Unlabelled(path.name, row, fields, at)


def row_of(fields: Mapping[str, Any], how: ColumnsInput) -> Array:
    """Named fields as a row of a data set's: `float32[columns]`.

    Raises:
        InvalidInput: A value is not of its column's kind, or a category that the data do not have.
    """
    numbers = [number for c in how.columns for number in _numbers(c, fields.get(c.name))]
    return np.array(numbers, np.float32)


def _rows(
    file: TableFile, columns: list[str]
) -> Iterator[tuple[Callable[[], int], dict[str, Any]]]:
    """Of each row what tells its number, and its values of some columns."""
    start = 0
    for batch in file.batches():
        for name in columns:
            if name not in batch.schema.names:
                raise InvalidData(f'{file.path}: column "{name}" is missing', field=name)
        for place, fields in enumerate(batch.select(columns).to_pylist(), start):
            yield partial(file.row, place), fields
        start += batch.num_rows


def _numbers(column: Column, value: Any) -> list[float]:
    made = numbers_of(column, value)
    if made is not None:
        return made
    # A service takes a new category for a missing one; nobody should be asked to label such a row.
    if column.categories is not None and value is not None and str(value).strip() not in MISSING:
        raise InvalidInput(
            f'field "{column.name}": expected one of {", ".join(column.categories[:20])}, '
            f'received "{value}"',
            field=column.name,
        )
    return [0.0 if column.words else float("nan")] * column.width


_READERS: Final[dict[type, dict[str, Reader]]] = {
    ImageInput: dict.fromkeys(pixels.SUFFIXES, _picture),
    AudioInput: dict.fromkeys(sound.SUFFIXES, _sound),
    TextInput: {TEXT: _text, **dict.fromkeys(_TABLES, _texts)},
    ColumnsInput: dict.fromkeys(_TABLES, _fields),
}
