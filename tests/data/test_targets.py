"""Targets of more than one number: several quantities, and labels of which a row carries any."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from numen.core.errors import InvalidData, InvalidInput
from numen.data.dataset import Dataset


def table(folder: Path, text: str, name: str = "t.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def rows_of(data: Dataset) -> np.ndarray:
    """The targets of all rows, in the order of their one column."""
    parts = [split.arrays() for split in data.splits.values()]
    order = np.concatenate([part.inputs[data.spec.name][:, 0] for part in parts]).argsort()
    return np.concatenate([part.target for part in parts])[order]


def test_columns_of_numbers_are_quantities(tmp_path: Path) -> None:
    lines = ["a,speed,price", *(f"{i},{i * 2},{i / 4}" for i in range(20))]
    data = Dataset.open(table(tmp_path, "\n".join(lines)), target="speed, price")
    assert (data.labels, data.several, data.quantities) == (None, False, ("speed", "price"))
    assert data.width == 2
    np.testing.assert_array_equal(rows_of(data), [[i * 2, i / 4] for i in range(20)])


def test_columns_of_0_and_1_are_labels(tmp_path: Path) -> None:
    lines = ["a,hot,wet", *(f"{i},{i % 2},{int(i > 9)}" for i in range(20))]
    data = Dataset.open(table(tmp_path, "\n".join(lines)), target="hot,wet")
    assert (data.labels, data.several) == (("hot", "wet"), True)
    np.testing.assert_array_equal(rows_of(data), [[i % 2, i > 9] for i in range(20)])


def test_one_flag_beside_a_number_is_a_quantity_and_says_so(tmp_path: Path) -> None:
    lines = ["a,hot,speed", *(f"{i},{i % 2},{i}" for i in range(20))]
    data = Dataset.open(table(tmp_path, "\n".join(lines)), target="hot,speed")
    assert data.quantities == ("hot", "speed")
    assert any('"hot" is 0 or 1' in note for note in data.notes)


@pytest.mark.parametrize("mark", [";", "|"])
def test_names_with_a_mark_between_them_are_labels(tmp_path: Path, mark: str) -> None:
    tags = ["hot", "wet", "dry"]
    carried = [[tags[i % 3]] + ([tags[(i + 1) % 3]] if i % 2 else []) for i in range(18)]
    lines = ["a,tags", *(f'{i},"{mark.join(names)}"' for i, names in enumerate(carried))]
    data = Dataset.open(table(tmp_path, "\n".join(lines)), target="tags")
    assert (data.labels, data.several) == (("dry", "hot", "wet"), True)
    expected = [[name in names for name in ("dry", "hot", "wet")] for names in carried]
    np.testing.assert_array_equal(rows_of(data), expected)


def test_classes_with_a_mark_in_their_names_stay_classes(tmp_path: Path) -> None:
    lines = ["a,kind", *(f"{i},{('cat;feline', 'dog;canine')[i % 2]}" for i in range(20))]
    data = Dataset.open(table(tmp_path, "\n".join(lines)), target="kind")
    assert (data.labels, data.several) == (("cat;feline", "dog;canine"), False)


def test_lists_are_labels_and_an_empty_one_says_there_are_none(tmp_path: Path) -> None:
    rows = [{"a": i, "tags": ["x"] * (i % 2) + ["y"] * (i % 3 == 0)} for i in range(24)]
    text = "\n".join(map(json.dumps, rows))
    data = Dataset.open(table(tmp_path, text, "t.jsonl"), target="tags")
    assert (data.labels, data.several) == (("x", "y"), True)
    np.testing.assert_array_equal(rows_of(data), [[i % 2, i % 3 == 0] for i in range(24)])


def test_a_missing_list_is_refused_by_its_row(tmp_path: Path) -> None:
    rows = [{"a": i, "tags": ["x", "y"][: i % 3]} for i in range(24)] + [{"a": 1, "tags": None}]
    text = "\n".join(map(json.dumps, rows))
    with pytest.raises(InvalidData, match=r"row 25.*target is missing.*empty list"):
        Dataset.open(table(tmp_path, text, "t.jsonl"), target="tags")


def test_a_flag_of_the_test_rows_that_is_neither_0_nor_1_is_refused(tmp_path: Path) -> None:
    table(
        tmp_path, "\n".join(["a,hot,wet", *(f"{i},{i % 2},{i % 2}" for i in range(9))]), "train.csv"
    )
    table(tmp_path, "a,hot,wet\n1,0,1\n2,3,1\n", "test.csv")
    with pytest.raises(InvalidData, match=r'expected 0 or 1.*received "3"'):
        Dataset.open(tmp_path, target="hot,wet")


@pytest.mark.parametrize(
    ("said", "field", "message"),
    [
        ({"target": "speed,kind"}, "target", '"kind" is text'),
        ({"target": "speed,wings"}, "target", 'no column "wings"'),
        ({"target": "speed,speed"}, "target", "named twice"),
        ({"target": "speed,price", "separator": ";"}, "separator", "stand in 2 columns"),
        ({"target": "kind", "columns": {"kind": "number"}}, "columns", "is text, not number"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_target_is_refused(tmp_path: Path, said, field, message) -> None:
    lines = ["a,kind,speed,price", *(f"{i},{'uv'[i % 2]},{i * 1.5},{i / 7}" for i in range(20))]
    with pytest.raises(InvalidInput, match=message) as error:
        Dataset.open(table(tmp_path, "\n".join(lines)), **said)
    assert error.value.field == field


def test_a_column_of_few_whole_numbers_is_a_quantity_if_it_is_said_so(tmp_path: Path) -> None:
    path = table(tmp_path, "\n".join(["a,grade", *(f"{i},{i % 3}" for i in range(30))]))
    assert Dataset.open(path, target="grade").labels == ("0", "1", "2")
    assert Dataset.open(path, target="grade", columns={"grade": "number"}).labels is None
