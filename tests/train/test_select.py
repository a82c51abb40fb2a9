"""Choosing columns: what is known to matter is chosen, nothing is judged by what it was chosen by."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from quiet import Quiet, few_digits

from numen.core.errors import InvalidInput
from numen.data.align import narrowed
from numen.data.dataset import Dataset
from numen.data.reading import make as reading
from numen.train import recipe as recipes
from numen.train.select import RESAMPLES, check, information, select

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def write(path: Path, columns: dict[str, list]) -> Path:
    rows = zip(*columns.values(), strict=True)
    path.write_text(
        "\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n"
    )
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    return tmp_path


def noisy(rows: int = 600, idle: int = 9, seed: int = 0) -> dict[str, list]:
    """Two numbers and a category decide; nine numbers do not."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 2 + idle)).round(4)
    colour = random.choice(["red", "green", "blue"], rows)
    score = 2 * x[:, 0] + x[:, 1] * 1.5 + 2 * (colour == "blue") + random.normal(size=rows) * 0.3
    named = {f"idle{n}": x[:, 2 + n].tolist() for n in range(idle)}
    return {
        **named, "left": x[:, 0].tolist(), "right": x[:, 1].tolist(), "colour": colour.tolist(),
        "score": score.round(4).tolist(),
    }  # fmt: skip


def classes(columns: dict[str, list]) -> dict[str, list]:
    score = columns.pop("score")
    return {**columns, "kind": ["big" if each > 0.6 else "small" for each in score]}


def test_what_decides_is_chosen_from_every_half(home: Path) -> None:
    data = Dataset.open(write(home / "t.csv", classes(noisy())))
    told = Quiet()
    found = select(data, data.train, 3, 0, told)
    assert set(found.names) == {"left", "right", "colour"}
    assert [each.share for each in found.chosen] == [1.0] * 3
    assert len(found.others) == 9
    assert all(each.share == 0 for each in found.others)
    assert found.resamples == len(told.notes) == RESAMPLES
    assert select(data, data.train, 3, 0, told) == found
    four = select(data, data.train, 4, 0, told)
    assert set(found.names) < set(four.names)
    assert four.chosen[-1].share < 0.9  # which of the idle ones it is, is chance, and it shows


@pytest.mark.parametrize("target", ["score", "score,more", "tags"])
def test_quantities_and_labels_have_columns_chosen_too(home: Path, target: str) -> None:
    table = noisy(400, 4)
    score = np.array(table["score"])
    if target == "tags":
        table.pop("score")
        table["tags"] = [
            ";".join(n for n, there in (("high", s > 0), ("low", s < 1)) if there) for s in score
        ]
    if "more" in target:
        table["more"] = (-score).tolist()
    how = {"target": target, **({"separator": ";"} if target == "tags" else {})}
    data = Dataset.open(write(home / "t.csv", table), reading=reading(how))
    assert data.many == (target != "score")
    assert set(select(data, data.train, 3, 0, Quiet()).names) == {"left", "right", "colour"}


def test_of_many_columns_those_that_tell_something_are_looked_at(home: Path) -> None:
    data = Dataset.open(write(home / "t.csv", classes(noisy(500, 80))))
    assert set(select(data, data.train, 3, 0, Quiet()).names) == {"left", "right", "colour"}


def test_mutual_information_is_scikit_learns_less_what_chance_shows(home: Path) -> None:
    from sklearn.metrics import mutual_info_score

    table = classes(noisy(500, 3))
    data = Dataset.open(write(home / "t.csv", table))
    found = information(data, data.train)
    (rows,) = data.train.arrays().inputs.values()
    place = [column.name for column in data.preprocess.columns].index("colour")
    truth = mutual_info_score(rows[:, place].astype(int), data.train.target)
    assert found["colour"] == pytest.approx(truth - 2 * 1 / (2 * len(rows)))
    assert max(found[f"idle{n}"] for n in range(3)) < 0.02 < found["colour"] < found["left"]


def test_a_narrower_table_keeps_rows_groups_and_what_may_be_sent(home: Path) -> None:
    table = classes(noisy(200, 2))
    table["player"] = [n // 10 for n in range(200)]
    data = Dataset.open(
        write(home / "t.csv", table), reading=reading({"group": "player", "target": "kind"})
    )
    few = narrowed(data, ["colour", "right"])
    assert [column.name for column in few.preprocess.columns] == ["right", "colour"]
    assert set(few.preprocess.ignored) >= {"idle0", "idle1", "left", "kind"}
    (wide,), (slim,) = (d.train.arrays().inputs.values() for d in (data, few))
    places = [[c.name for c in data.preprocess.columns].index(name) for name in ("right", "colour")]
    assert np.array_equal(wide[:, places], slim, equal_nan=True)
    assert few.spec.shape == (None, 2)
    assert few.categories == {1: 3}
    first, second = few.train.divide(0.3, 0)
    assert not set(first.group.tolist()) & set(second.group.tolist())


def test_windows_are_narrowed_and_chosen_from(home: Path) -> None:
    random = np.random.default_rng(0)
    value = random.normal(size=(60, 12, 3)).round(3)
    table = {
        "player": np.repeat(np.arange(60), 12).tolist(), "time": np.tile(np.arange(12), 60).tolist(),
        **{name: value[..., n].reshape(-1).tolist() for n, name in enumerate(("pace", "idle", "noise"))},
        "next": np.repeat((value[..., 0].mean(1) > 0), 12).astype(int).tolist(),
    }  # fmt: skip
    table["next"] = ["up" if each else "down" for each in table["next"]]
    how = {"target": "next", "group": "player", "order": "time", "window": 4}
    data = Dataset.open(write(home / "t.csv", table), reading=reading(how))
    few = narrowed(data, ["pace"])
    assert next(few.train.batches(5)).inputs["features"].shape == (5, 4, 1)
    assert select(data, data.train, 1, 0, Quiet()).names == ("pace",)


def test_what_has_no_columns_to_choose_is_refused(home: Path) -> None:
    data = Dataset.open(write(home / "t.csv", classes(noisy(60, 2))))
    for wanted in (5, 6):
        with pytest.raises(InvalidInput, match="fewer than the 5 columns"):
            check(data, recipes.Recipe(select=wanted))
    with pytest.raises(InvalidInput, match=r">= 1"):
        recipes.make({"select": 0})
    check(data, recipes.make({"select": "4"}))
    with pytest.raises(InvalidInput, match="lambdarank"):
        check(data, recipes.Recipe(select=2, loss="lambdarank"))
    with pytest.raises(InvalidInput, match="expected a table, received rows of ImageInput"):
        check(few_digits(home, 20, 10), recipes.Recipe(select=2))


def test_the_test_rows_are_not_looked_at(home: Path) -> None:
    from numen.api.select import chosen
    from numen.train.base import Run

    data = Dataset.open(write(home / "t.csv", classes(noisy(300, 3))))
    spoilt = {**data.splits, "test": data.test.taught(1 - data.test.target)}
    said = []
    for number, splits in enumerate((data.splits, spoilt)):
        folder = home / str(number)
        folder.mkdir()
        run = Run(folder, Quiet())
        recipe = recipes.Recipe(family="forest", epochs=10, select=3)
        few, found = chosen(dataclasses.replace(data, splits=splits), recipe, run)
        assert len(few.preprocess.columns) == 3
        assert found.cost.rows == 60
        assert found.cost.low <= found.cost.change <= found.cost.high
        said.append(found)
    assert said[0] == said[1]
    # A training that goes on has chosen already.
    told = Quiet()
    _, again = chosen(data, recipe, Run(home / "1", told, resume=True))
    assert (again, told.notes) == (said[1], [])
