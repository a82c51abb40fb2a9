"""The search for near rows, on functions whose nearest rows are known."""

from __future__ import annotations

import numpy as np
import pytest

from numen.explain.counterfactual import Move, changed, distance, search


def number(
    place: int, low: float = -5, high: float = 5, spread: float = 1.0, whole: bool = False
) -> Move:
    return Move(place, np.linspace(low, high, 21, dtype=np.float32), spread, whole)


def category(place: int, count: int) -> Move:
    return Move(place, np.arange(count, dtype=np.float32), 0.0)


ROW = np.zeros(4, np.float32)


def test_the_nearest_is_found_and_taken_back_to_the_edge() -> None:
    found = search(lambda rows: 3 * rows[:, 0] + rows[:, 1] - 4.05, ROW, [number(0), number(1)], 2)
    assert [sorted(changed(ROW, each)) for each in found] == [[0], [1]]
    assert found[0][0] == pytest.approx(1.4)  # 1.35, with two digits of the change
    assert 4.05 < found[1][1] <= 4.2
    for each in found:
        assert 3 * each[0] + each[1] > 4.05


def test_columns_combine_only_where_one_is_not_enough() -> None:
    moves = [number(place) for place in range(4)]
    both = search(lambda rows: np.minimum(rows[:, 1], rows[:, 3]) - 2, ROW, moves, 3)
    assert [sorted(changed(ROW, each)) for each in both] == [[1, 3]]
    assert (both[0][[1, 3]] > 2).all()
    assert (both[0][[1, 3]] <= 2.1).all()
    # All four are needed, and a fifth would be too many.
    four = search(lambda rows: rows.min(1) - 1, ROW, moves, 1)
    assert len(changed(ROW, four[0])) == 4
    wide = np.zeros(5, np.float32)
    assert (
        search(lambda rows: rows.min(1) - 1, wide, [number(place) for place in range(5)], 1) == []
    )


def test_whole_numbers_categories_missing_values_and_bounds_are_kept() -> None:
    row = np.array([2, 1, np.nan, 0], np.float32)
    moves = [number(0, 0, 4, whole=True), category(1, 3), number(2, 0, 1)]
    found = search(lambda rows: rows[:, 0] - 2.5, row, moves[:1], 1)
    assert found[0].tolist()[:2] == [3, 1]
    found = search(lambda rows: (rows[:, 1] == 2) - 0.5, row, moves, 3)
    assert [each[1] for each in found] == [2]
    assert np.isnan(found[0][2])
    assert distance(row, found[0], moves) == 1
    filled = search(lambda rows: np.nan_to_num(rows[:, 2], nan=-1) - 0.3, row, moves, 1)
    assert 0.3 < filled[0][2] <= 1
    assert distance(row, filled[0], moves) == 1
    assert search(lambda rows: rows[:, 0] - 4, row, moves, 1) == []  # only beyond the bounds


def test_distance_is_in_spreads() -> None:
    moves = [number(0, spread=2.0), number(1, spread=10.0)]
    assert distance(ROW, np.array([4, 5, 0, 0], np.float32), moves) == 2.5
    # A column that varies much is cheap to change.
    found = search(lambda rows: rows[:, 0] + rows[:, 1] - 4, ROW, moves, 2)
    assert [sorted(changed(ROW, each)) for each in found] == [[1], [0]]


def test_no_other_choice_of_a_grid_is_nearer() -> None:
    random = np.random.default_rng(0)
    worse = 0
    for _ in range(20):
        weights, edge = random.normal(size=(3, 4)), random.uniform(1, 2)

        def margin(rows: np.ndarray, weights=weights, edge=edge) -> np.ndarray:
            return np.tanh(rows[:, :3] @ weights).sum(1) - edge

        moves = [number(place, -2, 2) for place in range(3)]
        found = search(margin, ROW, moves, 1)
        axes = np.meshgrid(*[np.linspace(-2, 2, 41)] * 3, indexing="ij")
        grid = np.stack([*(axis.reshape(-1) for axis in axes), np.zeros(41**3)], 1)
        there = grid[margin(grid) > 0]
        if not len(there):
            assert found == []
            continue
        cost = (there != 0).sum(1) + np.abs(there).sum(1)
        ours = len(changed(ROW, found[0])) + distance(ROW, found[0], moves)
        assert ours < cost.min() * 1.6
        worse += ours > cost.min() * 1.1
    assert worse <= 5


def test_only_so_many_rows_are_asked_about() -> None:
    asked = []

    def margin(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return rows[:, :2].sum(1) - 7

    row = np.zeros(200, np.float32)
    found = search(margin, row, [number(place) for place in range(200)], 3)
    assert len(found) == 1
    assert sum(asked) < 50_000
