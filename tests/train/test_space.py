"""What tuning may try, and how it says no."""

from __future__ import annotations

import tomllib

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from numen.core.errors import InvalidInput
from numen.train import space
from numen.train.recipe import Recipe, make, to_toml


@pytest.mark.parametrize(
    ("values", "made"),
    [
        (["adam", "sgd"], CategoricalDistribution(["adam", "sgd"])),
        ([32, 64, 128], CategoricalDistribution([32, 64, 128])),
        ([64, 32], CategoricalDistribution([64, 32])),
        ([True, False], CategoricalDistribution([True, False])),
        ({"choices": [1, 2]}, CategoricalDistribution([1, 2])),
        ([1, 3], IntDistribution(1, 3)),
        ([16, 512], IntDistribution(16, 512, log=True)),
        ([0.0, 0.5], FloatDistribution(0, 0.5)),
        ([1, 2.5], FloatDistribution(1, 2.5)),
        ([1e-4, 1e-2], FloatDistribution(1e-4, 1e-2, log=True)),
        ({"low": 1e-4, "high": 1e-2, "log": False}, FloatDistribution(1e-4, 1e-2)),
        ({"low": 2, "high": 3, "log": True}, IntDistribution(2, 3, log=True)),
        ({"low": 16, "high": 100, "step": 16}, IntDistribution(16, 96, step=16)),
        ({"low": 0.0, "high": 0.35, "step": 0.1}, FloatDistribution(0, 0.3, step=0.1)),
    ],
)
def test_what_is_said_becomes_a_space(values, made):
    (found,) = space.build({"x": values}).values()
    assert type(found) is type(made)
    if isinstance(made, FloatDistribution):
        assert (found.low, found.log, found.step) == (made.low, made.log, made.step)
        assert found.high == pytest.approx(made.high)
    else:
        assert found == made


@pytest.mark.parametrize(
    "values",
    [
        [], 3, "adam", [1, 1], [[1], [2]], [0.1, float("nan")], {"low": 1}, {"low": 2, "high": 1},
        {"low": 1, "high": 2, "of": 3}, {"low": "a", "high": "b"}, {"choices": 3},
        {"low": 1, "high": 2, "log": "yes"}, {"low": True, "high": 2},
    ],
)  # fmt: skip
def test_what_is_no_space_is_refused_with_what_fits(values):
    with pytest.raises(InvalidInput, match=r"tune\.x: expected a list of values, \[least"):
        space.build({"x": values})


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"low": 0, "high": 1, "log": True}, "begins above 0"),
        ({"low": 1, "high": 9, "log": True, "step": 2}, "has no step"),
        ({"low": 1, "high": 2, "step": 0}, "step above 0"),
        ({"low": 1, "high": 2, "step": 5}, "at most 1"),
    ],
)
def test_ranges_that_cannot_be(said, why):
    with pytest.raises(InvalidInput, match=why):
        space.build({"x": said})


@pytest.mark.parametrize("name", ["family", "data", "seed", "validation", "backend", "tune"])
def test_what_is_searched_is_not_tried(name):
    with pytest.raises(InvalidInput, match=rf"tune\.{name}: .*learning_rate.*parameter of the"):
        space.build({name: ["a", "b"]})


def test_values_go_where_they_belong():
    recipe = make({"family": "mlp", "params": {"units": 8, "layers": 2}, "tune": {"units": [1, 2]}})
    made = space.apply(recipe, {"learning_rate": 0.1, "units": 32})
    assert made == make(
        {"family": "mlp", "learning_rate": 0.1, "params": {"units": 32, "layers": 2}}
    )


def test_the_usual_space_leaves_what_the_recipe_says():
    usual = {"learning_rate": [1e-4, 1e-2], "units": [16, 64], "layers": [1, 3]}
    recipe = make({"learning_rate": 0.01, "params": {"units": 8}})
    assert space.read({}, usual, recipe) == {"layers": [1, 3]}
    assert space.read({"params.units": [1, 2]}, usual, recipe) == {"units": [1, 2]}
    with pytest.raises(InvalidInput, match="nothing left to try"):
        space.read({}, {}, recipe)


def test_a_few_points_touch_every_value():
    made = space.build({"optimizer": ["adam", "sgd", "lion"], "units": [4, 64], "x": [0.0, 1.0]})
    points = list(space.ends(made))
    assert len(points) == 3
    assert {p["optimizer"] for p in points} == {"adam", "sgd", "lion"}
    assert {p["units"] for p in points} == {4, 64}


def test_a_small_space_is_tried_whole_in_an_order_of_the_seed():
    made = space.build({"a": ["x", "y", "z"], "b": [1, 4]})
    points = space.every(made, 12, seed=1)
    assert len(points) == 12
    assert len({(p["a"], p["b"]) for p in points}) == 12
    assert points == space.every(made, 12, seed=1)
    assert points != space.every(made, 12, seed=2)
    assert space.every(made, 11, seed=1) is None
    assert space.every(space.build({"a": [0.0, 1.0]}), 100, seed=1) is None


def test_a_recipe_is_written_as_it_is_read():
    recipe = make({
        "family": "mine:build", "data": 'a "b"\n', "learning_rate": 1e-5, "epochs": 3,
        "read": {"target": "goal", "columns": {"a b": "number"}},
        "class_weight": {"x.y": 2.0}, "params": {"units": 3, "on": True, "sizes": [1, 2]},
    })  # fmt: skip
    assert make(tomllib.loads(to_toml(recipe))) == recipe
    assert make(tomllib.loads(to_toml(make({"params": {"max_depth": None}})))) == Recipe()
