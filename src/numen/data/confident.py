"""Labels that the other rows contradict: confident learning (Northcutt, Jiang and Chuang 2021).

A cheap model judges each row without having seen it. A label is in doubt where another class is
at least as likely as it usually is among the rows that carry its name.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from numen.core.signature import Array

NEIGHBOURS: Final = 10
_SURE: Final = 0.8  # likely enough, whatever is usual: above, chance decides how much
_FOLDS: Final = 4
_TREES: Final = {
    "num_leaves": 8, "min_data_in_leaf": 5, "learning_rate": 0.2, "extra_trees": True,
    "verbosity": -1, "seed": 1, "deterministic": True, "num_threads": 2,
}  # fmt: skip
_ROUNDS: Final = 20


def in_doubt(probabilities: Array, target: Array) -> tuple[Array, Array]:
    """Rows whose label is in doubt, and the class that speaks against it.

    Args:
        probabilities: `float[n, classes]`, each row's from a model that did not see it.
        target: `int64[n]`, the labels given.

    Returns:
        Places of the rows, the surest first, and a class for each: `int64[k]` both.
    """
    classes = probabilities.shape[1]
    rows = np.arange(len(target))
    own = probabilities[rows, target]
    counts = np.bincount(target, minlength=classes)
    usual = np.bincount(target, own, classes) / np.maximum(counts, 1)
    usual = np.where(counts == 0, np.inf, np.minimum(usual, _SURE))
    likely = np.where(probabilities >= usual, probabilities, -1.0)
    best = likely.argmax(axis=1)
    margin = likely[rows, best] - own
    places = np.flatnonzero((best != target) & (margin > 0))
    places = places[np.argsort(-margin[places], kind="stable")]
    return places, best[places]


def by_trees(points: Array, target: Array, classes: int) -> Array:
    """Out-of-fold probabilities of a few boosted trees, `float64[n, classes]`: for tables."""
    import lightgbm

    fold = np.random.default_rng(1).permutation(len(target)) % _FOLDS
    made = np.zeros((len(target), classes))
    options: dict[str, Any] = {**_TREES, "objective": "multiclass", "num_class": classes}
    for each in range(_FOLDS):
        rest = lightgbm.Dataset(points[fold != each], target[fold != each])
        model = lightgbm.train(options, rest, _ROUNDS)
        made[fold == each] = model.predict(points[fold == each])
    return made


def by_neighbours(points: Array, target: Array, classes: int) -> Array:
    """Shares of each class among the nearest rows, itself aside, `float64[n, classes]`."""
    votes = np.stack([np.bincount(target[n], minlength=classes) for n in _nearest(points)])
    return (votes + 1 / classes) / (NEIGHBOURS + 1)


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
