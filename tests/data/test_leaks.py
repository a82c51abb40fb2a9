"""What would make scores lie is found: planted, and not where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numen.data.confident import by_neighbours, by_trees, in_doubt
from numen.data.dataset import Dataset
from numen.data.profile import Profile, examine


def table(path: Path, columns: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def planted() -> dict[str, object]:
    random = np.random.default_rng(6)
    label = random.integers(0, 2, 400)
    return {
        "number": np.arange(400) + 1000 * label,  # numbered by class: an id that tells
        "honest": label + random.normal(0, 1, 400),
        "paid_back": np.where(random.random(400) < 0.005, 1 - label, label),
        "row": random.permutation(400),
        "label": np.where(label, "bad", "good"),
    }


def notes(profile: Profile) -> str:
    return "\n".join(profile.notes)


def test_columns_that_give_the_answer_away(planted: dict[str, object], tmp_path: Path) -> None:
    profile = examine(Dataset.open(table(tmp_path / "a.csv", planted)))
    assert {leak.column: leak.counts for leak in profile.leaks} == {
        "number": True, "paid_back": False,
    }  # fmt: skip
    assert '"number" looks like an id, and yet tells "label"' in notes(profile)
    assert '"paid_back" by itself tells "label"' in notes(profile)


def test_a_quantity_that_is_told(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    price = np.exp(random.normal(0, 3, 500))
    columns = {"gross": price * 1.19, "size": price + random.normal(0, 9, 500), "price": price}
    profile = examine(Dataset.open(table(tmp_path / "a.csv", columns)))
    assert [leak.column for leak in profile.leaks] == ["gross"]


def test_rows_that_are_nearly_there_twice(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    x = random.normal(0, 1, (200, 4))
    other = random.normal(0, 1, (50, 4))
    other[:10] = x[:10] + 1e-6  # but for a rounding
    other[10:15] = x[10:15]  # the same
    for name, rows in (("train", x), ("test", other)):
        columns: dict[str, object] = {f"x{n}": rows[:, n].tolist() for n in range(4)}
        columns["label"] = ["ab"[n % 2] for n in range(len(rows))]
        table(tmp_path / "set" / f"{name}.csv", columns)
    profile = examine(Dataset.open(tmp_path / "set"))
    assert (profile.shared, profile.near) == (5, 10)
    assert "10 test rows are training rows but for a rounding" in notes(profile)


def test_groups_in_training_and_test(tmp_path: Path) -> None:
    for name, first in (("train", 0), ("test", 6)):
        who = [f"p{first + n // 5}" for n in range(40)]
        columns = {"who": who, "x": range(40), "label": ["ab"[n % 2] for n in range(40)]}
        table(tmp_path / "set" / f"{name}.csv", columns)
    profile = examine(Dataset.open(tmp_path / "set", group="who"))
    assert profile.shared_groups == 2
    assert '2 values of "who" stand in training and in test' in notes(profile)


@pytest.mark.parametrize("judge", [by_trees, by_neighbours])
def test_labels_that_others_contradict(judge) -> None:
    random = np.random.default_rng(9)
    label = random.integers(0, 3, 600)
    points = random.normal(0, 0.5, (600, 2)) + np.array([[0, 0], [3, 0], [0, 3]])[label]
    wrong = random.random(600) < 0.05
    given = np.where(wrong, (label + 1) % 3, label)
    places, better = in_doubt(judge(points.astype("float32"), given, 3), given)
    assert wrong[places].mean() > 0.8, "few others are accused"
    assert wrong[places].sum() > 0.7 * wrong.sum(), "most are found"
    assert (better[wrong[places]] == label[places][wrong[places]]).mean() > 0.9


def test_a_class_without_rows_is_nobodys_better_label() -> None:
    places, better = in_doubt(np.full((4, 3), 1 / 3), np.array([0, 1, 0, 1]))
    assert len(places) == len(better) == 0
