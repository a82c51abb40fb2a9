"""Tables of texts and folders of text files become datasets of texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import ColumnsInput, TextInput
from numen.data.dataset import Dataset
from numen.data.library import Library
from numen.data.picture import render, render_samples

WORDS = [
    "the",
    "plot",
    "is",
    "thin",
    "but",
    "this",
    "film",
    "has",
    "a",
    "heart",
    "of",
    "gold",
    "and",
    "wit",
    "to",
    "spare",
]


def sentences(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, 6)) + f" naïve “{n}”" for n in range(count)]


def lines(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    rows = [
        {"id": n, "text": text, "label": ["bad", "good"][n % 2]}
        for n, text in enumerate(sentences(60))
    ]
    return lines(tmp_path / "reviews.jsonl", rows)


def texts_of(split) -> list[str]:
    return [text for batch in split.batches(7) for text in batch.inputs["text"][:, 0]]


def test_json_lines_of_texts(reviews: Path) -> None:
    data = Dataset.open(reviews)
    assert data.preprocess == TextInput("text")
    assert str(data.spec) == "string[?, 1]"
    assert data.labels == ("bad", "good")
    assert 'column "id" is left out: it numbers the rows' in data.notes
    assert sorted(texts_of(data.train) + texts_of(data.test)) == sorted(sentences(60))
    (batch,) = data.train.take([3, 1]).batches(8)
    assert batch.inputs["text"].dtype == object
    assert batch.inputs["text"].shape == (2, 1)
    assert [type(text) for text in batch.inputs["text"][:, 0]] == [str, str]
    shuffled = [next(data.train.batches(5, seed=s)).inputs["text"][0, 0] for s in (1, 1, 2)]
    assert shuffled[0] == shuffled[1]
    assert data.to_hf()[0]["text"] == texts_of(data.train)[0]


def test_other_tables_of_texts_are_the_same_data(tmp_path: Path, reviews: Path) -> None:
    rows = [json.loads(line) for line in reviews.read_text().splitlines()]
    columns = {name: [row[name] for row in rows] for name in ("text", "label")}
    pq.write_table(pa.table(columns), tmp_path / "reviews.parquet")
    quoted = ["text\tlabel", *(f"{row['text']}\t{row['label']}" for row in rows)]
    (tmp_path / "reviews.tsv").write_text("\n".join(quoted), encoding="utf-8")
    found = {
        Dataset.open(tmp_path / f"reviews.{end}").digest for end in ("parquet", "tsv", "jsonl")
    }
    assert len(found) == 1


def test_quantities(tmp_path: Path) -> None:
    rows = [{"text": text, "stars": n / 7} for n, text in enumerate(sentences(40))]
    data = Dataset.open(lines(tmp_path / "a.jsonl", rows))
    assert data.labels is None
    assert data.train.target.dtype == np.float32


def test_what_is_no_text(tmp_path: Path) -> None:
    names = [{"name": f"n{n}", "x": n / 3, "label": "ab"[n % 2]} for n in range(90)]
    data = Dataset.open(lines(tmp_path / "names.jsonl", names))
    assert isinstance(data.preprocess, ColumnsInput)
    mixed = [{"text": t, "x": n / 3, "label": "ab"[n % 2]} for n, t in enumerate(sentences(90))]
    data = Dataset.open(lines(tmp_path / "mixed.jsonl", mixed))
    assert not isinstance(data.preprocess, TextInput)


def test_what_is_said_goes_before_looks(tmp_path: Path) -> None:
    rows = [
        {"name": f"n{n}", "body": text, "label": "ab"[n % 2]}
        for n, text in enumerate(sentences(90))
    ]
    path = lines(tmp_path / "a.jsonl", rows)
    data = Dataset.open(path, columns={"name": "text", "body": "ignore"})
    assert texts_of(data.train)[0].startswith("n")
    empty = lines(tmp_path / "b.jsonl", [{"text": None, "label": "ab"[n % 2]} for n in range(9)])
    with pytest.raises(InvalidInput, match='"text" cannot be read as text: it has no values'):
        Dataset.open(empty, columns={"text": "text"})


def test_a_missing_text_is_empty_and_noted(tmp_path: Path) -> None:
    rows = [{"text": text, "label": "ab"[n % 2]} for n, text in enumerate(sentences(30))]
    del rows[4]["text"]
    data = Dataset.open(lines(tmp_path / "a.jsonl", rows))
    assert (texts_of(data.train) + texts_of(data.test)).count("") == 1
    assert any('1 rows have no "text"' in note for note in data.notes)


def folder(root: Path) -> Path:
    for split in ("train", "test"):
        for place, kind in enumerate(("ham", "spam")):
            for n, text in enumerate(sentences(5, seed=place)):
                path = root / split / kind / f"{n}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    return root


def test_folders_of_text_files(tmp_path: Path) -> None:
    root = folder(tmp_path / "mail")
    (root / "train" / "ham" / "0.txt").write_bytes(b"\xef\xbb\xbfhello")
    (root / "train" / "ham" / "notes.md").write_text("not one of them")
    data = Dataset.open(root)
    assert data.preprocess == TextInput("text")
    assert data.labels == ("ham", "spam")
    assert texts_of(data.train) == ["hello", *sentences(5)[1:], *sentences(5, seed=1)]
    assert len(data.test) == 10
    assert any("1 files are no .txt files, such as notes.md" in note for note in data.notes)
    digest = data.digest
    (root / "test" / "spam" / "0.txt").write_text("changed")
    assert Dataset.open(root).digest != digest


def test_broken_text_folders_are_named(tmp_path: Path) -> None:
    root = folder(tmp_path / "mail")
    (root / "test" / "spam" / "2.txt").write_bytes(b"one\ntwo caf\xe9")
    with pytest.raises(InvalidData, match=r"2\.txt row 2: expected UTF-8 text, found byte 0xe9"):
        Dataset.open(root)
    (root / "test" / "spam" / "2.txt").unlink()
    (root / "test" / "other").mkdir()
    (root / "test" / "other" / "1.txt").write_text("x")
    with pytest.raises(InvalidData, match='class "other" is not among those'):
        Dataset.open(root)
    with pytest.raises(InvalidInput, match='expected target "label"'):
        Dataset.open(root, target="kind")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "caf\xe9 au lait please", "label": "a"}', r"row 31"),
        (b'{"text": "half \\ud800 of a pair", "label": "a"}', r"row 31"),
        (b'{"text": 3, "label": "a"}', r'row 31: field "text": expected text'),
    ],
)
def test_broken_texts_are_named(tmp_path: Path, line: bytes, message: str) -> None:
    rows = [{"text": text, "label": "ab"[n % 2]} for n, text in enumerate(sentences(30))]
    path = lines(tmp_path / "bad.jsonl", rows)
    path.write_bytes(path.read_bytes() + b"\n" + line)
    with pytest.raises(InvalidData, match=r"bad\.jsonl " + message):
        Dataset.open(path)


def test_profile_and_samples(library: Library, tmp_path: Path) -> None:
    texts = [*sentences(40), sentences(40)[0], ""]
    rows = [{"text": text, "label": "ab"[n % 2]} for n, text in enumerate(texts)]
    profile = library.add("reviews", [lines(tmp_path / "a.jsonl", rows)]).profile
    assert profile.text is not None
    assert profile.schema[0].kind == "text"
    assert profile.text.empty == 1
    assert profile.text.words["max"] == 8
    assert profile.text.frequent[0][0] == "naïve"
    assert sum(profile.repeated.values()) + profile.shared >= 1
    assert "1 texts have no words" in profile.notes
    console = Console(width=100, record=True)
    console.print(render(profile, "reviews"))
    console.print(render_samples(library.open("reviews"), 5))
    shown = console.export_text()
    assert "naïve" in shown
    assert "different words" in shown
    assert library.profile("reviews") == profile
