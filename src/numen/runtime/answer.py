"""From a model's arrays to what people read: labels, probabilities, sets, quantities.

Follows what the bundle's manifest says, so every door words an answer alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numen.core.conformal import Conformal
from numen.core.manifest import EDGE, Classification, Manifest, Regression
from numen.core.signature import Array
from numen.runtime.process import probabilities


def describe(
    manifest: Manifest, outputs: Mapping[str, Array], top: int = 5
) -> list[dict[str, Any]]:
    """What the outputs mean, a plain object a row.

    Classification gives `label`, `probability` and the `top` best, and where the manifest has a
    threshold the `set` of all labels that cannot be ruled out, the likeliest first; where a row
    carries any number of labels, `labels` those that are as likely as not, the likeliest first,
    and `scores` the probability of each. Regression gives the target, with its `interval` where
    the manifest has one, or each of several by its name; a model that says nothing of its outputs
    gives them by name.
    """
    how = manifest.postprocess
    if isinstance(how, Classification):
        scores = probabilities(outputs, how)
        if how.several:
            return [_carried(how.labels, row) for row in scores]
        return _chosen(how, scores, top)
    if isinstance(how, Regression):
        values = outputs[how.output].reshape(len(outputs[how.output]), -1)
        if how.targets:
            return [dict(zip(how.targets, row, strict=True)) for row in values.tolist()]
        return [_quantity(how, row) for row in values.tolist()]
    count = len(next(iter(outputs.values())))
    return [{name: array[i].tolist() for name, array in outputs.items()} for i in range(count)]


def _chosen(how: Classification, scores: Array, top: int) -> list[dict[str, Any]]:
    sets = how.conformal
    members = sets.members(scores) if isinstance(sets, Conformal) else None
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(scores):
        best = np.argsort(-row, kind="stable")
        ranked = [{"label": how.labels[i], "probability": float(row[i])} for i in best[:top]]
        rows.append({**ranked[0], "top": ranked})
        if members is not None:
            rows[-1]["set"] = [how.labels[i] for i in best if members[number, i]]
    return rows


def _quantity(how: Regression, row: list[float]) -> dict[str, Any]:
    if len(row) != 1:
        return {how.target: row}
    said: dict[str, Any] = {how.target: row[0]}
    if isinstance(how.conformal, Conformal):
        said.setdefault("interval", how.conformal.interval(row[0]))  # a target may be called so
    return said


def _carried(labels: Sequence[str], scores: Array) -> dict[str, Any]:
    ranked = [int(place) for place in np.argsort(-scores, kind="stable")]
    return {
        "labels": [labels[place] for place in ranked if scores[place] >= EDGE],
        "scores": {label: float(score) for label, score in zip(labels, scores, strict=True)},
    }
