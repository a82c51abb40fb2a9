"""Batches, parts and their order."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.data.split import Batch, Split


class Numbers:
    """Rows whose input is their own number."""

    def __init__(self, target: Array):
        self.table = None
        self.input = "features"
        self.target = target
        self.row_bytes = 4
        self._inputs = np.arange(len(target), dtype=np.float32)[:, None]

    def part(self, start: int, stop: int) -> Array:
        return self._inputs[start:stop]

    def pick(self, indices: Array) -> Array:
        return self._inputs[indices]


def make(target: list[int], classes: int = 5) -> Split:
    return Split("train", Numbers(np.array(target, np.int64)), classes=classes)


def numbers(split: Split, size: int = 7, seed: int | None = None) -> list[int]:
    return [int(n) for b in split.batches(size, seed=seed) for n in b.inputs["features"][:, 0]]


targets = st.lists(st.integers(0, 4), min_size=2, max_size=200)


@given(targets, st.integers(1, 50), st.none() | st.integers(0, 99))
def test_batches_give_every_row_once_and_alike_for_a_seed(
    target: list[int], size: int, seed: int | None
) -> None:
    split = make(target)
    batches = list(split.batches(size, seed=seed))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    seen = numbers(split, size, seed)
    assert sorted(seen) == list(range(len(target)))
    assert seen == numbers(split, len(target), seed)
    assert [t for b in batches for t in b.target.tolist()] == [target[n] for n in seen]
    if seed is None:
        assert seen == sorted(seen)


def test_another_seed_gives_another_order() -> None:
    split = make([0] * 100)
    assert numbers(split, seed=1) != numbers(split, seed=2)


@given(targets, st.floats(0.01, 0.99), st.integers(0, 9))
@settings(max_examples=200)
def test_divide_shares_out_every_class(target: list[int], fraction: float, seed: int) -> None:
    split = make(target)
    count = round(len(target) * fraction)
    if not 0 < count < len(target):
        with pytest.raises(InvalidInput, match="without rows"):
            split.divide(fraction, seed)
        return
    first, second = split.divide(fraction, seed)
    assert len(second) == count
    assert sorted(numbers(first) + numbers(second)) == list(range(len(target)))
    assert numbers(second) == sorted(numbers(second))
    assert numbers(split.divide(fraction, seed)[1]) == numbers(second)
    exact = np.bincount(target, minlength=5) * count / len(target)
    assert np.all(np.abs(np.bincount(second.target, minlength=5) - exact) < 1)


def test_divide_of_quantities_needs_no_classes() -> None:
    rows = Numbers(np.linspace(0, 1, 50, dtype=np.float32))
    first, second = Split("train", rows).divide(0.3, 1)
    assert (len(first), len(second)) == (35, 15)


def test_take_composes_and_keeps_order() -> None:
    part = make([0, 1, 2, 3, 4]).take([4, 2, 0]).take([2, 0])
    assert numbers(part) == [0, 4]
    assert part.target.tolist() == [0, 4]
    assert part.arrays().inputs["features"][:, 0].tolist() == [0, 4]


@pytest.mark.parametrize("place", [-1, 5])
def test_take_refuses_places_outside(place: int) -> None:
    with pytest.raises(InvalidInput, match=rf"rows 0-4, not {place}"):
        make([0, 1, 2, 3, 4]).take([0, place])


def test_a_batch_knows_its_length() -> None:
    assert len(Batch({}, np.zeros(3))) == 3
