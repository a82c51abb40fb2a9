"""Rows whose label may be wrong, found cheaply and said honestly.

Two signs: the same input with different labels, over all rows; and, over a sample of the training
rows, a label that a cheap model of the other rows contradicts (`numen.data.confident`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np

from numen.core.manifest import AudioInput, ColumnsInput, ImageInput, TextInput, WindowInput, places
from numen.core.signature import Array
from numen.data.confident import by_neighbours, by_trees, in_doubt
from numen.data.dataset import Dataset
from numen.data.pixels import thumbnails

SAMPLE: Final = 5_000
_FEWEST: Final = 10  # rows of which some can speak of the others
_COMPONENTS: Final = 50
_ONE_HOT: Final = 50
_SEED: Final = 10


class Suspect(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row whose label may be wrong.

    Attributes:
        split: The split it is in.
        row: Its place in the split, from 0.
        label: The label it has.
        suggestion: The label that others speak for; empty where they are divided.
        reason: `same input`: an equal input has another label; `others`: a model of the other
            rows contradicts it.
        votes: How many equal inputs have the suggestion.
        of: Out of how many.
        likely: How likely the model of the other rows finds the suggestion, from 0 to 1.
        own: How likely it finds the label.
    """

    split: str
    row: int
    label: str
    suggestion: str
    reason: Literal["same input", "others"]
    votes: int = 0
    of: int = 0
    likely: float = 0.0
    own: float = 0.0


def suspects(
    data: Dataset, prints: Mapping[str, Array], limit: int
) -> tuple[list[Suspect], int, int]:
    """Suspicious rows, the same inputs first and the surest first among each.

    Args:
        data: A dataset with classes.
        prints: Fingerprints of the rows of each split, `uint64[n]`.
        limit: Most rows to list.

    Returns:
        The rows, how many there are in all, and how many rows were judged by the others.
    """
    labels = data.labels or ()
    found, flagged = _conflicts(data, prints, labels, limit)
    others, compared = _disagreements(data, labels)
    others = [each for each in others if not flagged[each.split][each.row]]
    total = sum(int(each.sum()) for each in flagged.values()) + len(others)
    return [*found, *others][:limit], total, compared


def _conflicts(
    data: Dataset, prints: Mapping[str, Array], labels: tuple[str, ...], limit: int
) -> tuple[list[Suspect], dict[str, Array]]:
    """Rows in the minority among rows of the same input; all of them where none has a majority.

    Returns:
        At most `limit` of them, and for each split which rows they are, `bool[n]`.
    """
    target = np.concatenate([data.splits[name].target for name in prints])
    # A vote is a pair of an input and a label that it has somewhere.
    _, group = np.unique(np.concatenate(list(prints.values())), return_inverse=True)
    pairs, vote, counts = np.unique(
        group * len(labels) + target, return_inverse=True, return_counts=True
    )
    sizes = np.bincount(group)
    owner = pairs // len(labels)
    best = np.full(len(sizes), -1)  # the vote with most rows, by input
    order = np.argsort(counts, kind="stable")
    best[owner[order]] = order
    leaders = np.bincount(owner, weights=counts == counts[best[owner]]).astype(int)
    wrong = (leaders[group] > 1) | (vote != best[group])
    places = np.flatnonzero(wrong)
    sure = counts[best[group[places]]] / sizes[group[places]] * (leaders[group[places]] == 1)
    starts = np.cumsum([0, *(len(each) for each in prints.values())])
    names = list(prints)
    found = []
    for place in places[np.argsort(-sure, kind="stable")][:limit]:
        split = int(np.searchsorted(starts, place, side="right")) - 1
        chosen = best[group[place]]
        found.append(
            Suspect(
                names[split],
                int(place - starts[split]),
                labels[target[place]],
                labels[pairs[chosen] % len(labels)] if leaders[group[place]] == 1 else "",
                "same input",
                int(counts[chosen]),
                int(sizes[group[place]]),
            )
        )
    parts = np.split(wrong, starts[1:-1])
    return found, dict(zip(names, parts, strict=True))


def _disagreements(data: Dataset, labels: tuple[str, ...]) -> tuple[list[Suspect], int]:
    """Training rows of a sample that a cheap model of the sample's other rows contradicts."""
    count = len(data.train)
    if count <= _FEWEST or isinstance(data.preprocess, AudioInput | TextInput):
        return [], 0  # neither sounds nor texts are near each other, sample by sample, word by word
    rows = np.arange(count)
    if count > SAMPLE:
        rows = np.sort(np.random.default_rng(_SEED).choice(count, SAMPLE, replace=False))
    pictures = isinstance(data.preprocess, ImageInput)
    batches = data.train.take(rows).batches(512)
    parts = [_features(data, next(iter(batch.inputs.values()))) for batch in batches]
    points = _spread(np.concatenate(parts), not pictures)
    target = data.train.target[rows]
    judge = by_neighbours if pictures else by_trees
    found = judge(points, target, len(labels))
    return [
        Suspect(
            "train",
            int(rows[place]),
            labels[target[place]],
            labels[best],
            "others",
            likely=round(float(found[place, best]), 3),
            own=round(float(found[place, target[place]]), 3),
        )
        for place, best in zip(*in_doubt(found, target), strict=True)
    ], len(rows)


def _features(data: Dataset, inputs: Array) -> Array:
    """Rows as points, `float32[n, …]`: small grey pictures, or columns with categories apart."""
    if isinstance(data.preprocess, ImageInput):
        return thumbnails(inputs)
    assert isinstance(data.preprocess, ColumnsInput | WindowInput)
    rows = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    columns = []
    for place, column in places(data.preprocess.columns):
        values = rows[:, :, place : place + column.width]
        if column.categories is None:
            columns.append(values)
        elif len(column.categories) <= _ONE_HOT:
            columns.append((values == np.arange(len(column.categories))).astype("f4"))
    if not columns:
        return np.zeros((len(inputs), 1), np.float32)
    return np.concatenate(columns, axis=2).reshape(len(inputs), -1)


def _spread(points: Array, scale: bool) -> Array:
    """Centred, missing values at the mean, columns of a table at one scale; few dimensions."""
    points = points.astype(np.float64)
    missing = np.isnan(points)
    counts = np.maximum((~missing).sum(axis=0), 1)
    points = np.where(missing, 0.0, points - np.where(missing, 0.0, points).sum(axis=0) / counts)
    if scale:
        points /= np.maximum(points.std(axis=0), 1e-12)
    if points.shape[1] > _COMPONENTS:  # the principal components
        _, vectors = np.linalg.eigh(points.T @ points)
        points = points @ vectors[:, -_COMPONENTS:]
    return points.astype(np.float32)
