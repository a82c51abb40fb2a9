"""The profile finds what was planted, and shows it."""

from __future__ import annotations

import io
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from data_files import IdxFolder
from hypothesis import given
from hypothesis.extra import numpy as arrays
from rich.console import Console

from numen.core.errors import InvalidInput, NotFound
from numen.data.dataset import Dataset
from numen.data.look import Moments, fingerprints
from numen.data.picture import contact_sheet, halfblocks, render, render_samples
from numen.data.profile import examine, read_profile


def text(renderable: object, colours: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=160,
        force_terminal=colours,
        color_system="truecolor" if colours else None,
    )
    console.print(renderable)
    return console.file.getvalue()


@pytest.fixture
def planted(tmp_path: Path) -> Dataset:
    """Two clouds of points, with mistakes put in by hand."""
    random = np.random.default_rng(5)
    lines = []
    for number in range(200):
        label = number % 2
        x, y = random.normal(label * 20, 1, 2)
        lines.append(f"{x:.5f},{y:.5f},7,{'ab'[label]}")
    lines[10] = "0.1,0.2,7,b"  # lies among the a
    lines[20] = lines[22] = lines[24] = "0.3,0.3,7,a"
    lines[31] = "0.3,0.3,7,b"  # equal to three a
    lines[40] = "0.5,,7,a"  # a missing value
    train = tmp_path / "set" / "train.csv"
    train.parent.mkdir()
    train.write_text("x,y,same,label\n" + "\n".join(lines) + "\n")
    shared = "\n".join([lines[50], lines[51], "1.25,2.5,7,a"])
    (tmp_path / "set" / "test.csv").write_text(f"x,y,same,label\n{shared}\n")
    return Dataset.open(tmp_path / "set")


def test_planted_mistakes_are_found(planted: Dataset) -> None:
    profile = examine(planted)
    assert profile.rows == {"train": 200, "test": 3}
    assert profile.repeated == {"train": 3, "test": 0}
    assert profile.shared == 2
    assert [column.missing for column in profile.schema] == [0, 1, 0]
    found = {(s.split, s.row): s for s in profile.suspicious}
    same, odd = found["train", 31], found["train", 10]
    assert (same.label, same.suggestion, same.reason, same.votes, same.of) == (
        "b",
        "a",
        "same input",
        3,
        4,
    )
    assert (odd.label, odd.suggestion, odd.reason) == ("b", "a", "others")
    assert profile.suspicious_total == len(found) == 2
    assert any('"same" is 7 in every training row' in note for note in profile.notes)
    assert any("2 test rows are also training rows" in note for note in profile.notes)


def test_divided_rows_are_all_listed_without_a_suggestion(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,label\n" + "1,a\n1,b\n2,a\n3,b\n" * 1 + "4,b\n" * 6)
    (tmp_path / "set").mkdir()
    for name in ("train", "test"):
        (tmp_path / "set" / f"{name}.csv").write_text(path.read_text())
    profile = examine(Dataset.open(tmp_path / "set"))
    assert profile.suspicious_total == 4
    assert {each.suggestion for each in profile.suspicious} == {""}


def test_statistics(planted: Dataset) -> None:
    column = examine(planted).schema[1]
    (values,) = planted.train.arrays().inputs.values()
    y = values[:, 1].astype(np.float64)
    assert column.mean == pytest.approx(np.nanmean(y))
    assert column.std == pytest.approx(np.nanstd(y))
    assert (column.min, column.max) == (np.nanmin(y), np.nanmax(y))


def test_a_quantity(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{n},{n * 0.5}\n" for n in range(100)))
    profile = examine(Dataset.open(path))
    assert profile.labels is None
    assert profile.quantity is not None
    assert profile.quantity.max is not None
    assert profile.suspicious == ()
    assert "a quantity" in text(render(profile))


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.floats(-9, 9)),
    st.integers(1, 7),
)
def test_moments_do_not_depend_on_the_batches(values: np.ndarray, size: int) -> None:
    moments = Moments()
    for start in range(0, len(values), size):
        moments.add(values[start : start + size])
    found = moments.of(1)
    assert found["mean"] == pytest.approx(values[:, 1].mean(), abs=1e-9)
    assert found["std"] == pytest.approx(values[:, 1].std(), abs=1e-7)


def test_fingerprints_tell_rows_apart() -> None:
    rows = np.random.default_rng(1).integers(0, 2, (5000, 29)).astype(np.uint8)
    rows[17] = rows[4000]
    _, exact = np.unique(rows, axis=0, return_inverse=True)
    _, found = np.unique(fingerprints(rows), return_inverse=True)
    assert len(np.unique(exact)) == len(np.unique(found))
    assert fingerprints(rows)[17] == fingerprints(rows)[4000]


def test_the_profile_is_shown(planted: Dataset) -> None:
    shown = text(render(examine(planted), "planted@1"))
    for word in ("planted@1", "sha256:", "train 200", "█", "missing", "Labels to look at", "• "):
        assert word in shown
    assert "3 of 4 equal rows say so" in shown


def test_rows_of_a_table_are_shown(planted: Dataset) -> None:
    shown = text(render_samples(planted, 41))
    assert "missing" in shown
    with pytest.raises(InvalidInput, match="it is a table"):
        contact_sheet(planted)


def test_pictures_are_shown(digits: IdxFolder) -> None:
    data = Dataset.open(digits.folder)
    assert text(render_samples(data, 4), colours=True).count("▀") == 4 * 5 * 3
    plain = text(render_samples(data, 4))  # where there are no colours, ink is density
    assert "▀" not in plain
    assert sum(plain.count(ink) for ink in ".:-=+*#%@") > 20
    sheet = contact_sheet(data, rows=3, side=12)
    assert sheet.size == (4 + 4 * (10 + 4), 18 + 3 * (12 + 4))
    assert len(sheet.getcolors(1 << 16) or []) > 10


def test_halfblocks_show_two_pixels_a_character() -> None:
    shown = halfblocks(np.array([[255, 0], [0, 255], [9, 9]], np.uint8))
    assert shown.plain == "▀▀\n▀▀\n"
    assert [str(span.style) for span in shown.spans] == [
        "#ffffff on #000000",
        "#000000 on #ffffff",
        "#090909 on #000000",
        "#090909 on #000000",
    ]


def test_no_profile(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"profile\.json"):
        read_profile(tmp_path)
