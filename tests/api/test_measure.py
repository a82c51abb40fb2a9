"""What a run says: percentiles and histograms as NumPy has them, misses of every kind."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numen.api.load import Plan, Tally
from numen.api.measure import histogram, judge, percentile

PLAN = Plan("127.0.0.1", 1, [b"?"], players=50, hz=20.0, deadline=0.016, warm=0.0, seconds=1.0)


def tally(latencies: list[float], due: int = 1000, lag: float = 0.0, **more: object) -> Tally:
    of = Tally(due, np.array(latencies).tobytes(), np.full(due, lag).tobytes(), {}, 0, 0, {}, False)
    return msgspec.structs.replace(of, **more)


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=300),
    st.integers(0, 50),
    st.sampled_from([0.5, 0.9, 0.99, 0.999, 1.0]),
)
def test_percentiles_are_numpys(values: list[float], lost: int, share: float) -> None:
    ordered = np.sort(values)
    everything = np.append(ordered, np.full(lost, np.inf))
    expected = np.percentile(everything, share * 100, method="inverted_cdf")
    assert percentile(ordered, share, len(everything)) == expected


def test_percentiles_of_round_numbers() -> None:
    ordered = np.arange(1, 1001) / 1e3
    found = [percentile(ordered, share, 1000) for share in (0.001, 0.5, 0.99, 0.999, 1.0)]
    assert found == [0.001, 0.5, 0.99, 0.999, 1.0]
    assert percentile(ordered[:0], 0.5, 0) == math.inf


@given(st.lists(st.floats(1e-5, 5), min_size=1, max_size=500), st.sampled_from([0.005, 0.016, 1.0]))
def test_the_histogram_is_numpys(values: list[float], deadline: float) -> None:
    latencies = np.array(values)
    bins = histogram(latencies, deadline)
    edges = [one.from_ms for one in bins] + [bins[-1].to_ms]
    assert sum(one.count for one in bins) == len(values)
    counts, _ = np.histogram(latencies * 1e3, edges)
    # A value on an edge may fall to either side of it by rounding.
    on_edge = sum(np.isclose(value * 1e3, edges).any() for value in values)
    assert np.abs(counts - [one.count for one in bins]).sum() <= 2 * on_edge
    np.testing.assert_allclose(np.divide(edges[1:], edges[:-1]), math.sqrt(2))


def test_the_deadline_is_an_edge() -> None:
    bins = histogram(np.array([0.001, 0.0159, 0.016, 0.02]), 0.016)
    assert [one.count for one in bins if one.from_ms >= 16] == [2]
    assert sum(one.count for one in bins if one.to_ms <= 16) == 2
    assert histogram(np.array([]), 0.016) == []


def test_a_load_that_holds() -> None:
    step = judge(PLAN, tally([0.002] * 999 + [0.5]))
    assert step.holds
    assert (step.late, step.misses, step.requests_per_second) == (1, 0.001, 1000.0)
    assert (step.p50_ms, step.p99_ms, step.p999_ms) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("found", "misses"),
    [
        (tally([0.002] * 998 + [0.016] * 2), 0.002),
        (tally([0.002] * 998, statuses={504: 2}), 0.002),
        (tally([0.002] * 998, statuses={500: 2}), 0.002),
        (tally([0.002] * 998, broken=2), 0.002),
        (tally([0.002] * 998, missing=2), 0.002),
        (tally([0.02] * 1000), 1.0),
        (tally([0.002] * 1000, gave_up=True), 0.0),
        (tally([], due=0, gave_up=True), 1.0),
    ],
    ids=["late", "refused", "failed", "broken", "unanswered", "all late", "beyond hope", "nothing"],
)
def test_a_load_that_does_not(found: Tally, misses: float) -> None:
    step = judge(PLAN, found)
    assert not step.holds
    assert step.misses == pytest.approx(misses)
    assert step.late + step.refused + step.failed + step.unanswered == round(misses * found.due)


def test_a_late_generator_is_told_from_a_late_server() -> None:
    assert not judge(PLAN, tally([0.02] * 1000, lag=0.003)).load_late
    assert judge(PLAN, tally([0.02] * 1000, lag=0.005)).load_late


def test_what_never_came_is_null_in_json() -> None:
    text = msgspec.json.encode(judge(PLAN, tally([0.002] * 900, missing=100)))
    assert msgspec.json.decode(text)["p99_ms"] is None
