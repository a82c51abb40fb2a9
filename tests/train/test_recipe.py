"""Recipes: what they take and how they say no."""

from __future__ import annotations

import msgspec
import pytest

from numen.core.errors import InvalidInput, NotFound
from numen.train.recipe import Recipe, make, params_of, read, refuse


class Params(msgspec.Struct):
    units: int = 3


def test_reads_toml(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('family = "cnn"\nepochs = 3\n[params]\nfilters = 8\n')
    assert read(path) == Recipe(family="cnn", epochs=3, params={"filters": 8})


def test_a_missing_or_broken_file(tmp_path):
    with pytest.raises(NotFound):
        read(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("family = ")
    with pytest.raises(InvalidInput, match=r"bad\.toml"):
        read(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"epoch": 3}, "epoch"),
        ({"epochs": 0}, "epochs"),
        ({"epochs": "many"}, "epochs"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"validation": 1}, "validation"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_values_are_named(table, named):
    with pytest.raises(InvalidInput, match=named):
        make(table)


def test_text_stands_for_numbers():
    recipe = make({"epochs": "3", "params": {"units": "5"}})
    assert (recipe.epochs, params_of(recipe, Params).units) == (3, 5)


def test_parameters_of_a_family():
    with pytest.raises(InvalidInput, match="knows units"):
        params_of(make({"params": {"unit": 5}}), Params)
    with pytest.raises(InvalidInput, match="units"):
        params_of(make({"params": {"units": "lots"}}), Params)


def test_refuse():
    refuse(make({}), "optimizer")
    with pytest.raises(InvalidInput, match="optimizer"):
        refuse(make({"optimizer": "adam"}), "optimizer")
