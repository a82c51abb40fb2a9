"""The search: knees of curves that are known are found exactly, whatever the hiccups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from numen.api.load import Plan, Tally
from numen.api.measure import Phase, Step, judge
from numen.api.search import search

PLAN = Plan("127.0.0.1", 1, [b"?"], players=1, hz=60.0, deadline=0.016, warm=0.0, seconds=1.0)
GOOD = judge(PLAN, Tally(1, bytes(8), bytes(8), {}, 0, 0, {}, gave_up=False))


class Curve:
    """A machine of which it is known what holds."""

    def __init__(self, holds: Callable[[Phase, int], bool], runs: int = 1000, **more: object):
        self.holds = holds
        self.runs = runs
        self.more = more
        self.tried: list[tuple[Phase, int]] = []

    def measure(self, phase: Phase, players: int) -> Step | None:
        if len(self.tried) >= self.runs and phase != "confirm":
            return None
        self.tried.append((phase, players))
        good = self.holds(phase, players)
        return msgspec.structs.replace(
            GOOD, phase=phase, players=players, holds=good, misses=0.0 if good else 0.1, **self.more
        )


@pytest.mark.parametrize("knee", [1, 2, 15, 16, 17, 31, 32, 500, 2340, 100_000])
def test_finds_the_knee_exactly(knee: int) -> None:
    curve = Curve(lambda _, players: players <= knee)
    found = search(curve.measure, resolution=0)
    assert found.players == knee
    assert found.confirmed
    assert found.limit == "server"
    assert curve.tried[-1] == ("confirm", knee)
    assert (
        found.sentence(60, 16) == f"{knee:,} player{'s' if knee > 1 else ''} at 60 Hz, p99 < 16 ms"
    )


@pytest.mark.parametrize("knee", [100, 511, 2340, 40_000])
def test_stops_where_more_would_be_noise(knee: int) -> None:
    curve = Curve(lambda _, players: players <= knee)
    found = search(curve.measure)
    assert 0.97 * knee <= found.players <= knee
    assert len(curve.tried) < 30


def test_not_even_one() -> None:
    found = search(Curve(lambda *_: False).measure)
    assert found.players == 0
    assert not found.confirmed
    assert found.run.players == 1
    assert found.sentence(60, 16) == "not one player at 60 Hz, p99 < 16 ms"


def test_not_even_a_few_when_the_time_is_up() -> None:
    found = search(Curve(lambda *_: False, runs=3).measure)
    assert found.players == 0
    assert found.sentence(60, 16) == "under 8 players at 60 Hz, p99 < 16 ms"


def test_a_hiccup_is_not_the_knee() -> None:
    seen: Counter[tuple[Phase, int]] = Counter()

    def first_fails(phase: Phase, players: int) -> bool:
        seen[phase, players] += 1
        return players <= 700 and (phase == "confirm" or seen[phase, players] > 1)

    assert search(Curve(first_fails).measure, resolution=0).players == 700


def test_what_does_not_last_is_not_said() -> None:
    curve = Curve(lambda phase, players: players <= (900 if phase == "confirm" else 1000))
    found = search(curve.measure, resolution=0)
    assert [players for phase, players in curve.tried if phase == "confirm"] == [1000, 950, 855]
    assert found.players == 855
    assert found.confirmed


def test_what_was_never_confirmed_is_said_so() -> None:
    class Brief(Curve):
        def measure(self, phase: Phase, players: int) -> Step | None:
            done = sum(phase == "confirm" for phase, _ in self.tried)
            return None if phase == "confirm" and done == 2 else super().measure(phase, players)

    found = search(Brief(lambda phase, players: phase != "confirm" and players < 50).measure)
    assert not found.confirmed
    assert found.sentence(30, 5).startswith("about ")


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        ({}, "server"),
        ({"load_late": True}, "load"),
        ({"crowded": 0.5}, "machine"),
        ({"crowded": 0.5, "load_late": True}, "machine"),
    ],
)
def test_says_what_was_the_limit(more: dict[str, object], limit: str) -> None:
    found = search(Curve(lambda _, players: players <= 100, **more).measure)
    assert found.limit == limit
    assert found.sentence(60, 16).startswith("at least" if limit != "server" else "1")


def test_a_server_that_failed_while_the_load_was_on_time_was_the_limit() -> None:
    curve = Curve(lambda _, players: players <= 100)

    def measure(phase: Phase, players: int) -> Step | None:
        step = curve.measure(phase, players)
        return step and msgspec.structs.replace(step, load_late=players > 110)

    assert search(measure).limit == "server"


def test_time_that_is_up_ends_the_search() -> None:
    everything = search(Curve(lambda *_: True, runs=6).measure)
    assert everything.players == 16 * 2**5
    assert everything.limit == "time"
    assert everything.sentence(60, 16) == "at least 512 players at 60 Hz, p99 < 16 ms"
    rough = search(Curve(lambda _, players: players <= 300, runs=8).measure, resolution=0)
    assert 256 <= rough.players <= 300
    assert rough.confirmed
