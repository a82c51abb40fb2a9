"""Split conformal prediction: a threshold such that sets hold the truth as often as they say.

Papadopoulos, Proedrou, Vovk and Gammerman 2002 (quantities, by absolute residuals); Sadinle, Lei
and Wasserman 2019, Least Ambiguous Set-Valued Classifiers (classes, by the true class's
probability): of all sets with the same coverage these name the fewest labels on average.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from numen.core.conformal import Conformal
from numen.core.signature import Array
from numen.train.evaluate.figures import wilson
from numen.train.evaluate.report import Coverage

if TYPE_CHECKING:
    from numen.train.evaluate.judge import Judged

_LEAST: Final = 100  # rows; of fewer, the coverage of one threshold and the next differ too much
# What the same row's float32 sums may differ by from one batch to another: trees give many rows
# exactly the threshold, and all of those would fall out of their sets together.
_ROUNDING: Final = 1e-5


def conformal(judged: Judged, level: float) -> Conformal | None:
    """The threshold at a level, from rows that training did not learn from.

    Of `n` nonconformity scores it is the `ceil((n + 1) * level)`-th smallest: a further row drawn
    as these were has a score up to that with a probability of at least `level` (Lei, G'Sell,
    Rinaldo, Tibshirani and Wasserman 2018, Theorem 2.2).

    Args:
        judged: Predictions on those rows, and the truth.
        level: How often the truth is to be held, above 0 and below 1.

    Returns:
        None where the rows are too few for the level, or the answer is neither one class nor one
        quantity.
    """
    scores = _scores(judged)
    if scores is None or len(scores) < _LEAST:
        return None
    place = math.ceil((len(scores) + 1) * level - 1e-9)  # 1e-9: what 0.99 is not, as a double
    if place > len(scores):
        return None
    found = abs(float(np.sort(scores)[place - 1]))
    if not math.isfinite(found):
        return None
    found *= 1 + _ROUNDING if judged.labels is None else 1 - _ROUNDING
    return Conformal(level, found, len(scores))


def _scores(judged: Judged) -> Array | None:
    """How badly each row's truth goes with what was said of it, float[rows]."""
    if judged.group is not None or judged.several or judged.quantities:
        return None
    if judged.labels is None:
        return np.abs(judged.target.astype(np.float64) - judged.output[:, 0])
    return np.asarray(-judged.output[np.arange(len(judged.target)), judged.target])


def coverage(judged: Judged) -> Coverage | None:
    """How often the sets or intervals hold the truth of some rows; None where there are none."""
    how, rows = judged.conformal, len(judged.target)
    if how is None:
        return None
    if judged.labels is None:
        held = np.abs(judged.target.astype(np.float64) - judged.output[:, 0]) <= how.threshold
        size = 2 * how.threshold
    else:
        members = how.members(judged.output)
        held = members[np.arange(rows), judged.target]
        size = float(members.sum(axis=1).mean())
    where = wilson(int(held.sum()), rows)
    return Coverage(how.level, how.rows, float(held.mean()), where.low, where.high, size)
