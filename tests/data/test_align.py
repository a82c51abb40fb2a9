"""Rows coded as a model would have coded them: by name, whatever their own codes are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Column, ColumnsInput, Regression
from numen.data.align import align
from numen.data.dataset import Dataset


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    rows = ["width,colour,kind"]
    rows += [f"{i},{['red', 'green', 'pink'][i % 3]},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    return Dataset.open(tmp_path / "t.csv")


def test_columns_categories_and_labels_go_by_name(data: Dataset) -> None:
    how = ColumnsInput("features", (Column("colour", ("green", "blue", "red")), Column("width")))
    seen = align(data, how, Classification("p", ("b", "x", "a")))
    assert seen.preprocess == how
    assert seen.labels == ("b", "x", "a")
    for name, split in seen.splits.items():
        before, after = data.splits[name].arrays(), split.arrays()
        width, colour = before.inputs["features"].T
        names = np.array(data.preprocess.columns[1].categories)[colour.astype(int)]
        code = {"green": 0.0, "red": 2.0, "pink": np.nan}
        np.testing.assert_array_equal(after.inputs["features"][:, 1], width)
        np.testing.assert_array_equal(after.inputs["features"][:, 0], [code[n] for n in names])
        np.testing.assert_array_equal(after.target, np.where(before.target == 0, 2, 0))
        first = next(iter(split.batches(5)))
        np.testing.assert_array_equal(first.inputs["features"], after.inputs["features"][:5])
        assert len(split.divide(0.5, 0)[0]) + len(split.divide(0.5, 0)[1]) == len(split)


def test_what_fits_is_left_alone(data: Dataset) -> None:
    assert align(data, data.preprocess, Classification("p", data.labels)) is data
    assert align(data, None, Classification("p", ("0", "1"))) is data  # names never given


@pytest.mark.parametrize(
    ("how", "labels", "said"),
    [
        (ColumnsInput("features", (Column("depth"),)), ("a", "b"), '"depth", the data have width'),
        (ColumnsInput("features", (Column("colour"),)), ("a", "b"), "expected a number"),
        (None, ("a", "c"), "the data have b"),
        (None, None, "the model tells a quantity"),
    ],
)
def test_what_only_one_has_is_named(data: Dataset, how, labels, said: str) -> None:
    reading = Regression("v") if labels is None else Classification("p", labels)
    with pytest.raises(InvalidInput, match=said):
        align(data, how, reading)


def test_rows_taught_otherwise(data: Dataset) -> None:
    part = data.train.take(np.arange(10, 30))
    shares = np.random.default_rng(0).random((20, 2)).astype(np.float32)
    taught = part.taught(shares)
    np.testing.assert_array_equal(taught.arrays().target, shares)
    np.testing.assert_array_equal(taught.target, shares)
    batch = next(iter(taught.batches(8, seed=1)))
    order = np.random.default_rng(1).permutation(20)[:8]
    np.testing.assert_array_equal(batch.target, shares[order])
    np.testing.assert_array_equal(batch.inputs["features"], part.arrays().inputs["features"][order])
    one, other = taught.divide(0.25, 0)
    assert (len(one), len(other)) == (15, 5)
