"""Two models on the same rows: which is better, and could that be chance?"""

from __future__ import annotations

import numpy as np

from numen.core.errors import InvalidInput
from numen.train.evaluate.figures import LEVEL, RESAMPLES, ClassFigures, resamples
from numen.train.evaluate.judge import Judged
from numen.train.evaluate.ranking import RankingFigures
from numen.train.evaluate.report import METRICS, RISING, Comparison, Difference
from numen.train.evaluate.several import LabelFigures

_ALPHA = 0.05


def compare(first: Judged, second: Judged, *, seed: int = 0, wanted: int = RESAMPLES) -> Comparison:
    """Compares two models' predictions of the same rows.

    Accuracy, and whether all labels of a row are right, are tested by McNemar's exact test on the
    rows that only one has right (McNemar 1947); every other figure by resampling the rows of both
    alike.

    Args:
        first: One model's predictions.
        second: The other's, row by row of the same.
        seed: Of the resamples.
        wanted: How many.

    Raises:
        InvalidInput: They are not of the same rows or classes.
    """
    names = [(judged.labels, judged.several, judged.quantities) for judged in (first, second)]
    if names[0] != names[1] or not np.array_equal(first.target, second.target):
        raise InvalidInput(
            "compare: expected two models of the same classes on the same rows",
            hint="evaluate both on data whose target both have learnt",
        )
    if (first.group is None) != (second.group is None):
        raise InvalidInput("compare: one model orders rows, the other says a quantity")
    a, b = first.figures, second.figures
    rows = len(first.target)
    units = len(a) if isinstance(a, RankingFigures) else rows
    drawn = []
    for weights in resamples(units, a.classes, seed, wanted):
        one, other = a(weights), b(weights)
        drawn.append({name: other[name] - one[name] for name in one})
    only_a = only_b = 0
    exact = {}
    agreement = None
    if isinstance(a, ClassFigures) and isinstance(b, ClassFigures):
        only_a, only_b = int((a.right & ~b.right).sum()), int((b.right & ~a.right).sum())
        agreement = float((a.best == b.best).mean())
        exact["accuracy"] = _mcnemar(only_a, only_b)
    if isinstance(a, LabelFigures) and isinstance(b, LabelFigures):
        only_a, only_b = int((a.right & ~b.right).sum()), int((b.right & ~a.right).sum())
        agreement = float((a.said == b.said).all(1).mean())
        exact["exact"] = _mcnemar(only_a, only_b)
    before, after = a(), b()
    differences = []
    for name in (name for name in METRICS if name in before):
        was = before[name]
        changes = np.array([each[name] for each in drawn])
        low, high = np.quantile(changes, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
        p = exact.get(name, _two_sided(changes))
        gained = (after[name] - was) * (1 if name in RISING else -1)
        better = "" if p >= _ALPHA or not gained else "second" if gained > 0 else "first"
        change = after[name] - was
        differences.append(
            Difference(name, was, after[name], change, float(low), float(high), p, better)
        )
    method = f"{LEVEL:.0%}: paired percentile bootstrap, {len(drawn)} resamples, seed {seed}"
    if exact:
        method += f"; p of {', '.join(exact)}: McNemar's exact test"
    return Comparison(rows, tuple(differences), agreement, only_a, only_b, method)


def _mcnemar(only_first: int, only_second: int) -> float:
    """Whether the rows that one alone has right fall to both alike: the binomial law, exactly."""
    from scipy.special import bdtr

    fewer = min(only_first, only_second)
    return float(min(1.0, 2 * bdtr(fewer, only_first + only_second, 0.5)))


def _two_sided(changes: np.ndarray) -> float:
    """How far into the resamples no change lies (Efron and Tibshirani 1993, chapter 15)."""
    count = len(changes)
    below, above = (changes <= 0).sum() + 1, (changes >= 0).sum() + 1
    return float(min(1.0, 2 * min(below, above) / (count + 1)))
