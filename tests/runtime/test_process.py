"""Rows and windows of named fields as a caller sends them."""

from __future__ import annotations

import numpy as np
import pytest

from numen.core.errors import InvalidInput
from numen.core.manifest import Column, ColumnsInput, Manifest, Variant, WindowInput
from numen.core.signature import Signature, TensorSpec
from numen.runtime.process import encode_fields, read_input

COLUMNS = (
    Column("age"), Column("city", ("Bonn", "Köln")), Column("day", date="dmy"),
    Column("note", words=4),
)  # fmt: skip
WIDTH = 1 + 1 + 5 + 4


def manifest(how: ColumnsInput | WindowInput) -> Manifest:
    spec = TensorSpec("x", "float32", (None, *how.shape), missing=True)
    output = TensorSpec("y", "float32", (None, 1))
    return Manifest(
        Signature((spec,), (output,)), (Variant("v", "onnx", "m.onnx"),), preprocess=how
    )


def test_fields_take_their_places() -> None:
    how = ColumnsInput("x", COLUMNS, ignored=("id",))
    rows = [{"age": "41", "city": "Köln", "day": "01.02.1970", "id": 7}, {"note": "a b c d e f"}]
    (one, two) = encode_fields(rows, how)["x"]
    assert one[:7].tolist() == [41, 1, 31, 2, 1, 6, 0]
    assert one[7:].tolist() == [0, 0, 0, 0]
    assert np.isnan(two[:7]).all()
    assert two[7:].sum() > 0


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidInput, match='field "aeg" is unknown: expected age, city, day, note'):
        encode_fields([{"aeg": 1}], ColumnsInput("x", COLUMNS, ignored=("id",)))


def test_a_list_of_objects_is_one_window() -> None:
    how = WindowInput("x", COLUMNS, 3)
    made = read_input(manifest(how), [{"age": 1}, {"age": 2}])["x"]
    assert made.shape == (1, 3, WIDTH)
    np.testing.assert_array_equal(made[0, :, 0], [np.nan, 1, 2])
    assert np.isnan(made[0, 0]).all(), "there was no row"
    latest = read_input(manifest(how), [{"age": n} for n in range(9)])["x"]
    assert latest[0, :, 0].tolist() == [6, 7, 8]


def test_a_list_of_lists_is_several_windows_and_one_object_a_window_of_one() -> None:
    how = WindowInput("x", COLUMNS, 2)
    made = read_input(manifest(how), [[{"age": 1}], [{"age": 2}, {"age": 3}]])["x"]
    np.testing.assert_array_equal(made[:, :, 0], [[np.nan, 1], [2, 3]])
    assert read_input(manifest(how), {"age": 4})["x"][0, 1, 0] == 4


@pytest.mark.parametrize("value", [[[{"age": 1}], []], [[{"age": 1}], [7]], [[{"age": 1}], {}]])
def test_windows_without_rows_are_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="window: expected a list of at least one object"):
        read_input(manifest(WindowInput("x", COLUMNS, 2)), value)


def test_numbers_do_as_well() -> None:
    how = WindowInput("x", (Column("age"),), 2)
    assert read_input(manifest(how), [[[1.0], [2.0]]])["x"].shape == (1, 2, 1)
    assert read_input(manifest(how), [[1.0], [2.0]])["x"].shape == (1, 2, 1)
