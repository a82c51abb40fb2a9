"""Thresholds of sets and intervals: how often they hold the truth, and when there are none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from numen.train.evaluate import Judged, report_of
from numen.train.evaluate.conformal import conformal, coverage

LABELS = ("a", "b", "c")


def classes(rows: int, seed: int, wrong: float = 1.0) -> Judged:
    """Rows whose class is drawn with its probability; said are its `wrong`-th powers."""
    random = np.random.default_rng(seed)
    true = random.dirichlet([0.4, 0.4, 0.4], rows)
    target = (random.random((rows, 1)) > true.cumsum(1)).sum(1).clip(0, 2)
    said = true**wrong + 1e-9
    return Judged((said / said.sum(1, keepdims=True)).astype(np.float32), target, LABELS)


def quantities(rows: int, seed: int) -> Judged:
    random = np.random.default_rng(seed)
    said = random.normal(size=(rows, 1)) * 100
    return Judged(
        said.astype(np.float32), (said[:, 0] + random.standard_t(3, rows)).astype(np.float32), None
    )


@pytest.mark.parametrize(
    ("make", "level"),
    [(classes, 0.9), (classes, 0.99), (quantities, 0.5), (quantities, 0.9), (quantities, 0.99)],
)
def test_other_rows_are_covered_as_often_as_it_says(make, level) -> None:
    """Over many draws the mean lies from the level to 1/(n + 1) above it, but for chance."""
    covered = []
    for seed in range(60):
        found = conformal(make(199, seed), level)
        assert (found.level, found.rows) == (level, 199)
        covered.append(coverage(replace(make(2_000, 1_000 + seed), conformal=found)).covered)
    error = 4 * np.std(covered) / len(covered) ** 0.5
    assert level - error <= np.mean(covered) <= level + 1 / 200 + error


def test_a_model_that_is_too_sure_is_covered_as_well() -> None:
    found = coverage(
        replace(classes(5_000, 1, 4.0), conformal=conformal(classes(5_000, 0, 4.0), 0.9))
    )
    assert found.covered == pytest.approx(0.9, abs=0.02)
    assert found.low < found.covered < found.high
    assert 1 < found.size < 3


def test_the_score_is_the_one_of_its_rank() -> None:
    said = np.zeros((100, 2), np.float32)
    said[:, 0] = np.random.default_rng(0).permutation(np.arange(1, 101)) / 200
    said[:, 1] = 1 - said[:, 0]
    judged = Judged(said, np.zeros(100, int), ("a", "b"))
    # ceil(101 * 0.9) = 91: of 100 probabilities the 91st from above, that is 10/200.
    assert conformal(judged, 0.9).threshold == pytest.approx(10 / 200, rel=1e-4)
    values = np.arange(1, 101, dtype=np.float32)
    found = conformal(Judged(np.zeros((100, 1), np.float32), values, None), 0.9)
    assert found.threshold == pytest.approx(91, rel=1e-4)
    assert found.threshold > 91


def test_rows_at_the_threshold_stay_in_whatever_their_last_digits() -> None:
    said = np.full((200, 2), [0.7, 0.3], np.float32)
    found = conformal(Judged(said, np.zeros(200, int), ("a", "b")), 0.9)
    below = np.nextafter(np.float32(0.7), np.float32(0))
    assert found.members(np.array([[below, 1 - below]], np.float32))[0, 0]
    low = conformal(Judged(said, np.ones(200, int), ("a", "b")), 0.9)
    assert low.members(np.array([[0.7000001, 0.2999999]], np.float32)).all()


def test_too_few_rows_have_none() -> None:
    assert conformal(classes(99, 0), 0.9) is None
    assert conformal(classes(100, 0), 0.9) is not None
    assert conformal(classes(100, 0), 0.99) is not None  # ceil(101 * 0.99) = 100
    assert conformal(classes(998, 0), 0.999) is None
    assert conformal(classes(999, 0), 0.999) is not None


def test_answers_of_other_kinds_have_none() -> None:
    one = quantities(200, 0)
    assert conformal(replace(one, group=np.zeros(200, int)), 0.9) is None
    both = np.zeros((200, 2), np.float32)
    assert conformal(Judged(both, both, None, quantities=("x", "y")), 0.9) is None
    assert conformal(Judged(both, both, ("x", "y"), several=True), 0.9) is None
    assert conformal(replace(one, output=one.output * math.inf), 0.9) is None


def test_a_report_says_the_coverage() -> None:
    judged = replace(classes(500, 1), conformal=conformal(classes(300, 0), 0.9))
    found = report_of(judged, resamples=0).coverage
    assert (found.level, found.set_on) == (0.9, 300)
    members = judged.conformal.members(judged.output)
    assert found.size == pytest.approx(members.sum(1).mean())
    assert found.covered == members[np.arange(500), judged.target].mean()
    assert report_of(classes(500, 1), resamples=0).coverage is None
