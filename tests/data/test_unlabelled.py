"""Rows without a label, read as those of a data set are, and added to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import sing

from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.data.dataset import Dataset
from numen.data.library import Library
from numen.data.reading import Reading
from numen.data.unlabelled import read


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def tones(tmp_path: Path, library: Library) -> Dataset:
    for name, hertz in (("high", 2_000), ("low", 300)):
        for number in range(6):
            sing(tmp_path / "tones" / name / f"{number}.wav", hertz, seed=number)
    library.add("tones", [tmp_path / "tones"])
    return library.open("tones")


@pytest.fixture
def reviews(tmp_path: Path, library: Library) -> Dataset:
    said = [("a quiet film of much", "good"), ("two dull hours of it", "bad")]
    rows = [{"said": f"{text} {n}", "label": label} for n in range(9) for text, label in said]
    library.add("reviews", [jsonl(tmp_path / "reviews.jsonl", rows)])
    return library.open("reviews")


@pytest.fixture
def visits(tmp_path: Path, library: Library) -> Dataset:
    words = ["liked", "the", "last", "level", "very", "much", "not", "at", "all"]
    rows = [
        {
            "age": n, "by": ["bus", "car"][n % 2], "when": f"2024-01-{n % 28 + 1:02}",
            "note": " ".join(np.random.default_rng(n).choice(words, 6)), "stays": ["no", "yes"][n > 30],
        }
        for n in range(60)
    ]  # fmt: skip
    library.add("visits", [jsonl(tmp_path / "visits.jsonl", rows)])
    return library.open("visits")


def test_sounds_are_as_those_learnt_from(tones: Dataset, library: Library, tmp_path: Path) -> None:
    new = tmp_path / "new" / "deep"
    new.mkdir(parents=True)
    shutil.copy(tmp_path / "tones" / "low" / "3.wav", new / "a.wav")
    shutil.copy(new / "a.wav", new / "b.wav")  # the same once more
    sing(new / "c.wav", 900, seed=9)
    (new / "notes.txt").write_text("no sound")
    found = list(read([tmp_path / "new"], tones))
    assert [row.origin for row in found] == ["a.wav", "c.wav"]
    library.extend("tones", [row.row for row in found], [1, 0], "two by hand")
    after = library.open("tones")
    before = {row.tobytes() for row in tones.train.arrays().inputs["audio"]}
    before |= {row.tobytes() for row in tones.test.arrays().inputs["audio"]}
    *_, a, c = after.train.arrays().inputs["audio"]
    assert after.train.target[-2:].tolist() == [1, 0]
    assert a.tobytes() in before
    assert c.tobytes() not in before
    np.testing.assert_array_equal(
        after.test.arrays().inputs["audio"], tones.test.arrays().inputs["audio"]
    )
    assert len(after.train) == len(tones.train) + 2
    with pytest.raises(InvalidInput, match="expected rows"):
        library.extend("tones", [np.zeros(10**6, np.int16)], [0], "too long")
    with pytest.raises(InvalidInput, match="expected rows"):
        library.extend("tones", [np.zeros(100, np.float32)], [0], "of another type")
    (new / "d.wav").write_bytes(b"RIFF and nothing more")
    with pytest.raises(InvalidData, match=r"d\.wav"):
        list(read([new], tones))


def test_texts_of_tables_and_of_files(reviews: Dataset, library: Library, tmp_path: Path) -> None:
    one = jsonl(
        tmp_path / "one.jsonl",
        [{"id": n, "text": text} for n, text in enumerate(["so-so", " ", "ünlike\nit", "so-so"])],
    )
    other = tmp_path / "other.csv"
    other.write_text('id,said\n1,"quite long, and dull in its middle"\n')
    (tmp_path / "a.txt").write_text("from a file")
    found = list(read([one, other, tmp_path / "a.txt"], reviews))
    assert [(row.origin, row.row[0]) for row in found] == [
        ("one.jsonl row 1", "so-so"),
        ("one.jsonl row 3", "ünlike\nit"),
        ("other.csv row 2", "quite long, and dull in its middle"),
        ("a.txt", "from a file"),
    ]
    library.extend("reviews", [row.row for row in found], [0, 1, 0, 1], "four by hand")
    after = library.open("reviews")
    texts = after.train.arrays().inputs["text"][:, 0].tolist()
    assert texts[-4:] == [row.row[0] for row in found]
    assert texts[:-4] == reviews.train.arrays().inputs["text"][:, 0].tolist()
    assert after.train.target[-4:].tolist() == [0, 1, 0, 1]
    two = jsonl(tmp_path / "two.jsonl", [{"title": "one of two", "body": "another of two"}])
    with pytest.raises(InvalidData, match='expected a column "text" or one other'):
        list(read([two], reviews))
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(InvalidData, match="UTF-8"):
        list(read([tmp_path / "latin.txt"], reviews))


def test_rows_of_a_table_are_coded_as_when_learning(
    visits: Dataset, library: Library, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (tmp_path / "visits.jsonl").read_text().splitlines()]
    learnt = visits.train.arrays()
    found = list(read([tmp_path / "visits.jsonl"], visits))
    known = {row.tobytes() for row in learnt.inputs["features"]}
    assert sum(row.row.tobytes() in known for row in found) >= len(learnt) - 1
    assert found[3].fields == {name: rows[3][name] for name in ("age", "by", "when", "note")}
    library.extend("visits", [row.row for row in found[:2]], [0, 1], "two by hand")
    assert len(library.open("visits").train) == len(visits.train) + 2
    for fields, said in (
        ({"by": "ufo"}, 'row 1: field "by": expected one of bus, car, received "ufo"'),
        ({"when": "soon"}, 'row 1: field "when": expected a date'),
        ({"age": "old"}, 'row 1: field "age": expected a finite number'),
    ):
        wrong = jsonl(tmp_path / "wrong.jsonl", [{**rows[0], **fields}])
        with pytest.raises(InvalidData, match=said):
            list(read([wrong], visits))
    lacking = jsonl(tmp_path / "lacking.jsonl", [{"age": 1}])
    with pytest.raises(InvalidData, match='column "by" is missing'):
        list(read([lacking], visits))
    gap = jsonl(tmp_path / "gap.jsonl", [{**rows[0], "age": None, "by": "NA", "note": None}])
    (row,) = read([gap], visits)
    assert np.isnan(row.row[:2]).all()
    assert not np.isnan(row.row[-128:]).any()  # no words are words, too


def test_what_is_not_there_or_of_another_kind_is_refused(tones: Dataset, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="nothing to label"):
        read([tmp_path / "empty"], tones)
    with pytest.raises(NotFound, match="does not exist"):
        read([tmp_path / "nowhere"], tones)
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(InvalidInput, match=r"a\.csv: expected .*\.wav"):
        read([tmp_path / "a.csv"], tones)


def test_rows_divided_by_a_group_take_no_labelled_ones(library: Library, tmp_path: Path) -> None:
    rows = [{"a": n / 7, "who": f"p{n % 6}", "target": "xy"[n % 2]} for n in range(60)]
    path = jsonl(tmp_path / "people.jsonl", rows)
    library.add("people", [path], Reading(group="who"))
    with pytest.raises(InvalidInput, match='divided by "who"'):
        library.extend("people", [np.zeros(1, np.float32)], [0], "by hand")
    assert len(library.versions("people")) == 1
