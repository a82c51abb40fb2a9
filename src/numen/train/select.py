"""Which few columns of a table say what all of them say.

Mutual information parts the wheat from the chaff where columns are many; then boosted trees learn,
the columns they miss least are left out, and so on (recursive elimination: Guyon et al. 2002). All
that is done anew on halves of the rows, and the columns that come out of most halves are chosen
(Meinshausen and Bühlmann 2010). What it costs is for others to measure, on rows not looked at here.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from numen.core.errors import InvalidInput
from numen.core.manifest import ColumnsInput, WindowInput, places
from numen.core.signature import Array
from numen.data.align import narrowed
from numen.data.dataset import Dataset
from numen.data.split import Split
from numen.explain.overall import importance
from numen.train.base import Progress, Run, Silent
from numen.train.find import trainer_for
from numen.train.ranking import LAMBDARANK, compares_pairs
from numen.train.recipe import Recipe
from numen.train.selection import Kept, Selection

RESAMPLES: Final = 8
SCREENED: Final = 40  # columns that eliminating begins with, or twice as many as are wanted
_DROPPED: Final = 0.25  # of the columns in a step, at least one
_LEARNT: Final = 10_000  # rows of a half
_JUDGED: Final = 2_000
_ROUNDS: Final = 60
# Trees that look at all columns and thresholds lean on the best of those that say the same, and
# leave the others out; trees that look at some share themselves out among all of them.
_PLAIN: Final = {"extra_trees": False, "feature_fraction": 1.0}
_BINS: Final = 10  # of a number, where mutual information is counted


def check(data: Dataset, recipe: Recipe) -> None:
    """Refuses a choice of columns where there is none.

    Raises:
        InvalidInput: The data are no table, have no more columns than are wanted, or an order is
            to be learnt.
    """
    how, wanted = data.preprocess, recipe.select
    if not isinstance(how, ColumnsInput | WindowInput):
        raise InvalidInput(
            f"select: expected a table, received rows of {type(how).__name__}",
            hint="leave it out: only columns can be chosen",
            field="select",
        )
    if recipe.loss == LAMBDARANK or compares_pairs(recipe.loss):
        raise InvalidInput(
            f'select: expected classes or quantities, received loss "{recipe.loss}" of an order',
            hint='leave columns out by hand: [read.columns] NAME = "ignore"',
            field="select",
        )
    if wanted is None or not 0 < wanted < len(how.columns):
        raise InvalidInput(
            f"select: expected at least 1 and fewer than the {len(how.columns)} columns, "
            f"received {wanted}",
            field="select",
        )


def select(data: Dataset, rows: Split, wanted: int, seed: int, progress: Progress) -> Selection:
    """Chooses columns.

    Args:
        data: Says what the rows are.
        rows: Training rows; what is chosen is not to be judged by them.
        wanted: How many columns.
        seed: Of the halves; the same seed chooses the same.
        progress: Who is told.

    Raises:
        InvalidInput: There are too few rows.
    """
    how = data.preprocess
    assert isinstance(how, ColumnsInput | WindowInput)
    names = [column.name for column in how.columns]
    chosen: Counter[str] = Counter()
    ranks: Counter[str] = Counter()
    for turn in range(RESAMPLES):
        progress.note(f"choosing {wanted} of {len(names)} columns: {turn + 1} of {RESAMPLES}")
        halves = _halves(rows, seed + turn)
        # So few rows are learnt sooner by one thread than by several that wait for each other.
        with threadpool_limits(1):
            ranked = _ranked(data, *halves, wanted, seed + turn)
        chosen.update(ranked[:wanted])
        ranks.update({name: place for place, name in enumerate(ranked)})
    names.sort(key=lambda name: (-chosen[name], ranks[name]))
    kept = tuple(Kept(name, chosen[name] / RESAMPLES) for name in names)
    return Selection(kept[:wanted], kept[wanted:], RESAMPLES)


def _halves(rows: Split, seed: int) -> tuple[Split, Split]:
    """Rows to learn from and to judge by; of rows in time the latest judge, every time."""
    learnt, judged = rows.divide(0.5, seed)
    random = np.random.default_rng(seed)
    most = _LEARNT if rows.order is None else min(_LEARNT, max(2, len(learnt) // 2))
    return _some(learnt, most, random), _some(judged, _JUDGED, random)


def _some(rows: Split, most: int, random: np.random.Generator) -> Split:
    return rows if len(rows) <= most else rows.take(np.sort(random.permutation(len(rows))[:most]))


def _ranked(data: Dataset, learnt: Split, judged: Split, wanted: int, seed: int) -> list[str]:
    """All columns, those first that were eliminated last."""
    scores = information(data, learnt)
    left = sorted(scores, key=lambda name: -scores[name])
    begin = max(SCREENED, 2 * wanted)
    out, left = left[begin:], left[:begin]
    halves = replace(data, splits={"train": learnt, "test": judged})
    while True:
        left = _by_worth(narrowed(halves, left), seed)
        count = max(wanted, len(left) - max(1, int(_DROPPED * len(left))))
        out, left = left[count:] + out, left[:count]
        if count == wanted:
            return left + out


def _by_worth(data: Dataset, seed: int) -> list[str]:
    """The columns by what they are worth to a model of the one half, on the other half."""
    family, params = ("forest", {}) if data.many else ("boosting", _PLAIN)
    recipe = Recipe(family=family, epochs=_ROUNDS, seed=seed, params=params)
    with tempfile.TemporaryDirectory(prefix="numen-select-") as folder:
        trained = trainer_for(recipe).fit(data, recipe, Run(Path(folder), Silent()))
    if trained.stopped == "interrupted":
        raise KeyboardInterrupt
    (source,), (output,) = trained.signature.inputs, trained.signature.outputs

    def answer(rows: Array) -> Array:
        return trained.predict({source.name: rows})[output.name]

    batch = data.test.arrays()
    (rows,) = batch.inputs.values()
    target = batch.target.astype(bool) if data.several else batch.target
    how = data.preprocess
    assert isinstance(how, ColumnsInput | WindowInput)
    found = importance(answer, rows, target, how.columns, repeats=3, seed=seed)
    return [each.column for each in found.columns]


def information(data: Dataset, rows: Split) -> dict[str, float]:
    """The mutual information of each column with the target, in nats, counted in bins.

    Of several numbers of a column the greatest, of several targets the sum; of windows the last
    step is looked at. What chance alone would show is taken off (Miller 1955).
    """
    how = data.preprocess
    assert isinstance(how, ColumnsInput | WindowInput)
    batch = rows.arrays()
    (inputs,) = batch.inputs.values()
    table = inputs.reshape(len(inputs), -1, inputs.shape[-1])[:, -1]
    classes = data.labels is not None
    targets = [
        each.astype(np.int64) if classes else _binned(each)
        for each in batch.target.reshape(len(table), -1).T
    ]
    found = {}
    for place, column in places(how.columns):
        parts = [table[:, place + part] for part in range(column.width)]
        codes = [_coded(p) if column.categories is not None else _binned(p) for p in parts]
        found[column.name] = max(sum(_shared(c, t) for t in targets) for c in codes)
    return found


def _coded(values: Array) -> Array:
    return np.nan_to_num(values, nan=-1).astype(np.int64) + 1


def _binned(values: Array) -> Array:
    """In which of ten bins, of as many rows each, a value is; what is missing is in its own."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values), np.int64)
    edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS))
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))


def _shared(a: Array, b: Array) -> float:
    """Mutual information of two codes in nats, less what it is by chance on average."""
    counts = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(counts, (a, b), 1)
    counts = counts[counts.any(1)][:, counts.any(0)]
    joint = counts / len(a)
    apart = joint.sum(1, keepdims=True) * joint.sum(0)
    there = joint > 0
    chance = (len(joint) - 1) * (joint.shape[1] - 1) / (2 * len(a))
    return float((joint[there] * np.log(joint[there] / apart[there])).sum() - chance)
