"""Labels for rows that have none: which come first, what is kept, what becomes of them."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numen.api.data import library
from numen.api.labelling import Session, pseudo_label
from numen.api.model import Model
from numen.api.pool import doubt
from numen.api.train import train
from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.data.dataset import Dataset

CLASSES = ("dark", "light")
TIMES = count()


def picture(path: Path, level: int, seed: int) -> Path:
    """A grey picture of 6 x 6 about as light as `level`, no two the same."""
    noise = np.random.default_rng(seed).integers(-12, 12, (6, 6))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(level + noise, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two data sets, `tones` of pictures and `table`, and a model of each."""
    home: Path = tmp_path_factory.mktemp("labelling")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(home))
        for place, kind in enumerate(CLASSES):
            for i in range(30):
                picture(home / "tones" / kind / f"{i}.png", 60 + 120 * place, i + 100 * place)
        library().add("tones", [home / "tones"])
        source = np.random.default_rng(0)
        a = source.normal(size=200)
        colours = source.choice(["red", "blue"], 200)
        lines = [f"{x:.4f},{c},{'yes' if x > 0 else 'no'}" for x, c in zip(a, colours, strict=True)]
        (home / "table.csv").write_text("a,colour,target\n" + "\n".join(lines) + "\n")
        library().add("table", [home / "table.csv"])
        train("tones", "forest", name="tones", epochs=20)
        train("table", "forest", name="table", epochs=20)
    return home


@pytest.fixture(autouse=True)
def here(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(home))


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """Six pictures without a label: sure dark ones, sure light ones, and two between."""
    seed = 1000 + 10 * next(TIMES)  # rows that were labelled are not asked for again
    for i, level in enumerate((50, 70, 118, 122, 175, 190)):
        picture(tmp_path / "new" / f"{i}.png", level, seed + i)
    return tmp_path / "new"


def test_doubt_is_nothing_when_sure_and_all_when_alike() -> None:
    for by in ("margin", "entropy"):
        assert doubt(np.array([1.0, 0, 0], np.float32), by) == pytest.approx(0, abs=1e-6)
        assert doubt(np.full(3, 1 / 3, np.float32), by) == pytest.approx(1, abs=1e-6)
    close, spread = np.array([0.5, 0.5, 0, 0]), np.array([0.4, 0.2, 0.2, 0.2])
    assert doubt(close, "margin") > doubt(spread, "margin")
    assert doubt(close, "entropy") < doubt(spread, "entropy")


def test_the_least_sure_come_first_and_become_the_next_version(home: Path, new: Path) -> None:
    before = library().open("tones")
    session = Session("tones", "tones", [new])
    model = Model(session_model("tones").bundle)
    seen: list[Any] = []
    while (row := session.next()) is not None:
        seen.append(row)
        session.answer(
            row.key, None if row.origin == "0.png" else CLASSES[int(row.row.mean() > 120)]
        )
    doubts = [session.doubt(row) for row in seen]
    assert doubts == sorted(doubts, reverse=True)
    assert {row.origin for row in seen[:2]} == {"2.png", "3.png"}
    for row in seen:
        said = np.asarray(model.predict(new / row.origin))[0]
        np.testing.assert_allclose(row.scores, said, atol=1e-6)
    assert session.counts() == {"labelled": 5, "skipped": 1}
    added = session.finish()
    assert added is not None
    assert (added.version.version, added.new) == (2, True)
    after = library().open("tones")
    assert len(after.train) == len(before.train) + 5
    # What it is judged by stays what it was, and so does the version before.
    np.testing.assert_array_equal(pixels(after, "test"), pixels(before, "test"))
    np.testing.assert_array_equal(pixels(after, "train")[:-5], pixels(before, "train"))
    assert library().open("tones@1").digest == before.digest
    wanted = {row.row.tobytes(): CLASSES[int(row.row.mean() > 120)] for row in seen}
    for row, target in zip(pixels(after, "train")[-5:], after.train.target[-5:], strict=True):
        assert wanted[row.tobytes()] == CLASSES[target]
    assert "5 rows were labelled by hand where tones@1" in after.notes[-1]
    assert session.finish() is None


def session_model(name: str) -> Model:
    from numen.api.workspace import load

    return load(name)


def pixels(dataset: Dataset, split: str) -> np.ndarray:
    return dataset.splits[split].arrays().inputs["image"]


def test_what_was_answered_is_there_after_a_stop(new: Path) -> None:
    session = Session("tones", "tones", [new])
    first, order = session.next(), []
    assert first is not None
    session.answer(first.key, "dark")
    second = session.next()
    assert second is not None
    session.answer(second.key, "light")
    assert session.undo() == second
    assert session.next() == second
    order = [first.key, second.key]
    journal = Path(os.environ["NUMEN_HOME"]) / "labelling" / "tones" / "answers.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"key": "cut by a cra')
    again = Session("tones", "tones", [new])
    assert again.counts() == {"labelled": 1, "skipped": 0}
    found = again.next()
    assert found is not None
    assert found.key == order[1]
    assert len(library().versions("tones")) == 2
    # A finish that is cut short before its answers are put away adds nothing twice.
    kept = journal.read_bytes()
    again.answer(found.key, "light")
    kept = journal.read_bytes()
    added = again.finish()
    assert added is not None
    done = added.version.version
    base = b'{"base":%d}\n' % (done - 1)
    journal.write_bytes(kept + base)
    twice = Session("tones", "tones", [new]).finish()
    assert twice is not None
    assert (twice.version.version, twice.new) == (done, False)
    assert Session("tones", "tones", [new]).counts() == {"labelled": 0, "skipped": 0}


def test_answers_to_other_files_wait_for_them(new: Path, tmp_path: Path) -> None:
    other = [
        picture(tmp_path / "other" / f"{i}.png", level, 2000 + i)
        for i, level in ((0, 80), (1, 150))
    ]
    first = Session("tones", "tones", [new], most=3)
    assert first.total == 3  # of six
    for _ in range(3):
        row = first.next()
        assert row is not None
        first.answer(row.key, "dark")
    second = Session("tones", "tones", other)
    assert second.counts() == {"labelled": 0, "skipped": 0}
    row = second.next()
    assert row is not None
    second.answer(row.key, "light")
    count = len(library().open("tones").train)
    assert second.finish() is not None
    assert len(library().open("tones").train) == count + 1
    third = Session("tones", "tones", [new], most=1)
    assert third.counts() == {"labelled": 3, "skipped": 0}
    assert third.total == 4  # those answered, and one more
    assert third.finish() is not None
    assert len(library().open("tones").train) == count + 4
    assert Session("tones", "tones", [new]).counts() == {"labelled": 0, "skipped": 0}


def test_two_at_once_lose_nothing(new: Path) -> None:
    one, other = Session("tones", "tones", [new]), Session("tones", "tones", [new])
    for session, label in ((one, "dark"), (other, "light"), (one, None)):
        row = session.next()
        assert row is not None
        session.answer(row.key, label)
    assert one.counts() == other.counts() == {"labelled": 2, "skipped": 1}
    before = len(library().open("tones").train)
    assert one.finish() is not None
    assert len(library().open("tones").train) == before + 2
    assert other.finish() is None  # there is nothing left to add
    seen = set()
    while (row := other.next()) is not None:
        other.answer(row.key, "dark")
        seen.add(row.key)
    assert len(seen) == 4  # those not answered, and the one passed over
    assert other.total == 4
    assert Session("tones", "tones", [new]).counts() == {"labelled": 4, "skipped": 0}
    assert other.finish() is not None
    assert Session("tones", "tones", [new]).total == 0  # nobody is asked twice


def test_a_model_labels_what_it_is_sure_of(home: Path, tmp_path: Path) -> None:
    rows = [(3.0, "red"), (-3.0, "blue"), (0.0, "red"), (2.5, "blue")]
    file = tmp_path / "new.csv"
    file.write_text("colour,a\n" + "".join(f"{c},{a}\n" for a, c in rows))
    before = library().open("table")
    done = pseudo_label("table", "table", [file], above=0.9)
    assert done.looked == 4
    assert done.counts["yes"] >= 1
    assert sum(done.counts.values()) < 4
    assert done.added is not None
    after = library().open("table")
    count = sum(done.counts.values())
    assert len(after.train) == len(before.train) + count
    values = after.train.arrays().inputs["features"][-count:]
    labels = [after.labels[place] for place in after.train.target[-count:]]  # type: ignore[index]
    assert (values[0].tolist(), labels[0]) == ([3.0, 1.0], "yes")
    assert "labelled by table@1" in after.notes[-1]
    assert "at least 0.9 sure" in after.notes[-1]
    assert "new.csv" in after.notes[-1]
    session = Session("table", "table", [file])
    while (row := session.next()) is not None:  # a person knows better
        session.answer(row.key, "no" if row.row[0] == 3 else None)
    again = pseudo_label("table", "table", [file], above=0.9)
    assert again.counts == {**done.counts, "yes": done.counts["yes"] - 1}
    with pytest.raises(InvalidInput, match="above"):
        pseudo_label("table", "table", [file], above=0)


def test_what_does_not_fit_is_refused_and_adds_nothing(new: Path, tmp_path: Path) -> None:
    before = [len(library().versions(name)) for name in ("tones", "table")]
    with pytest.raises(InvalidInput, match="expected a model of no, yes"):
        Session("table", "tones", [tmp_path])
    with pytest.raises(InvalidInput, match="received none"):
        Session("tones", "tones", [])
    with pytest.raises(NotFound, match="does not exist"):
        Session("tones", "tones", [tmp_path / "nowhere"])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(InvalidData, match=r"broken\.png"):
        Session("tones", "tones", [broken])
    for name, text, said in (
        ("missing.csv", "a\n1\n", "colour"),
        ("word.csv", "a,colour\nx,red\n", "expected a finite number"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InvalidData, match=said):
            pseudo_label("table", "table", [tmp_path / name])
    session = Session("tones", "tones", [new])
    row = session.next()
    assert row is not None
    with pytest.raises(InvalidInput, match="expected one of dark, light"):
        session.answer(row.key, "grey")
    with pytest.raises(NotFound, match="no row"):
        session.answer("0000", "dark")
    assert [len(library().versions(name)) for name in ("tones", "table")] == before
