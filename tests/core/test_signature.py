"""A Signature accepts what fits and says of the rest what was expected and what was received."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from numen.core.errors import InvalidInput, TooLarge
from numen.core.signature import (
    DATATYPES,
    MAX_ROWS,
    Array,
    Signature,
    TensorSpec,
    format_shape,
)

NUMBERS = sorted(set(DATATYPES.values()) - {"string"})
sizes = st.lists(st.integers(1, 4), min_size=0, max_size=3)


def fitting(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[Array]:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return arrays.arrays(
            kind,
            shape,
            elements=st.floats(width=kind.itemsize * 8, allow_nan=False, allow_infinity=False),
        )
    return arrays.arrays(kind, shape)


@st.composite
def specs_and_arrays(draw: st.DrawFn) -> tuple[TensorSpec, Array]:
    dtype = draw(st.sampled_from(NUMBERS))
    row = draw(sizes)
    rows = draw(st.integers(1, 5))
    array = draw(fitting(dtype, (rows, *row)))
    free = [draw(st.booleans()) for _ in row]
    shape = (None, *(None if any_ else size for size, any_ in zip(row, free, strict=True)))
    return TensorSpec("x", dtype, shape), array


@settings(deadline=None)
@given(specs_and_arrays())
def test_what_fits_is_accepted(case: tuple[TensorSpec, Array]) -> None:
    spec, array = case
    assert spec.check(array) == len(array)
    assert Signature((spec,), ()).check({"x": array}) == len(array)


@settings(deadline=None)
@given(specs_and_arrays(), st.sampled_from(NUMBERS))
def test_another_type_is_rejected_in_full(case: tuple[TensorSpec, Array], dtype: str) -> None:
    spec, array = case
    if dtype == spec.dtype:
        return
    with np.errstate(all="ignore"):
        other = np.zeros(array.shape, dtype)
    with pytest.raises(InvalidInput) as caught:
        spec.check(other)
    assert caught.value.message == (
        f'input "x": expected {spec.dtype}{format_shape(spec.shape)}, '
        f"received {dtype}{format_shape(array.shape)}"
    )
    assert caught.value.field == "x"
    assert caught.value.hint


@settings(deadline=None)
@given(specs_and_arrays(), st.data())
def test_another_shape_is_rejected(case: tuple[TensorSpec, Array], data: st.DataObject) -> None:
    spec, array = case
    fixed = [axis for axis, size in enumerate(spec.shape) if size is not None]
    if fixed and data.draw(st.booleans()):
        other = np.repeat(array, 2, axis=data.draw(st.sampled_from(fixed)))
    else:
        other = array[..., None] if data.draw(st.booleans()) else array[0]
    with pytest.raises(InvalidInput) as caught:
        spec.check(other)
    assert f"expected {spec}" in caught.value.message
    assert f"received {spec.dtype}{format_shape(other.shape)}" in caught.value.message


@settings(deadline=None)
@given(specs_and_arrays(), st.sampled_from([math.nan, math.inf, -math.inf]), st.data())
def test_one_value_that_is_not_finite_is_found(
    case: tuple[TensorSpec, Array], bad: float, data: st.DataObject
) -> None:
    spec, array = case
    if array.dtype.kind != "f":
        return
    where = tuple(data.draw(st.integers(0, size - 1)) for size in array.shape)
    array = array.copy()
    array[where] = bad
    with pytest.raises(InvalidInput) as caught:
        spec.check(array)
    assert caught.value.message == (
        f'input "x": expected finite values, received {bad} at {list(where)}'
    )


def test_missing_values_are_nan_and_nothing_else() -> None:
    spec = TensorSpec("x", "float32", (None, 2), missing=True)
    assert spec.check(np.array([[1, math.nan]], np.float32)) == 1
    for bad in (math.inf, -math.inf):
        with pytest.raises(InvalidInput, match=r"received -?inf at \[1, 0\]"):
            spec.check(np.array([[1, math.nan], [bad, 0]], np.float32))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_finite_values_are_accepted_though_their_squares_overflow(dtype: str) -> None:
    spec = TensorSpec("x", dtype, (None, 3))
    big = np.finfo(dtype).max
    assert spec.check(np.array([[big, -big, big]], dtype)) == 1
    assert spec.check(np.full((100, 3), big, dtype)) == 100


def test_arrays_that_lie_crosswise_in_memory_are_checked_as_well() -> None:
    spec = TensorSpec("x", "float32", (None, 4))
    crosswise = np.zeros((4, 6), np.float32).T
    assert spec.check(crosswise) == 6
    crosswise[5, 3] = np.nan
    with pytest.raises(InvalidInput, match=r"at \[5, 3\]"):
        spec.check(crosswise)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InvalidInput, match='input "x": expected at least one row, received none'):
        TensorSpec("x", "int8", (None, 2)).check(np.zeros((0, 2), np.int8))


def test_too_many_rows_are_refused() -> None:
    spec = TensorSpec("x", "int8", (None,))
    assert spec.check(np.zeros(MAX_ROWS, np.int8)) == MAX_ROWS
    with pytest.raises(TooLarge, match=rf"at most {MAX_ROWS} rows, received {MAX_ROWS + 1}"):
        spec.check(np.zeros(MAX_ROWS + 1, np.int8))


def test_strings_are_objects() -> None:
    spec = TensorSpec("text", "string", (None,))
    assert spec.datatype == "BYTES"
    assert spec.check(np.array(["a", "bc"], object)) == 2
    with pytest.raises(InvalidInput, match=r"expected string\[\?\], received float32\[1\]"):
        spec.check(np.zeros(1, np.float32))


def test_a_scalar_is_one_row() -> None:
    assert TensorSpec("x", "float32", ()).check(np.array(1, np.float32)) == 1


@pytest.mark.parametrize("datatype", sorted(DATATYPES))
def test_types_have_the_protocols_names(datatype: str) -> None:
    assert TensorSpec("x", DATATYPES[datatype], (None,)).datatype == datatype


TWO = Signature(
    (TensorSpec("a", "int8", (None,)), TensorSpec("b", "int8", (None, 2))),
    (TensorSpec("y", "float32", (None,)),),
)


def test_all_inputs_and_no_others() -> None:
    a, b = np.zeros(3, np.int8), np.zeros((3, 2), np.int8)
    assert TWO.check({"b": b, "a": a}) == 3
    with pytest.raises(InvalidInput, match='input "b" is missing: expected "a", "b"'):
        TWO.check({"a": a})
    with pytest.raises(InvalidInput, match='input "c" is unknown: expected "a", "b"') as caught:
        TWO.check({"a": a, "b": b, "c": a})
    assert caught.value.field == "c"
    with pytest.raises(InvalidInput, match='input "c" is unknown'):
        TWO.check({"a": a, "c": b})
    with pytest.raises(InvalidInput, match="is missing"):
        TWO.check({})


def test_inputs_have_the_same_number_of_rows() -> None:
    with pytest.raises(InvalidInput, match='input "b": expected 3 rows as "a" has, received 2'):
        TWO.check({"a": np.zeros(3, np.int8), "b": np.zeros((2, 2), np.int8)})


def test_specs_are_found_by_name() -> None:
    assert TWO.input("b").row == (2,)
    assert TWO.output("y").dtype == "float32"
    with pytest.raises(InvalidInput, match='output "z" is unknown: expected "y"'):
        TWO.output("z")


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("float99", (None,)), ("object", (None,)), ("FP32", (None,)), ("float32", (None, -1))],
)
def test_a_spec_of_no_known_type_or_size_cannot_be(
    dtype: str, shape: tuple[int | None, ...]
) -> None:
    with pytest.raises(InvalidInput, match='tensor "x": expected'):
        TensorSpec("x", dtype, shape)


def test_shapes_are_written_as_people_do() -> None:
    assert format_shape((None, 28, 28)) == "[?, 28, 28]"
    assert format_shape(()) == "[]"
