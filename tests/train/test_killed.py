"""A training that is killed goes on from its last checkpoint, and ends as if it never had been."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from slow_training import EPOCHS, recipe_of
from test_trainer_contract import Told

from numen.core.errors import CorruptBundle, InvalidInput
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import trainer_for
from numen.train.recipe import make
from numen.train.rounds import LAST
from numen.train.standing import Pace

ROWS = 300
CHILD = Path(__file__).with_name("slow_training.py")
KEPT = {"boosting": LAST, "xgboost": LAST, "forest": "trees-*.npz"}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    random = np.random.default_rng(5)
    x = random.normal(size=(ROWS, 6))
    kinds = np.array(["low", "middle", "high"])[np.digitize(x[:, 0] + x[:, 1] * x[:, 2], [-0.5, 1])]
    lines = [",".join([*(f"{v:.4f}" for v in row), k]) for row, k in zip(x, kinds, strict=True)]
    (folder / "t.csv").write_text("\n".join(["a,b,c,d,e,f,goal", *lines]))
    return folder / "t.csv"


@pytest.fixture(scope="module")
def data(table):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(table.parent / "home"))
        yield Dataset.open(table)


@pytest.fixture(scope="module")
def killed(table, data):
    """The folders of trainings killed right after their first checkpoint, all at a time."""
    running = {}
    for family in KEPT:
        folder = table.parent / family
        environment = {**os.environ, "NUMEN_HOME": str(table.parent / "home")}
        command = [sys.executable, str(CHILD), str(table), str(folder), family]
        running[family] = (folder, subprocess.Popen(command, env=environment))
    end = time.monotonic() + 120
    left = dict(running)
    while left and time.monotonic() < end:
        for family, (folder, process) in list(left.items()):
            if any(folder.glob(KEPT[family])):
                process.kill()
                del left[family]
            assert process.poll() in (None, -9), f"{family} ended by itself"
        time.sleep(0.02)
    for _, process in running.values():
        process.kill()
        process.wait(10)
    assert not left, f"no checkpoint of {', '.join(left)}"
    return {family: folder for family, (folder, _) in running.items()}


def fit(data, recipe, folder, *, told=None, resume=False):
    return trainer_for(recipe).fit(data, recipe, Run(folder, told or Told(), resume))


def outputs(trained, data):
    (made,) = trained.predict(data.test.arrays().inputs).values()
    return made


@pytest.mark.parametrize("family", KEPT)
def test_killed_it_goes_on_and_ends_where_an_unbroken_run_does(data, killed, family, tmp_path):
    told, recipe = Told(), recipe_of(family)
    resumed = fit(data, recipe, killed[family], told=told, resume=True)
    assert told.epochs[0] > 1
    assert told.epochs[-1] == EPOCHS[family]
    whole = fit(data, recipe, tmp_path)
    assert resumed.stopped == "finished"
    assert resumed.history == whole.history
    np.testing.assert_allclose(outputs(resumed, data), outputs(whole, data), atol=1e-5)


@pytest.mark.parametrize("family", KEPT)
def test_what_is_broken_or_of_another_run_is_no_beginning(data, killed, family):
    (first, *_) = sorted(killed[family].glob(KEPT[family]))
    (killed[family] / f".{first.name}.1").write_bytes(b"half of a file")  # and never looked at
    content = first.read_bytes()
    recipe = recipe_of(family)
    other = make({"family": family, "epochs": 60, "seed": 6, "params": recipe.params})
    with pytest.raises(InvalidInput, match="began with another seed"):
        fit(data, other, killed[family], resume=True)
    for broken in (content[: len(content) // 2], b"", b"no checkpoint"):
        first.write_bytes(broken)
        with pytest.raises(CorruptBundle, match="checkpoint"):
            fit(data, recipe, killed[family], resume=True)
    first.write_bytes(content)


@pytest.mark.parametrize("family", KEPT)
def test_nothing_kept_begins_anew_and_says_so(data, family, tmp_path):
    told = Told()
    recipe = make({"family": family, "epochs": 2})
    fit(data, recipe, tmp_path, told=told, resume=True)
    assert told.epochs == [1, 2]
    assert any("beginning anew" in note for note in told.notes)


@pytest.mark.parametrize("part", ["subsample", "colsample_bytree"])
def test_what_xgboost_draws_is_by_seed_and_round(data, part, tmp_path):
    recipe, other = (
        make({"family": "xgboost", "epochs": 9, "seed": seed, "params": {part: 0.5}})
        for seed in (1, 2)
    )
    fit(data, recipe, tmp_path / "broken", told=Told(stop_at=4))
    resumed = fit(data, recipe, tmp_path / "broken", resume=True)
    whole = outputs(fit(data, recipe, tmp_path / "whole"), data)
    np.testing.assert_array_equal(outputs(resumed, data), whole)
    assert not np.array_equal(outputs(fit(data, other, tmp_path / "other"), data), whole)


def test_writing_that_takes_long_is_seldom_done():
    pace = Pace()
    assert not pace.due
    with pace.writing():
        time.sleep(0.03)
    time.sleep(1.1)
    assert not pace.due  # a hundred times as long must go by
    with pace.writing():
        pass
    time.sleep(1.1)
    assert pace.due
