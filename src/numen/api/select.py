"""Choosing columns before a training, and measuring what the choice costs the model asked for."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from numen.core.manifest import Classification
from numen.core.signature import Array
from numen.data.align import narrowed
from numen.data.dataset import Batch, Dataset
from numen.runtime.process import probabilities
from numen.train.base import Run, Silent
from numen.train.evaluate import Judged, compare, judge
from numen.train.find import trainer_for
from numen.train.recipe import Recipe
from numen.train.select import check, select
from numen.train.selection import SELECTION, Cost, Selection

ASIDE: Final = 0.25  # of the training rows say what it costs; nothing is chosen by them


def chosen(data: Dataset, recipe: Recipe, run: Run) -> tuple[Dataset, Selection]:
    """The data with the columns that a recipe's `select` chooses, and how they were chosen.

    The test rows are not looked at. A training that goes on has chosen already.

    Raises:
        InvalidInput: Nothing can be chosen there; see `numen.train.select.check`.
    """
    check(data, recipe)
    kept = run.folder / SELECTION
    if run.resume and kept.is_file():
        found = msgspec.json.decode(kept.read_bytes(), type=Selection)
    else:
        found = _choose(data, recipe, run)
        kept.write_bytes(msgspec.json.encode(found))
    return narrowed(data, found.names), found


def _choose(data: Dataset, recipe: Recipe, run: Run) -> Selection:
    rows, aside = data.train.divide(ASIDE, recipe.seed)
    assert recipe.select is not None
    found = select(data, rows, recipe.select, recipe.seed, run.progress)
    seen = replace(data, splits={"train": rows, "test": aside})
    run.progress.note("measuring what that costs: trained twice, with all columns and with these")
    plain = msgspec.structs.replace(recipe, select=None)
    first = _judged(seen, plain, run)
    second = _judged(narrowed(seen, found.names), plain, run)
    metric = "r2" if data.labels is None else "exact" if data.several else "accuracy"
    difference = next(d for d in compare(first, second).differences if d.metric == metric)
    cost = Cost(
        metric, len(aside), difference.first, difference.second,
        difference.change, difference.low, difference.high,
    )  # fmt: skip
    run.progress.note(f"chosen: {', '.join(found.names)}")
    run.progress.note(
        f"{metric} {cost.all:.4f} with all columns, {cost.chosen:.4f} with these, on {cost.rows:,} "
        f"rows kept aside: {cost.change:+.4f} (95 %: {cost.low:+.4f} to {cost.high:+.4f})"
    )
    return msgspec.structs.replace(found, cost=cost)


def _judged(data: Dataset, recipe: Recipe, run: Run) -> Judged:
    """Trains on the one part of the training rows and predicts the other."""
    with tempfile.TemporaryDirectory(dir=run.folder) as folder:
        trained = trainer_for(recipe).fit(data, recipe, Run(Path(folder), Silent()))
    if trained.stopped == "interrupted":
        raise KeyboardInterrupt

    def predict(batch: Batch) -> Array:
        outputs = trained.predict(batch.inputs)
        how = trained.postprocess
        if isinstance(how, Classification):
            return probabilities(outputs, how)
        return next(iter(outputs.values())).reshape(len(batch), -1)

    labels, quantities = data.labels, data.quantities
    return judge(predict, data.test, labels, several=data.several, quantities=quantities)
