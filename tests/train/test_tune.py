"""A search: what it tries, prunes, counts and remembers, whatever happens to its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from numen.core.errors import Conflict, CorruptBundle, InvalidInput
from numen.data.dataset import Dataset
from numen.train.recipe import make
from numen.train.study import JOURNAL
from numen.train.trial import Outcome, attempt, rehearse
from numen.train.tune import Budget, Search, final_recipe, importances, search_here

SPACE = {"learning_rate": [0.02, 0.5], "num_leaves": [3, 15], "min_data_in_leaf": [3, 40]}
RECIPE = make({"family": "boosting", "epochs": 12, "validation": 0.25, "seed": 5})


class Watch:
    def __init__(self):
        self.rows, self.notes = [], []

    def trial(self, row):
        self.rows.append(row)

    def note(self, message):
        self.notes.append(message)


def write_table(path: Path, rows: int = 300) -> None:
    random = np.random.default_rng(5)
    x = random.normal(0, 1, (rows, 3))
    goal = np.where(x[:, 0] * x[:, 1] + random.normal(0, 0.3, rows) > 0, "yes", "no")
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{g}" for (a, b, c), g in zip(x, goal, strict=True)]
    path.write_text("a,b,c,goal\n" + "\n".join(lines))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tune")
    write_table(folder / "t.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(folder / "home"))
        return Dataset.open(folder / "t.csv", target="goal")


def open_search(folder, data, **more):
    said = {"recipe": RECIPE, "space": SPACE, "metric": "val_accuracy", "budget": Budget(trials=6),
            "pruner": "none", "watch": Watch(), **more}  # fmt: skip
    return Search(folder, data=data.digest, **said)


def points(search):
    return [(row.values, row.value) for row in search.rows() if row.state != "lost"]


def test_finds_the_best_and_says_what_mattered(tmp_path, data):
    with open_search(tmp_path / "s", data) as search:
        search_here(search, data)
        rows = search.rows()
        assert [row.state for row in rows] == ["complete"] * 6
        assert search.best.value == max(row.value for row in rows)
        assert set(importances(search)) <= set(SPACE)
        assert sum(importances(search).values()) == pytest.approx(1)
        assert search.next() is None


def test_the_same_seed_tries_the_same(tmp_path, data):
    found = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        recipe = make({"family": "boosting", "epochs": 5, "validation": 0.25, "seed": seed})
        with open_search(tmp_path / name, data, recipe=recipe) as search:
            search_here(search, data)
            found.append(points(search))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_trials_are_judged_by_rows_kept_aside_never_by_the_test_rows(data):
    seen = {}
    outcome = attempt(data, RECIPE, "val_loss", lambda number, value: seen.update({number: value}))
    aside = data.train.divide(0.25, RECIPE.seed)[1]
    assert not set(aside.stored_rows()) & set(data.test.stored_rows())
    assert outcome.state == "complete"
    assert list(seen) == list(range(1, 12))  # at the last epoch there is nothing to decide
    assert outcome.value == pytest.approx(min(*seen.values(), outcome.metrics["val_loss"]))
    assert outcome.epochs == 12


def test_a_trial_that_is_not_worth_it_ends_at_that_epoch(data):
    told = []

    def judge(number, value):
        told.append(number)
        return "prune" if number == 4 else ""

    outcome = attempt(data, RECIPE, "val_accuracy", judge)
    assert (outcome.state, outcome.epochs, told) == ("pruned", 4, [1, 2, 3, 4])


@pytest.mark.parametrize("family", ["mlp", "forest"])
def test_every_trainer_lets_the_end_through(data, family):
    epochs = {"mlp": 6, "forest": 40}[family]
    recipe = make({"family": family, "epochs": epochs, "validation": 0.25})
    outcome = attempt(data, recipe, "val_accuracy", lambda number, value: "prune")
    assert outcome.state == "pruned"
    assert outcome.epochs < epochs


def test_the_median_prunes(tmp_path, data):
    space = {"learning_rate": [1e-6, 0.5]}
    recipe = make({"family": "boosting", "epochs": 20, "validation": 0.25, "seed": 1})
    more = {"space": space, "recipe": recipe, "budget": Budget(trials=14), "metric": "val_loss"}
    with open_search(tmp_path / "s", data, pruner="median", **more) as search:
        search_here(search, data)
        pruned = [row for row in search.rows() if row.state == "pruned"]
        assert pruned
        assert all(1 < row.epochs < 20 for row in pruned)
        assert search.best.state == "complete"


def test_a_small_space_is_tried_once_and_no_more(tmp_path, data):
    space = {"num_leaves": [3, 7, 15], "max_depth": {"choices": [2, 3]}}
    with open_search(tmp_path / "s", data, space=space, budget=Budget(trials=50)) as search:
        search_here(search, data)
        tried = [tuple(row.values.items()) for row in search.rows()]
        assert len(tried) == len(set(tried)) == 6


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_tune import *
data = Dataset.open({table!r}, target="goal")
with open_search(Path({folder!r}), data) as search:
    def judge(number):
        return lambda epoch, value: print(number, epoch, flush=True) or search.epoch(number, epoch, value)
    while (trial := search.next()) is not None:
        search.done(trial.number, attempt(data, trial.recipe, search.metric, judge(trial.number)))
"""


def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path, data):
    with open_search(tmp_path / "whole", data) as search:
        search_here(search, data)
        whole = points(search)

    folder = tmp_path / "killed"
    code = KILLED.format(tests=str(Path(__file__).parent), table=data.source, folder=str(folder))
    home = Path(data.source).parent / "home"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "NUMEN_HOME": str(home)},
    )  # fmt: skip
    for line in process.stdout:
        number, epoch = map(int, line.split())
        if (number, epoch) == (2, 5):
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait(30) == -signal.SIGKILL
    with (folder / JOURNAL).open("a") as journal:
        journal.write('{"op_code": 5, "half')  # a line it did not get to finish

    watch = Watch()
    with open_search(folder, data, watch=watch) as search:
        assert watch.notes == ["going on with the study killed after 2 trials"]
        search_here(search, data)
        states = [row.state for row in search.rows()]
        assert states == ["complete"] * 2 + ["lost"] + ["complete"] * 4
        assert points(search) == whole


def test_one_process_at_a_time(tmp_path, data):
    with open_search(tmp_path / "s", data), pytest.raises(Conflict, match="another process"):
        open_search(tmp_path / "s", data)
    open_search(tmp_path / "s", data).close()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (
            {"recipe": make({"family": "boosting", "epochs": 13, "validation": 0.25})},
            "epochs, seed",
        ),
        ({"space": {"num_leaves": [3, 16]}}, "space"),
        ({"metric": "val_loss"}, "metric"),
        ({"pruner": "hyperband"}, "pruner"),
    ],
)
def test_a_study_of_something_else_is_not_gone_on_with(tmp_path, data, more, named):
    open_search(tmp_path / "s", data).close()
    with pytest.raises(InvalidInput, match=f"another {named}"):
        open_search(tmp_path / "s", data, **more)
    open_search(tmp_path / "s", data).close()


def test_a_broken_journal_says_so(tmp_path, data):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / JOURNAL).write_text("no journal\nat all\n")
    with pytest.raises(CorruptBundle, match="study"):
        open_search(tmp_path / "s", data)


def test_a_trial_lost_with_its_machine_is_tried_again_and_not_counted(tmp_path, data):
    with open_search(tmp_path / "s", data, budget=Budget(trials=2)) as search:
        first = search.next()
        search.done(first.number, Outcome("lost", error="its node died"))
        again = search.next()
        assert again.recipe == first.recipe
        assert again.number != first.number
        search.done(again.number, Outcome("complete", 0.5, 1, 1))
        other = search.next()
        assert other.recipe != first.recipe
        search.done(other.number, Outcome("complete", 0.7, 1, 1))
        assert search.next() is None
        assert [row.state for row in search.rows()] == ["lost", "complete", "complete"]
        assert search.best.number == other.number


def test_a_trial_that_kills_its_machines_fails_in_the_end(tmp_path, data):
    with open_search(tmp_path / "s", data, budget=Budget(trials=2)) as search:
        for _ in range(3):
            search.done(search.next().number, Outcome("lost", error="its node died"))
        rows = search.rows()
        assert [row.state for row in rows] == ["lost", "lost", "failed"]
        assert "3 times" in rows[-1].error
        assert search.next().recipe.params != {}


def test_time_and_cost_end_a_search(tmp_path, data):
    with open_search(tmp_path / "t", data, budget=Budget(timeout=1e-9)) as search:
        assert search.next() is None
    with open_search(tmp_path / "c", data, budget=Budget(cost=3.0, price=3600.0)) as search:
        search.done(search.next().number, Outcome("complete", 0.5, 1, 1, seconds=2.0))
        assert search.cost == pytest.approx(2.0)
        number = search.next().number
        search.done(number, Outcome("complete", 0.5, 1, 1, seconds=1.5))
        assert search.next() is None
        assert search.cost == pytest.approx(3.5)
    with open_search(tmp_path / "c", data, budget=Budget(cost=3.0, price=3600.0)) as search:
        assert search.next() is None  # what was spent before counts


def test_a_trial_cut_short_by_the_clock_waits_for_the_next_time(tmp_path, data):
    with open_search(tmp_path / "s", data, budget=Budget(trials=2, timeout=0.2)) as search:
        trial = search.next()
        time.sleep(0.25)
        assert search.epoch(trial.number, 1, 0.5) == "stop"
        search.done(trial.number, Outcome("stopped"))
        assert search.next() is None
    with open_search(tmp_path / "s", data, budget=Budget(trials=2)) as search:
        assert search.next().recipe == trial.recipe


@pytest.mark.parametrize(
    ("budget", "named"),
    [
        (Budget(trials=0), "trials"), (Budget(timeout=-1), "timeout"), (Budget(cost=5), "price"),
        (Budget(price=5), "cost"), (Budget(cost=0, price=1), "cost"),
    ],
)  # fmt: skip
def test_what_is_no_budget_is_refused(tmp_path, data, budget, named):
    with pytest.raises(InvalidInput, match=f"^{named}"):
        open_search(tmp_path / "s", data, budget=budget)
    assert not (tmp_path / "s").exists()


def test_ctrl_c_leaves_the_trial_for_the_next_time(tmp_path, data):
    class Impatient(Watch):
        def trial(self, row):
            super().trial(row)
            if row.number == 1 and row.epochs == 3 and row.state == "running":
                raise KeyboardInterrupt

    with open_search(tmp_path / "s", data, watch=Impatient()) as search:
        with pytest.raises(KeyboardInterrupt):
            search_here(search, data)
        assert [row.state for row in search.rows()] == ["complete", "stopped"]
        stopped = search.rows()[1].values
    with open_search(tmp_path / "s", data) as search:
        search_here(search, data)
        rows = search.rows()
        assert rows[2].values == stopped
        assert [row.state for row in rows].count("complete") == 6


def test_a_bad_corner_is_a_failed_trial_and_a_bad_search_an_error(tmp_path, data):
    recipe = make({"family": "mlp", "epochs": 1, "validation": 0.25})
    outcome = attempt(data, make({"family": "mlp", "params": {"units": 0}}), "val_loss", None)
    assert outcome.state == "failed"
    assert "units" in outcome.error
    wrong = pytest.raises(InvalidInput, match=r"first 3 trials all failed.*units")
    space = {"units": [-5, -1]}
    with wrong, open_search(tmp_path / "s", data, recipe=recipe, space=space) as search:
        search_here(search, data)


def test_a_metric_nobody_tells_of_is_named(data):
    outcome = attempt(data, RECIPE, "val_beauty", lambda number, value: "")
    assert outcome.state == "failed"
    assert "val_accuracy" in outcome.error


def test_a_rehearsal_refuses_before_anything_is_trained(data):
    with pytest.raises(InvalidInput, match="knows num_leaves"):
        rehearse(data, [make({"family": "boosting", "params": {"wings": 2}})])
    with pytest.raises(InvalidInput, match="optimizer"):
        rehearse(data, [make({"family": "mlp", "optimizer": "adamm"})])
    rehearse(data, [make({"family": "mlp", "epochs": 10**6})])


def test_the_final_recipe_uses_all_rows_as_long_as_was_best(tmp_path, data):
    with open_search(tmp_path / "s", data) as search:
        trial = search.next()
        search.done(trial.number, Outcome("complete", 0.7, 5, 12))
        plan = make({"family": "boosting", "epochs": 12, "seed": 5})
        made = final_recipe(search, search.best, plan)
        assert (made.epochs, made.validation, made.seed) == (5, 0.0, 5)
        assert made.params == trial.recipe.params
        kept = final_recipe(search, search.best, RECIPE)
        assert kept == trial.recipe


def test_the_journal_is_plain_lines(tmp_path, data):
    with open_search(tmp_path / "s", data, budget=Budget(trials=1)) as search:
        search_here(search, data)
    lines = (tmp_path / "s" / JOURNAL).read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
