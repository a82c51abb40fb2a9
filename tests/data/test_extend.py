"""More training rows make the next version of a data set; what it had stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_files import IdxFolder, paint

from numen.core.errors import InvalidInput
from numen.data.dataset import Dataset
from numen.data.library import Library


def arrays(data: Dataset, split: str) -> tuple[np.ndarray, list[int]]:
    batch = data.splits[split].arrays()
    (inputs,) = batch.inputs.values()
    return inputs, batch.target.tolist()


def test_pictures_of_one_size(library: Library, tmp_path: Path) -> None:
    library.add("digits", [IdxFolder(tmp_path / "idx").folder])
    before = library.open("digits@1")
    more = np.arange(60, dtype=np.uint8).reshape(2, 6, 5)
    added = library.extend("digits", more, [3, 0], "two by hand")
    assert (added.version.version, added.new) == (2, True)
    after = library.open("digits")
    pixels, labels = arrays(before, "train")
    grown, named = arrays(after, "train")
    np.testing.assert_array_equal(grown, np.concatenate([pixels, more]))
    assert named == [*labels, 3, 0]
    np.testing.assert_array_equal(arrays(after, "test")[0], arrays(before, "test")[0])
    assert after.notes == (*before.notes, "two by hand")
    # The same once more, from the same version, is the same; from the next one it is not.
    again = library.extend("digits@1", more, [3, 0], "two by hand")
    assert (again.version.version, again.new) == (2, False)
    assert library.extend("digits", more, [3, 0], "two by hand").version.version == 3
    assert library.open("digits@1").digest == before.digest


def test_picture_files_and_the_rows_held_out(library: Library, tmp_path: Path) -> None:
    for i in range(20):
        paint(tmp_path / "shades" / "ab"[i % 2] / f"{i}.png", 60 + 100 * (i % 2), seed=i)
    library.add("shades", [tmp_path / "shades"])
    before = library.open("shades")
    assert before.held_out
    more = np.full((1, 6, 8), 7, np.uint8)
    library.extend("shades", more, [1], "one by hand")
    after = library.open("shades")
    assert not after.held_out  # they are told apart for good, so that no new row is among them
    assert after.encoded
    for split in ("train", "test"):
        pixels, labels = arrays(before, split)
        new = (more, [1]) if split == "train" else (more[:0], [])
        np.testing.assert_array_equal(arrays(after, split)[0], np.concatenate([pixels, new[0]]))
        assert arrays(after, split)[1] == [*labels, *new[1]]


def test_a_table_whose_new_row_lacks_a_value(library: Library, table: Path) -> None:
    library.add("iris", [table])
    width = library.open("iris").preprocess.shape[0]
    more = np.full((1, width), np.nan, np.float32)
    library.extend("iris", more, [1], "one by hand")
    after = library.open("iris")
    assert after.missing
    assert np.isnan(arrays(after, "train")[0][-1]).all()


@pytest.mark.parametrize(
    ("rows", "target"),
    [
        (np.zeros((1, 5, 6), np.uint8), [0]),
        (np.zeros((2, 6, 5), np.uint8), [0]),
        (np.zeros((0, 6, 5), np.uint8), []),
        (np.zeros((1, 6, 5), np.uint8), [4]),
        (np.zeros((1, 6, 5), np.uint8), [-1]),
    ],
)
def test_rows_of_another_form_are_refused(
    library: Library, tmp_path: Path, rows: np.ndarray, target: list[int]
) -> None:
    library.add("digits", [IdxFolder(tmp_path / "idx").folder])
    with pytest.raises(InvalidInput, match=r"expected (rows|classes)"):
        library.extend("digits", rows, target, "wrong")
    assert len(library.versions("digits")) == 1


def test_quantities_have_no_classes_to_add_to(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("a,target\n" + "".join(f"{i},{i / 7}\n" for i in range(20)))
    library.add("prices", [path])
    with pytest.raises(InvalidInput, match="expected one class a row"):
        library.extend("prices", np.zeros((1, 1), np.float32), [0], "wrong")
