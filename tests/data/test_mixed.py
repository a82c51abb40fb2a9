"""Tables as they are: what a column is taken for, what a person says it is, and how rows part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from numen.core.errors import InvalidData, InvalidInput
from numen.core.fields import date_parts, seconds, word_counts
from numen.core.manifest import Column, ColumnsInput, WindowInput
from numen.data.dataset import Dataset
from numen.data.facts import WORDS
from numen.data.profile import examine
from numen.runtime.process import encode_fields, encode_windows

ROWS = 60
COLUMNS = {
    "age": lambda n: ["", "NA", "?", "null"][n % 4] if n % 7 == 0 else str(20 + n % 40),
    "city": lambda n: ["Bonn", " Köln ", "nan"][n % 3],
    "joined": lambda n: f"{n % 28 + 1:02}.{n % 12 + 1:02}.2024",
    "vip": lambda n: ["true", "false"][n % 2],
    "said": lambda n: f"row number {n} was {'good' if n % 2 else 'bad'}",
    "id": lambda n: f"u{n:05}",
}


def mixed(path: Path, rows: int = ROWS) -> Path:
    lines = [",".join([*COLUMNS, "label"])]
    for n in range(rows):
        lines.append(",".join([*(make(n) for make in COLUMNS.values()), "yn"[n % 2]]))
    path.write_text("\n".join(lines) + "\n")
    return path


def columns(data: Dataset) -> dict[str, Column]:
    assert isinstance(data.preprocess, ColumnsInput | WindowInput)
    return {column.name: column for column in data.preprocess.columns}


def test_columns_are_told_by_their_looks(tmp_path: Path) -> None:
    data = Dataset.open(mixed(tmp_path / "a.csv"))
    assert columns(data) == {
        "age": Column("age"),
        "city": Column("city", ("Bonn", "Köln")),
        "joined": Column("joined", date="dmy"),
        "vip": Column("vip"),
        "said": Column("said", words=WORDS),
    }
    assert {each.name: each.kind for each in data.taken} == {
        "age": "number", "city": "category", "joined": "date", "vip": "number", "said": "text",
        "id": "ignore",
    }  # fmt: skip
    assert data.spec.shape == (None, 1 + 1 + 5 + 1 + WORDS)
    assert data.missing
    told = list(data.reading_notes())
    assert '"joined" is a date (dates, the day first)' in told
    assert any("20% of the rows is held out, by chance" in line for line in told)


def test_serving_makes_of_a_row_what_training_made_of_it(tmp_path: Path) -> None:
    data = Dataset.open(mixed(tmp_path / "a.csv"))
    stored = np.array(data.train.whole.column(0).to_pylist(), np.float32)
    rows = [{name: make(n) for name, make in COLUMNS.items()} for n in range(ROWS)]
    assert isinstance(data.preprocess, ColumnsInput)
    made = encode_fields(rows, data.preprocess)["features"]
    np.testing.assert_array_equal(made, stored)
    new = encode_fields([{"city": "Paris", "label": "y"}], data.preprocess)["features"]
    assert np.isnan(new[0, :8]).all()
    assert (new[0, 8:] == 0).all(), "no text has no words"


def test_what_a_person_says_counts(tmp_path: Path) -> None:
    said = {"age": "category", "joined": "ignore", "id": "text", "said": "category"}
    data = Dataset.open(mixed(tmp_path / "a.csv"), columns=said)
    found = columns(data)
    assert found["age"].categories is not None
    assert "joined" not in found
    assert found["id"].words == WORDS
    assert len(found["said"].categories or ()) == ROWS
    assert {each.why for each in data.taken if each.name in said} == {"as you said"}


def test_numbers_with_strays_are_missing_where_they_are_said_to_be_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,label\n" + "1,a\nlow,b\n3,a\n" * 5)
    assert columns(Dataset.open(path))["x"].categories == ("1", "3", "low")
    data = Dataset.open(path, columns={"x": "number"})
    found = np.array(data.train.whole.column(0).to_pylist())[:3, 0]
    np.testing.assert_array_equal(found, [1, np.nan, 3])
    assert any("such as" in each.why and "row 3" in each.why for each in data.taken)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"city": "number"}, '"city" cannot be read as number'),
        (
            {"city": "date"},
            r'"city" cannot be read as date: the first value that is none is "Bonn"',
        ),
        ({"place": "text"}, 'read.columns: no column "place"'),
        ({"label": "text"}, '"label" is the target'),
        ({"age": "hat"}, 'expected one of .*number.*, received "hat"'),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, said: dict[str, str], message: str) -> None:
    path = mixed(tmp_path / "a.csv")
    path.write_text(path.read_text().replace("?", "1"))
    with pytest.raises(InvalidInput, match=message):
        Dataset.open(path, columns=said)


def test_dates_of_all_files_are_one(tmp_path: Path) -> None:
    rows = [{"at": f"2024-03-{n + 1:02}T10:00:00", "n": n, "label": "ab"[n % 2]} for n in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    stamps = pa.array([int(seconds(str(row["at"]), "ymd") or 0) for row in rows], pa.timestamp("s"))
    rest = {name: [row[name] for row in rows] for name in ("n", "label")}
    pq.write_table(pa.table({"at": stamps, **rest}), tmp_path / "a.parquet")
    one, other = (Dataset.open(tmp_path / f"a.{kind}") for kind in ("jsonl", "parquet"))
    assert one.digest == other.digest
    first = np.array(one.train.whole.column(0).to_pylist(), np.float32)[0]
    assert first[:5].tolist() == date_parts(seconds("2024-03-01 10:00", "ymd") or 0)


def people(path: Path, count: int = 40, each: int = 5) -> Path:
    """Rows of people in turn, a day later each."""
    lines = ["who,day,x,label"]
    for n in range(count * each):
        lines.append(f"p{n % count},{n},{n / 7:.3f},{'ab'[n // 3 % 2]}")
    path.write_text("\n".join(lines))
    return path


def parts(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return data.train.stored_rows(), data.test.stored_rows()


def test_groups_stand_in_one_split(tmp_path: Path) -> None:
    data = Dataset.open(people(tmp_path / "a.csv"), group="who")
    train, test = parts(data)
    assert len(test) == 40
    assert not set(train % 40) & set(test % 40)
    rest, aside = data.train.divide(0.25, 3)
    assert len(aside) == 40
    assert not set(rest.stored_rows() % 40) & set(aside.stored_rows() % 40)
    assert "who" not in columns(data)
    assert "whole groups" in data.division()


def test_the_latest_rows_test(tmp_path: Path) -> None:
    data = Dataset.open(people(tmp_path / "a.csv"), order="day")
    train, test = parts(data)
    assert (train.max(), test.min()) == (159, 160)
    rest, aside = data.train.divide(0.25, 3)
    assert rest.stored_rows().max() < aside.stored_rows().min()


def test_rows_of_one_time_stay_together(tmp_path: Path) -> None:
    lines = [f"2024-01-{n // 6 + 1:02},{n},{'ab'[n % 2]}" for n in range(60)]
    (tmp_path / "a.csv").write_text("day,x,label\n" + "\n".join(lines))
    _, test = parts(Dataset.open(tmp_path / "a.csv", order="day"))
    assert test.tolist() == list(range(48, 60))
    (tmp_path / "b.csv").write_text("day,x,label\n" + "2024-01-01,1,a\n2024-01-01,2,b\n" * 9)
    with pytest.raises(InvalidInput, match="all rows are of one time"):
        Dataset.open(tmp_path / "b.csv", order="day")


def test_groups_that_end_last_test_where_both_are_said(tmp_path: Path) -> None:
    lines = [f"g{n // 10},{n},{n % 3},{'ab'[n % 2]}" for n in range(100)]
    (tmp_path / "a.csv").write_text("who,day,x,label\n" + "\n".join(lines))
    _, test = parts(Dataset.open(tmp_path / "a.csv", group="who", order="day"))
    assert test.tolist() == list(range(80, 100))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"group": "nobody"}, 'read.group: no column "nobody"'),
        ({"order": "label"}, '"label" is the target'),
        ({"order": "city"}, 'read.order: expected dates or numbers in "city"'),
    ],
)
def test_rows_cannot_be_divided_by_what_is_not_there(
    tmp_path: Path, said: dict[str, str], message: str
) -> None:
    path = mixed(tmp_path / "a.csv")
    path.write_text(path.read_text().replace("nan", "Rom"))
    with pytest.raises(InvalidInput, match=message):
        Dataset.open(path, **said)


def test_a_row_without_a_group_is_named(tmp_path: Path) -> None:
    path = people(tmp_path / "a.csv")
    path.write_text(path.read_text().replace("p3,3,", ",3,"))
    with pytest.raises(InvalidData, match=r'row 5: column "who": expected a value in each row'):
        Dataset.open(path, group="who")


def events(path: Path, players: int = 12) -> list[dict[str, object]]:
    """Five events of each player, mixed, one object in each; only the last says how it ended."""
    rows = []
    for n in range(players * 5):
        player, turn = n % players, n // players
        row = {
            "player": f"p{player}", "at": 100 - turn if player == 0 else turn,
            "kind": ["jump", "shoot"][turn % 2], "pos": {"x": n, "y": -n},
        }  # fmt: skip
        if turn == (0 if player == 0 else 4):
            row["won"] = "yn"[player % 2]
        rows.append(row)
    path.write_text("\n".join(map(json.dumps, rows)))
    return rows


def test_events_become_windows(tmp_path: Path) -> None:
    rows = events(tmp_path / "a.jsonl")
    data = Dataset.open(tmp_path / "a.jsonl", target="won", group="player", order="at", window=8)
    assert data.preprocess == WindowInput(
        "features",
        (Column("kind", ("jump", "shoot")), Column("pos.x"), Column("pos.y")),
        8,
        ("won", "player", "at"),
    )
    assert data.spec.shape == (None, 8, 3)
    assert (len(data.train), len(data.test)) == (10, 2)
    window = data.train.arrays().inputs["features"][0]
    assert np.isnan(window[:3]).all()
    if data.train.take([0]).group.tolist() == [0]:  # player 0's clock runs backwards
        assert window[3:, 1].tolist() == [48, 36, 24, 12, 0]
    player = [row for row in rows if row["player"] == "p3"]
    (made,) = encode_windows([player], data.preprocess)["features"]
    stored = np.concatenate([s.arrays().inputs["features"] for s in (data.train, data.test)])
    assert any(np.array_equal(made, each, equal_nan=True) for each in stored)


def test_every_row_with_a_target_ends_a_window(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,x,y\n" + "".join(f"{n},{n},{n / 3}\n" for n in reversed(range(50))))
    data = Dataset.open(path, order="t", window=3)
    assert data.labels is None
    whole = data.train.arrays()
    assert (len(data.train), len(data.test)) == (40, 10)
    assert whole.inputs["features"][5, :, 0].tolist() == [3, 4, 5]
    assert whole.target[5] == pytest.approx(5 / 3)
    first = data.test.arrays().inputs["features"][0, :, 0]
    assert first.tolist() == [38, 39, 40], "what came before is known, also where it trained"
    profile = examine(data)
    assert profile.schema[0].max == 39


def test_windows_without_an_order_are_as_the_rows_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{n},{n / 3}\n" for n in range(50)))
    data = Dataset.open(path, window=2)
    assert data.train.arrays().inputs["features"][7, :, 0].tolist() == [6, 7]
    with pytest.raises(InvalidInput, match="windows are made when they are read"):
        data.to_hf()


def test_words_of_a_text_are_hashed_alike(tmp_path: Path) -> None:
    data = Dataset.open(mixed(tmp_path / "a.csv"))
    first = np.array(data.train.whole.column(0).to_pylist(), np.float32)[0, 8:]
    np.testing.assert_allclose(first, word_counts("row number 0 was bad", WORDS), rtol=1e-6)
