"""`numen.tune`: from data to a published model."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

import numen
from numen.core.errors import InvalidInput
from numen.train.recipe import make


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    random = np.random.default_rng(5)
    x = random.normal(0, 1, (240, 2))
    goal = np.where(x[:, 0] + x[:, 1] + random.normal(0, 0.3, 240) > 0, "yes", "no")
    lines = [f"{a:.4f},{b:.4f},{g}" for (a, b), g in zip(x, goal, strict=True)]
    (tmp_path / "t.csv").write_text("a,b,goal\n" + "\n".join(lines))
    return tmp_path / "t.csv"


def test_finds_trains_measures_publishes(table, tmp_path):
    found = numen.tune(table, "linear", name="goal", trials=6, seed=1)
    assert found.metric == "val_accuracy"
    assert len(found.trials) == 6
    assert found.best.value == max(row.value for row in found.trials)
    assert found.model.version.name == "goal"
    assert found.model.metrics["accuracy"] > 0.7
    assert found.recipe.validation == 0
    assert found.recipe.params == dict(found.best.values)
    assert found.model.manifest.recipe["params"] == dict(found.best.values)
    assert (tmp_path / "home" / "studies" / "goal" / "journal.log").is_file()
    for form, begins in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        pictures = found.charts(form)
        assert set(pictures) == {f"history.{form}", f"importance.{form}"}
        assert all(picture.startswith(begins) for picture in pictures.values())
    again = numen.tune(table, "linear", name="goal", trials=6, seed=1)
    assert again.trials == found.trials
    assert again.recipe == found.recipe


def test_quantities_are_judged_by_their_loss(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    rows = [f"{i},{2 * i + i % 3}.5" for i in range(100)]
    (tmp_path / "q.csv").write_text("a,goal\n" + "\n".join(rows))
    found = numen.tune(tmp_path / "q.csv", "linear", trials=3, space={"l2": [0.01, 100.0]})
    assert found.metric == "val_loss"
    assert found.best.value == min(row.value for row in found.trials)
    assert found.model.version is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"space": {"wings": [1, 2]}}, "knows l2"),
        ({"space": {"l2": []}}, r"tune\.l2: expected a list of values"),
        ({"space": {"l2": [-1, 1]}}, "l2"),
        ({"space": {"epochs": [1, 2]}}, "epochs"),
        ({"family": "oracle"}, "linear"),
        ({"pruner": "axe"}, "median, hyperband, none"),
        ({"trials": 0}, "trials"),
        ({"cost": 3.0}, "price"),
        ({"on": "moon"}, "ray"),
        ({"study": "No Way"}, "study"),
    ],
)
def test_what_cannot_be_is_refused_with_what_fits(table, tmp_path, more, said):
    with pytest.raises(InvalidInput, match=said):
        numen.tune(table, **{"family": "linear", "trials": 2, **more})


def test_without_a_trial_there_is_no_model(table):
    with pytest.raises(InvalidInput, match="more time"):
        numen.tune(table, "linear", trials=3, timeout=1e-9)
    assert len(numen.tune(table, "linear", trials=3).trials) == 3


def test_the_recipe_says_what_to_try(table, tmp_path):
    text = 'family = "linear"\n[tune]\nl2 = [0.5, 1, 2]\n'
    (tmp_path / "r.toml").write_text(text + '[read]\ntarget = "goal"\n')
    found = numen.tune(table, recipe=tmp_path / "r.toml", trials=9)
    assert sorted(row.values["l2"] for row in found.trials) == [0.5, 1, 2]
    assert make(tomllib.loads(text)).tune == {"l2": [0.5, 1, 2]}
