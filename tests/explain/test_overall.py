"""Shuffled and varied columns against scikit-learn and against what can be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from numen.core.errors import InvalidInput
from numen.core.manifest import Column
from numen.explain.overall import Grown, dependence, importance, page, row_losses

NAMES = [Column("a"), Column("b"), Column("idle")]


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)


def linear(rows: np.ndarray) -> np.ndarray:
    return (3 * rows[:, :1] + rows[:, 1:2]).astype(np.float32)


def sigmoid(rows: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-linear(rows)))
    return np.concatenate([1 - p, p], 1)


def test_losses_are_those_of_the_textbook() -> None:
    p = np.array([[0.2, 0.8], [0.7, 0.3]])
    found = row_losses(p, np.array([1, 1]))
    assert np.allclose(found, [[-np.log(0.8), 0], [-np.log(0.3), 1]])
    found = row_losses(np.array([[0.9, 0.4]]), np.array([[True, False]]))
    assert np.allclose(found, [[-(np.log(0.9) + np.log(0.6)) / 2, 0]])
    found = row_losses(np.array([[1.0], [2.0], [6.0]]), np.array([1.0, 3.0, 5.0]))
    spread = np.std([1, 3, 5])
    assert np.allclose(
        found, np.stack([np.array([0, 1, 1]) / spread**2, np.array([0, 1, 1]) / spread], 1)
    )


def test_what_a_column_is_worth_is_twice_its_variance(rows: np.ndarray) -> None:
    # Of a sum of independent parts, shuffling one adds twice its variance to the squared error.
    y = linear(rows)[:, 0]
    found = importance(linear, rows, y, NAMES, repeats=10)
    assert [each.column for each in found.columns] == ["a", "b", "idle"]
    a, b, idle = found.columns
    for each, wanted in ((a, 2 * 9 / 10), (b, 2 * 1 / 10)):
        assert each.loss.low < wanted < each.loss.high
        assert each.loss.high - each.loss.low < wanted / 2
        assert each.counts
    assert (idle.loss.mean, idle.error.mean, idle.counts) == (0, 0, False)
    assert (found.rows, found.loss, found.error) == (600, 0, 0)
    again = importance(linear, rows, y, NAMES, repeats=10)
    assert again == found
    assert importance(linear, rows, y, NAMES, repeats=10, seed=1) != found


def test_it_agrees_with_scikit_learn(rows: np.ndarray) -> None:
    from sklearn.inspection import partial_dependence, permutation_importance
    from sklearn.linear_model import LogisticRegression

    y = (linear(rows)[:, 0] + np.random.default_rng(1).normal(size=600) > 0).astype(np.int64)
    model = LogisticRegression().fit(rows, y)
    theirs = permutation_importance(
        model, rows, y, scoring="neg_log_loss", n_repeats=30, random_state=0
    )
    ours = importance(model.predict_proba, rows, y, NAMES, repeats=30)
    for each in ours.columns:
        place = [column.name for column in NAMES].index(each.column)
        assert each.loss.mean == pytest.approx(theirs.importances_mean[place], rel=0.1, abs=0.01)
    curve = dependence(model.predict_proba, rows, NAMES, "a", ["no", "yes"])
    theirs = partial_dependence(
        model, rows, [0], kind="average", custom_values={0: np.array(curve.values, np.float32)}
    )
    assert np.allclose([step[1] for step in curve.mean], theirs["average"][0], atol=1e-6)
    assert np.allclose(curve.values[::19], np.quantile(rows[:, 0], [0.05, 0.95]))
    assert np.shape(curve.each) == (50, 20, 2)
    assert curve.rows == 600


def test_the_interval_holds_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)

    def worth(count: int, seed: int) -> Grown:
        x = random.normal(size=(count, 3)).astype(np.float32)
        y = (sigmoid(x)[:, 1] > random.random(count)).astype(np.int64)
        return importance(sigmoid, x, y, NAMES, seed=seed).columns[0].loss

    truth = worth(200_000, 0).mean
    found = [worth(150, seed) for seed in range(200)]
    assert 0.9 < np.mean([each.low < truth < each.high for each in found]) < 0.99


def test_all_numbers_of_a_column_move_together_and_all_steps_of_a_window() -> None:
    random = np.random.default_rng(0)
    day = random.integers(0, 9000, 400)
    rows = np.stack([day, day % 7, random.normal(size=400), *random.normal(size=(2, 400))], 1)
    seen = []

    def agree(given: np.ndarray) -> np.ndarray:
        seen.append(given)
        return given[:, :1]

    columns = [Column("words", words=2), Column("x"), Column("y"), Column("z")]
    importance(agree, rows.astype(np.float32), day.astype(np.float32), columns, repeats=1)
    assert all((given[:, 0] % 7 == given[:, 1]).all() for given in seen)
    windows = np.repeat(rows[:, None, 2:3], 3, axis=1).astype(np.float32)

    def steps(given: np.ndarray) -> np.ndarray:
        assert (given == given[:, :1]).all()
        return given[:, -1]

    found = importance(steps, windows, windows[:, 0, 0], [Column("x")])
    assert found.columns[0].loss.mean == pytest.approx(2, rel=0.2)


def test_values_are_tried_as_people_write_them() -> None:
    days = np.linspace(0, 365, 40)
    rows = np.stack([np.tile([0.0, 1.0], 20), days, *np.zeros((4, 40))], 1).astype(np.float32)
    columns = [Column("colour", categories=("red", "blue")), Column("when", date="ymd")]

    def month(given: np.ndarray) -> np.ndarray:
        return given[:, 2:3]

    colour = dependence(lambda given: given[:, :1], rows, columns, "colour", ["code"])
    assert (colour.values, colour.mean) == (("red", "blue"), ((0.0,), (1.0,)))
    when = dependence(month, rows, columns, "when", ["month"])
    assert len(when.values) == 20
    assert [int(str(value)[5:7]) for value in when.values] == [step[0] for step in when.mean]
    for name, said in (
        ("height", "expected one of colour, when"),
        ("note", "is a text"),
        ("gap", "no value"),
    ):
        with pytest.raises(InvalidInput, match=said):
            dependence(
                month, np.full((5, 9), np.nan, np.float32),
                [*columns, Column("note", words=2), Column("gap")], name, ["x"],
            )  # fmt: skip


def test_the_page_holds_all_and_loads_nothing(rows: np.ndarray) -> None:
    y = (linear(rows)[:, 0] > 0).astype(np.int64)
    named = [Column("<a>"), *NAMES[1:]]
    found = importance(sigmoid, rows, y, named)
    curves = [dependence(sigmoid, rows, named, name, ["no", "yes"]) for name in ("<a>", "b")]
    text = page.html("m on d (test)", found, curves)
    assert "&lt;a&gt;" in text
    assert "<a>" not in text
    assert text.count("<svg") == 2
    assert text.count('class="one"') == 100
    assert "http" not in text
    # Numbers stand where they are, not one after the other.
    middle = text.split('d="M')[51].split('"')[0].split()[10]
    low, high = curves[0].values[0], curves[0].values[-1]
    wanted = 44 + 312 * (curves[0].values[10] - low) / (high - low)
    assert float(middle.split(",")[0]) == pytest.approx(wanted, abs=0.1)
    assert "prefers-color-scheme: dark" in text
