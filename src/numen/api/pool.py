"""How sure a model is of rows without a label.

The rows are read by `numen.data.unlabelled`, and stay in their files until they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from numen.api.model import Model
from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import AudioInput, Classification, ColumnsInput, TextInput
from numen.core.signature import Array
from numen.core.sound import filled
from numen.data.dataset import Batch, Dataset
from numen.data.sound import FULL
from numen.data.unlabelled import Unlabelled, read

By = Literal["margin", "entropy"]
_ROWS: Final = 256
_BYTES: Final = 32 << 20  # of rows that the model is asked at once


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One row without a label, and what the model says of it.

    Attributes:
        key: Of its contents.
        found: The row, its file, and what a table says of it.
        scores: The model's probabilities, in the order of the data set's labels.
    """

    key: str
    found: Unlabelled
    scores: Array

    @property
    def row(self) -> Array:
        """As `numen.data.extend` takes it."""
        return self.found.row

    @property
    def origin(self) -> str:
        """The file, and the row in it."""
        return self.found.origin

    @property
    def fields(self) -> dict[str, Any] | None:
        """What a table says of it, by column."""
        return self.found.fields


class Pool:
    """Rows without a label, in the order of their files.

    Args:
        dataset: What they shall be added to.
        model: Who guesses.
        sources: Files, or folders of them.

    Raises:
        InvalidInput: The model is not of this data.
        NotFound: There is nothing at a source.
        InvalidData: A file is broken.
    """

    def __init__(self, dataset: Dataset, model: Model, sources: Sequence[Path]):
        self.dataset = dataset
        self.model = model
        self._order = _label_order(dataset, model)
        self._rows = read(sources, dataset)
        size = 4 * int(np.prod(dataset.preprocess.shape))
        self._at_once = min(max(_BYTES // size, 1), _ROWS)

    def candidates(self) -> Iterator[Candidate]:
        """All of them with the model's guess, once."""
        held: list[Unlabelled] = []
        for found in self._rows:
            held.append(found)
            if len(held) == self._at_once:
                yield from self._scored(held)
                held = []
        if held:
            yield from self._scored(held)

    def _scored(self, held: list[Unlabelled]) -> Iterator[Candidate]:
        rows = self._stacked([found.row for found in held])
        takes_missing = self.model.manifest.signature.inputs[0].missing
        if rows.dtype.kind == "f" and not takes_missing and np.isnan(rows).any():
            origin = held[int(np.isnan(rows).any(axis=1).argmax())].origin
            raise InvalidData(f"{origin}: a value is missing, and the model takes none without")
        batch = Batch({self.dataset.preprocess.input: rows}, np.zeros(len(rows), np.int64))
        scores = self.model.score(batch)[:, self._order]
        for found, guess in zip(held, scores, strict=True):
            yield Candidate(found.key, found, guess)

    def _stacked(self, rows: list[Array]) -> Array:
        how = self.dataset.preprocess
        if isinstance(how, AudioInput):
            return np.stack([filled(row / np.float32(FULL), how.samples) for row in rows])
        return np.stack(rows)


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
    if expected is None or not isinstance(how, Classification):
        raise InvalidInput("label: expected data and a model of classes", field="model")
    if set(how.labels) != set(expected):
        raise InvalidInput(
            f"label: expected a model of {', '.join(expected[:20])}, "
            f"received one of {', '.join(how.labels[:20])}",
            field="model",
        )
    if not _takes(model, dataset):
        raise InvalidInput(
            f"label: the model does not take the rows of {dataset.name}",
            hint="use one that was trained on it",
            field="model",
        )
    return np.array([how.labels.index(label) for label in expected])


def _takes(model: Model, dataset: Dataset) -> bool:
    takes, has = model.manifest.preprocess, dataset.preprocess
    if type(takes) is not type(has):
        return False
    if isinstance(takes, ColumnsInput) and isinstance(has, ColumnsInput):
        return takes.columns == has.columns
    if isinstance(takes, AudioInput) and isinstance(has, AudioInput):
        return (takes.rate, takes.samples) == (has.rate, has.samples)
    return isinstance(takes, TextInput) or (takes is not None and takes.shape == has.shape)
