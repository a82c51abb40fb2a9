"""What would make scores lie: columns that give the answer away, and rows that are there twice.

Looks at a sample, and says so; a column that gives the answer away may do so rightly, which only
a person can tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
import numpy as np

from numen.core.manifest import ColumnsInput, ImageInput, WindowInput, places
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.data.look import Look, fingerprints
from numen.data.pixels import thumbnails

SAMPLE: Final = 20_000
TELLS: Final = 0.97  # of what guessing gets wrong, a column alone gets so much right
AN_ID: Final = 0.3  # a number that counts the rows should tell nothing
_BINS: Final = 64
_FEWEST: Final = 50  # rows, below which chance tells as much
_CELL: Final = 1e-3  # of a column's standard deviation; nearer rows are near duplicates
_SHADES: Final = 16
_SEED: Final = 12
_LABELS: Final = 20  # that are looked at, where a row carries any number


class Leak(msgspec.Struct, frozen=True):
    """A column that tells the target by itself.

    Attributes:
        column: Its name.
        score: What part of the errors of guessing it gets right, from 0 to 1; of a quantity, what
            part of the variance of its ranks it explains.
        counts: It is a whole number that differs in every row, as an id does.
    """

    column: str
    score: float
    counts: bool


def leaks(data: Dataset) -> list[Leak]:
    """Columns that tell the target nearly without error, the surest first.

    Half of a sample of the training rows says what each bin of a column stands for, the other
    half judges. Words of texts are not looked at.
    """
    how = data.preprocess
    rows = _sample(len(data.train), SAMPLE)
    if not isinstance(how, ColumnsInput | WindowInput) or len(rows) < _FEWEST:
        return []
    batch = data.train.take(rows).arrays()
    (inputs,) = batch.inputs.values()
    values = inputs.reshape(len(inputs), -1, inputs.shape[-1])[:, -1]
    targets = list(_targets(data, batch.target))
    found = []
    for place, column in places(how.columns):
        if column.words:
            continue
        parts = [values[:, place + part] for part in range(column.width)]
        score = max(_tells(each, *target) for each in parts for target in targets)
        counts = column.categories is None and not column.date and _differ(parts[0])
        if score >= (AN_ID if counts else TELLS):
            found.append(Leak(column.name, round(score, 4), counts))
    return sorted(found, key=lambda leak: -leak.score)


def _targets(data: Dataset, target: Array) -> Iterator[tuple[Array, int]]:
    """What a column may tell, each with its number of classes; of many labels the commonest."""
    if data.several:
        for place in np.argsort(-target.sum(axis=0), kind="stable")[:_LABELS]:
            yield target[:, place].astype(np.int64), 2
    elif data.labels:
        yield target, len(data.labels)
    else:
        for column in target.reshape(len(target), -1).T:
            yield _ranks(column), 0


def _tells(values: Array, target: Array, classes: int) -> float:
    fit, judged = slice(0, None, 2), slice(1, None, 2)
    known = values[fit][~np.isnan(values[fit])]
    if not len(known):
        return 0.0
    distinct = np.unique(known)
    if len(distinct) > _BINS:
        distinct = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:]))
    bins = np.searchsorted(distinct, values)  # from below; what is missing comes last, by itself
    bins[np.isnan(values)] = len(distinct) + 1
    count = len(distinct) + 2
    if classes:
        table = np.zeros((count, classes))
        np.add.at(table, (bins[fit], target[fit]), 1)
        usual = int(np.bincount(target[fit], minlength=classes).argmax())
        said = np.where(table.any(axis=1), table.argmax(axis=1), usual)
        guessed = (target[judged] != usual).mean()
        wrong = (target[judged] != said[bins[judged]]).mean()
    else:
        sums = np.bincount(bins[fit], target[fit], count)
        mean = target[fit].mean()
        sizes = np.bincount(bins[fit], minlength=count)
        means = np.where(sizes > 0, sums / np.maximum(sizes, 1), mean)
        guessed = ((target[judged] - mean) ** 2).mean()
        wrong = ((target[judged] - means[bins[judged]]) ** 2).mean()
    return float(1 - wrong / guessed) if guessed else 0.0


def near(data: Dataset, seen: Mapping[str, Look]) -> int:
    """Test rows that are nearly, but not quite, a training row: alike but for a rounding.

    Pictures are compared small and in few shades. Of large sets a sample of the test rows is
    compared with one of the training rows.
    """
    how = data.preprocess
    if not isinstance(how, ColumnsInput | WindowInput | ImageInput):
        return 0
    scale = None
    if not isinstance(how, ImageInput):
        stds = [seen["train"].moments.of(place).get("std", 0.0) for place in range(how.shape[-1])]
        scale = np.maximum(stds, 1e-12) * _CELL
    rows = {name: _sample(len(data.splits[name]), SAMPLE) for name in ("train", "test")}
    close = np.zeros(len(rows["test"]), bool)
    prints = {name: _coarse(data, name, rows[name], scale) for name in rows}
    for train, test in zip(prints["train"], prints["test"], strict=True):
        close |= np.isin(test, train)
    same = np.isin(seen["test"].prints[rows["test"]], seen["train"].prints)
    return int((close & ~same).sum())


def _coarse(data: Dataset, split: str, rows: Array, scale: Array | None) -> tuple[Array, Array]:
    """Fingerprints of rows on two grids, so that what one parts the other may not."""
    grids: tuple[list[Array], list[Array]] = ([], [])
    for batch in data.splits[split].take(rows).batches(1_024):
        (inputs,) = batch.inputs.values()
        if scale is None:
            cells = thumbnails(inputs) * (_SHADES / 256)
        else:
            cells = np.nan_to_num(inputs / scale, nan=-1e15)
        for shift, grid in zip((0.0, 0.5), grids, strict=True):
            grid.append(fingerprints(np.floor(cells + shift).astype(np.float64)))
    return np.concatenate(grids[0]), np.concatenate(grids[1])


def shared_groups(data: Dataset) -> int:
    """Groups that stand in the training rows and in the test rows."""
    train, test = data.train.group, data.test.group
    if train is None or test is None:
        return 0
    return len(np.intersect1d(train, test))


def _sample(count: int, most: int) -> Array:
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(_SEED).choice(count, most, replace=False))


def _ranks(values: Array) -> Array:
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def _differ(values: Array) -> bool:
    whole = bool(np.all(values == np.floor(values)))  # NaN is not
    return whole and len(np.unique(values)) == len(values)
