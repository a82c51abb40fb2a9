"""Rows without a label, and how sure a model is of each: files of pictures, or tables.

Pictures stay in their files until they are asked for. A row is known by its contents, so the same
row is the same wherever it lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from PIL import Image

from numen.api.model import Model
from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.core.manifest import Classification, ColumnsInput, ImageInput
from numen.core.signature import Array
from numen.data.dataset import Batch, Dataset
from numen.data.pixels import SUFFIXES, decode, fit
from numen.data.sources.table import CsvSource, JsonlSource, ParquetSource

By = Literal["margin", "entropy"]
_ROWS: Final = 256
_TRUTH: Final = {"true": 1.0, "false": 0.0}
_TABLES: Final = (CsvSource, JsonlSource, ParquetSource)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row without a label.

    Attributes:
        key: Of its contents.
        origin: The file, and the row in it.
        row: As the data set's batches have it: `uint8[h, w]`, `uint8[h, w, 3]`, `float32[columns]`.
        fields: What a table says of it, by column.
        scores: The model's probabilities, in the order of the data set's labels.
    """

    key: str
    origin: str
    row: Array
    fields: dict[str, Any] | None
    scores: Array


class Pool:
    """Rows without a label, in the order in which to ask for one.

    Args:
        dataset: What they shall be added to.
        model: Who guesses.
        sources: Files, or folders of pictures.

    Raises:
        InvalidInput: The model is not of this data, or neither pictures nor a table.
        NotFound: There is nothing at a source.
        InvalidData: A file is broken.
    """

    def __init__(self, dataset: Dataset, model: Model, sources: Sequence[Path]):
        self.dataset = dataset
        self.model = model
        self._order = _label_order(dataset, model)
        rows = _pictures if isinstance(dataset.preprocess, ImageInput) else _table_rows
        self._rows = rows
        self._files = [file for source in sources for file in _files(source, dataset)]
        if not self._files:
            raise NotFound(f"nothing to label in {', '.join(map(str, sources))}")

    def candidates(self) -> Iterator[Candidate]:
        """All of them with the model's guess, as they lie in their files, each content once."""
        held: list[tuple[str, Array, dict[str, Any] | None]] = []
        seen: set[str] = set()
        for found in self._rows(self._files, self.dataset):
            key = sha256(np.ascontiguousarray(found[1]).tobytes()).hexdigest()[:16]
            if key in seen:
                continue
            seen.add(key)
            held.append(found)
            if len(held) == _ROWS:
                yield from self._scored(held)
                held = []
        if held:
            yield from self._scored(held)

    def _scored(self, held: list[tuple[str, Array, dict[str, Any] | None]]) -> Iterator[Candidate]:
        rows = np.stack([row for _, row, _ in held])
        takes_missing = self.model.manifest.signature.inputs[0].missing
        if rows.dtype.kind == "f" and not takes_missing and np.isnan(rows).any():
            origin = held[int(np.isnan(rows).any(axis=1).argmax())][0]
            raise InvalidData(f"{origin}: a value is missing, and the model takes none without")
        batch = Batch({self.dataset.preprocess.input: rows}, np.zeros(len(rows), np.int64))
        scores = self.model.score(batch)[:, self._order]
        for (origin, row, fields), guess in zip(held, scores, strict=True):
            key = sha256(np.ascontiguousarray(row).tobytes()).hexdigest()[:16]
            yield Candidate(key, origin, row, fields, guess)


def doubt(scores: Array, by: By) -> float:
    """How unsure a model is, from 0 to 1.

    Args:
        scores: Its probabilities, `float32[labels]`.
        by: `margin`: how close the second label comes to the first. `entropy`: how evenly all
            labels share, 1 being all alike (Shannon's entropy over its greatest value).
    """
    if by == "margin":
        second, first = np.sort(scores)[-2:]
        return float(1 - (first - second))
    share = np.clip(scores.astype(np.float64), 1e-12, 1)
    return float(-(share * np.log(share)).sum() / np.log(len(share)))


def _label_order(dataset: Dataset, model: Model) -> Array:
    how, expected = model.manifest.postprocess, dataset.labels
    takes = model.manifest.preprocess
    if expected is None or not isinstance(how, Classification):
        raise InvalidInput("label: expected data and a model of classes", field="model")
    if set(how.labels) != set(expected):
        raise InvalidInput(
            f"label: expected a model of {', '.join(expected[:20])}, "
            f"received one of {', '.join(how.labels[:20])}",
            field="model",
        )
    if not isinstance(takes, ImageInput | ColumnsInput):
        raise InvalidInput("label: expected pictures or a table", field="model")
    same = takes.shape == dataset.preprocess.shape
    if isinstance(takes, ColumnsInput) and isinstance(dataset.preprocess, ColumnsInput):
        same = takes.columns == dataset.preprocess.columns
    if not same:
        raise InvalidInput(
            f"label: the model does not take the rows of {dataset.name}",
            hint="use one that was trained on it",
            field="model",
        )
    return np.array([how.labels.index(label) for label in expected])


def _files(source: Path, dataset: Dataset) -> list[Path]:
    pictures = isinstance(dataset.preprocess, ImageInput)
    if not source.exists():
        raise NotFound(f"{source} does not exist")
    known = SUFFIXES if pictures else {suffix for kind in _TABLES for suffix in kind.suffixes}
    inside = sorted(source.rglob("*")) if source.is_dir() else [source]
    found = [path for path in inside if path.is_file() and path.suffix.lower() in known]
    if not found and not source.is_dir():
        raise InvalidInput(f"{source}: expected {', '.join(sorted(known))}", field="from")
    return found


def _pictures(files: list[Path], dataset: Dataset) -> Iterator[tuple[str, Array, None]]:
    shape = dataset.preprocess.shape
    for path in files:
        pixels = decode(path.read_bytes(), str(path))
        if pixels.ndim > len(shape):  # a colour picture among grey ones
            pixels = np.asarray(Image.fromarray(pixels).convert("L"))
        yield path.name, fit(pixels, shape), None


def _table_rows(files: list[Path], dataset: Dataset) -> Iterator[tuple[str, Array, dict[str, Any]]]:
    how = dataset.preprocess
    assert isinstance(how, ColumnsInput)
    for path in files:
        opened = next(kind for kind in _TABLES if path.suffix.lower() in kind.suffixes).opened
        file, place = opened(path), 0
        for batch in file.batches():
            for column in how.columns:
                if column.name not in batch.schema.names:
                    raise InvalidData(f'{path}: column "{column.name}" is missing')
            for fields in batch.select([column.name for column in how.columns]).to_pylist():
                where = f"{path.name} row {file.row(place)}"
                place += 1
                row = [_number(where, c.name, fields[c.name], c.categories) for c in how.columns]
                yield where, np.array(row, np.float32), fields


def _number(where: str, name: str, value: Any, categories: tuple[str, ...] | None) -> float:
    if value is None or value == "":
        return float("nan")
    if categories is not None:
        if str(value) not in categories:
            raise InvalidData(
                f'{where}: column "{name}": expected one of {", ".join(categories[:20])}, '
                f'received "{value}"'
            )
        return float(categories.index(str(value)))
    text = str(value).lower()
    if text in _TRUTH:
        return _TRUTH[text]
    try:
        return float(text)
    except ValueError:
        raise InvalidData(
            f'{where}: column "{name}": expected a number, received "{value}"'
        ) from None
