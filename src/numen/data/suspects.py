"""Rows whose label may be wrong, found cheaply and said honestly.

Two signs: the same input with different labels, over all rows; and, over a sample of the training
rows, a label that at least nine of the ten nearest neighbours contradict with one voice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
import numpy as np
from PIL import Image

from numen.core.manifest import ColumnsInput, TextInput
from numen.core.signature import Array
from numen.data.dataset import Dataset

SAMPLE: Final = 5_000
NEIGHBOURS: Final = 10
AGREE: Final = 9
_SIDE: Final = 14  # pictures are compared at this many pixels a side
_COMPONENTS: Final = 50
_ONE_HOT: Final = 50
_SEED: Final = 10


class Suspect(msgspec.Struct, frozen=True):
    """A row whose label may be wrong.

    Attributes:
        split: The split it is in.
        row: Its place in the split, from 0.
        label: The label it has.
        suggestion: The label that others speak for; empty where they are divided.
        reason: `same input`: an equal input has another label; `neighbours`: those contradict it.
        votes: How many speak for the suggestion.
        of: Out of how many.
    """

    split: str
    row: int
    label: str
    suggestion: str
    reason: Literal["same input", "neighbours"]
    votes: int
    of: int


def suspects(
    data: Dataset, prints: Mapping[str, Array], limit: int
) -> tuple[list[Suspect], int, int]:
    """Suspicious rows, the same inputs first and the surest first among each.

    Args:
        data: A dataset with classes.
        prints: Fingerprints of the rows of each split, `uint64[n]`.
        limit: Most rows to list.

    Returns:
        The rows, how many there are in all, and how many rows' neighbours were looked at.
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
    """Training rows of a sample whose neighbours in the sample contradict them."""
    count = len(data.train)
    if count <= NEIGHBOURS or isinstance(
        data.preprocess, TextInput
    ):  # distances of texts say little
        return [], 0
    rows = np.arange(count)
    if count > SAMPLE:
        rows = np.sort(np.random.default_rng(_SEED).choice(count, SAMPLE, replace=False))
    batches = data.train.take(rows).batches(512)
    parts = [_features(data, next(iter(batch.inputs.values()))) for batch in batches]
    points = _spread(np.concatenate(parts), isinstance(data.preprocess, ColumnsInput))
    target = data.train.target[rows]
    votes = np.stack([np.bincount(target[n], minlength=len(labels)) for n in _nearest(points)])
    best = votes.argmax(axis=1)
    most = votes.max(axis=1)
    wrong = np.flatnonzero((best != target) & (most >= AGREE))
    return [
        Suspect(
            "train",
            int(rows[place]),
            labels[target[place]],
            labels[best[place]],
            "neighbours",
            int(most[place]),
            NEIGHBOURS,
        )
        for place in wrong[np.argsort(-most[wrong], kind="stable")]
    ], len(rows)


def _features(data: Dataset, inputs: Array) -> Array:
    """Rows as points, `float32[n, …]`: small grey pictures, or columns with categories apart."""
    if not isinstance(data.preprocess, ColumnsInput):
        grey = inputs if inputs.ndim == 3 else inputs.mean(axis=3).astype(np.uint8)
        small = [
            Image.fromarray(each).resize((_SIDE, _SIDE), Image.Resampling.BOX) for each in grey
        ]
        return np.stack([np.asarray(each) for each in small]).reshape(len(grey), -1).astype("f4")
    columns = []
    for place, column in enumerate(data.preprocess.columns):
        values = inputs[:, place]
        if column.categories is None:
            columns.append(values)
        elif len(column.categories) <= _ONE_HOT:
            columns += [(values == code).astype("f4") for code in range(len(column.categories))]
    if not columns:
        return np.zeros((len(inputs), 1), np.float32)
    return np.stack(columns, axis=1)


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


def _nearest(points: Array) -> Array:
    """The places of each point's nearest neighbours, itself not among them: `int64[n, 10]`."""
    squares = (points**2).sum(axis=1)
    found = []
    for start in range(0, len(points), 512):
        block = points[start : start + 512]
        distances = squares - 2 * block @ points.T
        distances[np.arange(len(block)), np.arange(start, start + len(block))] = np.inf
        found.append(np.argpartition(distances, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS])
    return np.concatenate(found)
