"""Tables: what columns mean, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from data_files import IRIS
from hypothesis import HealthCheck, given, settings

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import Column
from numen.core.signature import TensorSpec
from numen.data.dataset import Dataset


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def twins(path: Path) -> list[Path]:
    """The CSV as Parquet and JSON Lines, beside it."""
    options = pa.csv.ConvertOptions(strings_can_be_null=True)
    table = pa.csv.read_csv(path, convert_options=options)
    parquet, jsonl = path.with_suffix(".parquet"), path.with_suffix(".jsonl")
    pq.write_table(table, parquet)
    rows = [{k: v for k, v in row.items() if v is not None} for row in table.to_pylist()]
    write(jsonl, "\n".join(map(json.dumps, rows)))
    return [path, parquet, jsonl]


def test_columns_and_classes(table: Path) -> None:
    data = Dataset.open(table)
    assert data.labels == ("setosa", "virginica")
    assert data.target == "kind"
    assert data.preprocess.columns == (Column("length"), Column("colour", ("blue", "red")))
    assert data.spec == TensorSpec("features", "float32", (None, 2), missing=True)
    assert any('"id" is left out' in note for note in data.notes)
    whole = data.splits["train"].whole.column(0).to_pylist()
    np.testing.assert_allclose(whole[:3], [[0.0, 1.0], [0.1, 0.0], [0.2, np.nan]], rtol=1e-6)


def test_the_format_does_not_change_the_digest(table: Path) -> None:
    assert len({Dataset.open(path).digest for path in twins(table)}) == 1


def test_quoting_line_ends_and_a_byte_order_mark_do_not_either(table: Path, tmp_path: Path) -> None:
    quoted = "\ufeff" + "\r\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in IRIS.splitlines()
    )
    other = write(tmp_path / "quoted.csv", quoted)
    tabs = write(tmp_path / "tabs.tsv", IRIS.replace(",", "\t"))
    digests = {Dataset.open(path).digest for path in (table, other, tabs)}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("before", "after"), [("0.1,blue", "0.2,blue"), ("0.1,blue", "0.1,red"), ("kind", "sort")]
)
def test_other_contents_are_another_digest(table: Path, before: str, after: str) -> None:
    digest = Dataset.open(table).digest
    write(table, IRIS.replace(before, after, 1))
    assert Dataset.open(table).digest != digest


def test_numbers_with_many_values_are_quantities(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,y\n" + "".join(f"{n},{n / 7}\n" for n in range(50)))
    data = Dataset.open(path)
    assert data.labels is None
    assert data.train.target.dtype == np.float32
    assert (len(data.train), len(data.test)) == (40, 10)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0, 1] * 5, ("0", "1")),
        ([10, 9, 2] * 20, ("2", "9", "10")),
        (["true", "False"] * 5, ("false", "true")),
        (["b", "a", "c"], ("a", "b", "c")),
        (list(range(10)), None),
        ([0.5, 1.5] * 10, None),
    ],
)
def test_what_stands_for_classes(
    tmp_path: Path, values: list[object], labels: tuple[str, ...] | None
) -> None:
    rows = "".join(f"{place},{value}\n" for place, value in enumerate(values))
    assert Dataset.open(write(tmp_path / "a.csv", "x,label\n" + rows)).labels == labels


@pytest.mark.parametrize(
    ("header", "given", "expected"),
    [
        ("a,b,c", "", "c"),
        ("a,target,c", "", "target"),
        ("Label,b,c", "", "Label"),
        ("a,label,c", "c", "c"),
    ],
)
def test_which_column_is_the_target(tmp_path: Path, header: str, given: str, expected: str) -> None:
    path = write(tmp_path / "a.csv", header + "\n" + "1,2,3\n4,5,6\n" * 5)
    assert Dataset.open(path, target=given).target == expected


def test_a_target_said_to_be_a_number_has_no_classes(tmp_path: Path) -> None:
    rows = [f"{n},{n % 3},{'abc'[n % 3]}" for n in range(60)]
    path = write(tmp_path / "t.csv", "\n".join(["x,grade,name", *rows]))
    assert Dataset.open(path, target="grade").labels == ("0", "1", "2")
    data = Dataset.open(path, target="grade", columns={"grade": "number"})
    assert data.labels is None
    assert set(data.train.target) == {0.0, 1.0, 2.0}
    with pytest.raises(InvalidInput, match='the target "name" is text, not number'):
        Dataset.open(path, target="name", columns={"name": "number"})
    with pytest.raises(InvalidInput, match='"grade" is the target'):
        Dataset.open(path, target="grade", columns={"grade": "ignore"})


def test_an_unknown_target_is_refused(table: Path) -> None:
    with pytest.raises(InvalidInput, match='no column "price"; it has length, colour, id, kind'):
        Dataset.open(table, target="price")


def test_truth_is_zero_or_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,label\ntrue,a\nFALSE,b\n" * 1 + "true,a\nfalse,b\n" * 4)
    for twin in twins(path):
        features = Dataset.open(twin).train.arrays().inputs["features"]
        assert set(features.ravel().tolist()) == {0.0, 1.0}


def test_train_and_test_files(tmp_path: Path) -> None:
    write(tmp_path / "set" / "train.csv", "colour,label\nred,a\nblue,b\n" * 1)
    write(tmp_path / "set" / "test.csv", "label,colour\nb,green\n")
    data = Dataset.open(tmp_path / "set")
    assert not data.held_out
    assert data.preprocess.columns[0].categories == ("blue", "green", "red")
    assert data.test.arrays().inputs["features"].tolist() == [[1.0]]
    assert data.test.target.tolist() == [1]


def test_parts_of_a_split_follow_one_another(tmp_path: Path) -> None:
    for part in range(2):
        rows = "".join(f'{{"x": {part * 10 + n}, "label": "{n % 2}"}}\n' for n in range(10))
        write(tmp_path / "set" / f"train-{part}.jsonl", rows)
    whole = Dataset.open(tmp_path / "set").train.whole.column(0).to_pylist()
    assert [row[0] for row in whole] == list(range(20))


GOOD = "x,label\n" + "1,a\n2,b\n" * 8

BAD_CSV: list[tuple[str | bytes, str]] = [
    (GOOD + "3\n", r"bad\.csv row 18: expected 2 fields, received 1"),
    (GOOD + "\n\n3,a,b\n" + GOOD, r"bad\.csv row 20: expected 2 fields, received 3"),
    ('x,label\n"two\nlines",a\n1\n', r"bad\.csv row 4: expected 2 fields, received 1"),
    ("", r"bad\.csv: the file is empty"),
    ("\n\n", r"bad\.csv: the file is empty"),
    ("x,label\n", r"bad\.csv: expected at least one row"),
    ("1,2\n3,4\n", r"bad\.csv row 1: expected column names, found only numbers"),
    ("x,x,label\n1,2,3\n", r'bad\.csv row 1: two columns are called "x"'),
    ("x,,,label\n1,2,3,4\n", r"bad\.csv row 1: 2 columns have no name"),
    (GOOD.encode() + b"3,\xff\n", r"bad\.csv row 18: expected UTF-8 text, found byte 0xff"),
    (GOOD.encode("utf-16"), r"bad\.csv row 1: expected UTF-8"),
    (GOOD + "3,\n", r'bad\.csv row 18: column "label": the target is missing'),
    (GOOD + "inf,a\n", r'bad\.csv row 18: column "x": expected a finite .* received inf'),
    (GOOD + "1e39,a\n", r'bad\.csv row 18: column "x": expected a finite'),
    (GOOD + '"3,a\n' + "4,a\n", r"bad\.csv row 18: a quote is opened and not closed"),
    ("label\na\nb\n", r"bad\.csv: no column but the target"),
    ("x,label\n1,a\n2,a\n", r"bad\.csv: expected at least two classes"),
    ("x,label\n" + "".join(f"1,n{n}\n" for n in range(1100)), r"over 1000 distinct values"),
    ("x,label\n1,\n2,\n", r"it has no values"),
]


@pytest.mark.parametrize(("text", "message"), BAD_CSV)
def test_broken_csv_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path / "bad.csv", text)
    with pytest.raises(InvalidData, match=message):
        Dataset.open(path)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (GOOD, "x,label\n1,a\n2,c\n", r'test\.csv row 3: .*label "c" is not among'),
        (GOOD, "x\n1\n", r'test\.csv: column "label" is missing'),
        (GOOD, "x,z,label\n1,2,a\n", r'test\.csv: column "z" is not in the training'),
        (GOOD.replace("a", "0").replace("b", "1"), "x,lobel\n1,2\n", "test.csv: column"),
    ],
)
def test_a_test_file_that_does_not_fit(tmp_path: Path, train: str, test: str, message: str) -> None:
    write(tmp_path / "set" / "train.csv", train)
    write(tmp_path / "set" / "test.csv", test)
    with pytest.raises(InvalidData, match=message):
        Dataset.open(tmp_path / "set")


def test_a_quantity_that_is_text_in_the_test_file(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n / 7}\n" for n in range(50))
    write(tmp_path / "set" / "train.csv", "x,y\n" + rows)
    write(tmp_path / "set" / "test.csv", "x,y\n1,2\n1,two\n")
    with pytest.raises(InvalidData, match=r'test\.csv row 3: column "y": expected a number.*"two"'):
        Dataset.open(tmp_path / "set")


def test_a_stray_word_among_many_numbers_is_noted(tmp_path: Path) -> None:
    rows = [f"{n / 3},{n % 2}" for n in range(1200)]
    rows[700] = "oops,1"
    data = Dataset.open(
        write(
            tmp_path / "a.csv",
            "x,z,label\n" + "".join(f"{n},{row}\n" for n, row in enumerate(rows)),
        )
    )
    assert any(f'"oops" in {tmp_path / "a.csv"} row 702' in note for note in data.notes)


def test_an_index_without_a_name_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ",x,label\n" + "".join(f"{n},{n},{n % 2}\n" for n in range(9)))
    data = Dataset.open(path)
    assert [column.name for column in data.preprocess.columns] == ["x"]
    assert any("column 1 of a.csv has no name" in note for note in data.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"x": 1, "label": "a"}\n{"x": 1,\n', r"bad\.jsonl row 2: expected a JSON object"),
        ('{"x": 1, "label": "a"}\n\n[1, 2]\n', r"bad\.jsonl row 3: expected a JSON object"),
        ('{"x": 1, "label": "a"}\n{"x": "b", "label": "a"}\n', r'row 2: field "x": .*received "b"'),
        ('{"x": {"y": {"z": 1}}, "label": "a"}\n', r'row 1: field "x.y": .*received an object'),
        ('{"x": [1], "label": "a"}\n', r'row 1: field "x": .*received a list of others'),
        ('{"x": 1, "label": "a"}\n{"x": 2}\n', r'row 2: column "label": the target is missing'),
        ('{"x": true, "label": "a"}\n{"x": 2}\n', r'row 2: field "x": expected true or false'),
        (b'{"x": 1, "label": "\xff"}\n', r"bad\.jsonl row 1"),
        ("", r"bad\.jsonl: the file is empty"),
        ("{}\n", r"bad\.jsonl: the file is empty"),
    ],
)
def test_broken_json_lines_are_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InvalidData, match=message):
        Dataset.open(write(tmp_path / "bad.jsonl", text))


def test_broken_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"x": list(range(5000)), "label": ["a", "b"] * 2500}), path)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InvalidData, match=r"bad\.parquet: not a whole Parquet file"):
        Dataset.open(path)
    path.write_bytes(raw[:20] + b"\xff" * 40 + raw[60:])
    with pytest.raises(InvalidData, match=r"bad\.parquet: broken after row 0"):
        Dataset.open(path)


def test_parquet_types_that_are_no_numbers_are_noted(tmp_path: Path) -> None:
    table = pa.table(
        {
            "long ago": pa.array([1, 2] * 5, pa.duration("s")),
            "half": pa.array([1.5, 2] * 5, pa.float16()),
            "big": pa.array([2**60, None] * 5, pa.int64()),
            "word": pa.array(["b", "a"] * 5).dictionary_encode(),
            "long": pa.array(["b", "a"] * 5, pa.large_string()),
            "label": pa.array([True, False] * 5),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    data = Dataset.open(tmp_path / "a.parquet")
    assert [column.name for column in data.preprocess.columns] == ["half", "big", "word", "long"]
    assert any("duration" in note for note in data.notes)
    assert data.labels == ("false", "true")
    first = data.train.whole.column(0).to_pylist()[0]
    assert first == [1.5, float(2**60), 1.0, 1.0]


def test_parquet_types_that_differ_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name, values in (("train", [1, 2]), ("test", ["1", "2"])):
        pq.write_table(
            pa.table({"x": values * 5, "label": ["a", "b"] * 5}),
            tmp_path / "set" / f"{name}.parquet",
        )
    with pytest.raises(InvalidData, match=r'test\.parquet: column "x": expected number'):
        Dataset.open(tmp_path / "set")


def test_files_whose_names_say_no_split(tmp_path: Path) -> None:
    for name in ("train", "extra"):
        write(tmp_path / "set" / f"{name}.csv", GOOD)
    with pytest.raises(InvalidData, match=r"extra\.csv: its name says no split"):
        Dataset.open(tmp_path / "set")


cells = st.floats(width=32, allow_infinity=False, allow_nan=True)


@given(st.lists(st.tuples(cells, st.sampled_from("ab")), min_size=2, max_size=40))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_come_back_as_they_were(tmp_path: Path, rows: list[tuple[float, str]]) -> None:
    if len({label for _, label in rows}) < 2 or all(np.isnan(x) for x, _ in rows):
        return
    text = "x,label\n" + "".join(f"{'' if np.isnan(x) else repr(x)},{y}\n" for x, y in rows)
    data = Dataset.open(write(tmp_path / "h.csv", text))
    found = np.array(data.train.whole.column(0).to_pylist(), np.float32)[:, 0]
    np.testing.assert_array_equal(found, np.array([x for x, _ in rows], np.float32))
