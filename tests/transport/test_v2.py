"""The Open Inference Protocol's codec: every datatype, JSON and binary, there and back."""

from __future__ import annotations

import contextlib
import json
import struct
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numen.core.errors import InvalidInput, TooLarge
from numen.core.signature import DATATYPES, Signature, TensorSpec
from numen.transport import v2
from numen.transport.form import Form

NUMBERS = {name: dtype for name, dtype in DATATYPES.items() if dtype not in ("string", "bool")}


def endpoint(**inputs: Any) -> Any:
    """A model `m` that takes and gives tensors, by name: `x=("float32", (None, 2))`."""
    specs = tuple(TensorSpec(name, dtype, shape) for name, (dtype, shape) in inputs.items())
    return SimpleNamespace(name="m", version="1", signature=Signature(specs, specs), known={})


ANY = endpoint(x=("float32", (None, None)))


def tensor(datatype: str, shape: Any, data: Any = None, name: str = "x", **parameters: Any) -> dict:
    made = {"name": name, "datatype": datatype, "shape": shape}
    if data is not None:
        made["data"] = data
    return {**made, "parameters": parameters} if parameters else made


def message(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"inputs": inputs, **more}).encode()


def decode(body: bytes, length: int | None = None, model: Any = ANY) -> dict[str, np.ndarray]:
    return v2.decode(body, length, model)[0].inputs


def plain(array: np.ndarray) -> Any:
    return array.tolist()


VALUES: dict[str, list[Any]] = {
    "BOOL": [True, False, True, True, False, False],
    "BYTES": ["", "a", "grün", "日本", '"[{\\', "\u0000\n"],
    "FP16": [0.0, -0.5, 65504.0, 6e-08, 1.5, -2.0],
    "FP32": [0.0, -0.1, 3.4028234e38, 1e-45, 1.5, -2.0],
    "FP64": [0.0, -0.1, 1.7976931348623157e308, 5e-324, 1.5, -2.0],
}
for name_, dtype_ in NUMBERS.items():
    if name_.endswith(("8", "16", "32", "64")) and "INT" in name_:
        limits = np.iinfo(dtype_)
        VALUES[name_] = [limits.min, limits.max, 0, 1, 7, limits.max - 1]


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("nested", [False, True])
def test_json_of_every_datatype(datatype: str, nested: bool) -> None:
    dtype = DATATYPES[datatype]
    expected = np.array(VALUES[datatype], object if dtype == "string" else dtype).reshape(2, 3)
    data = plain(expected) if nested else plain(expected.reshape(-1))
    got = decode(message(tensor(datatype, [2, 3], data)))["x"]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def as_bytes(array: np.ndarray) -> bytes:
    """Binary tensor data, written here by the protocol's own words."""
    if array.dtype != object:
        return array.astype(array.dtype.newbyteorder("<")).tobytes()
    items = (item.encode() for item in array.reshape(-1))
    return b"".join(struct.pack("<I", len(item)) + item for item in items)


@pytest.mark.parametrize("datatype", DATATYPES)
def test_binary_of_every_datatype(datatype: str) -> None:
    dtype = DATATYPES[datatype]
    expected = np.array(VALUES[datatype], object if dtype == "string" else dtype).reshape(2, 3)
    data = as_bytes(expected)
    head = message(tensor(datatype, [2, 3], binary_data_size=len(data)))
    got = decode(head + data, len(head))["x"]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("binary", [False, True])
def test_answers_of_every_datatype(datatype: str, binary: bool) -> None:
    dtype = DATATYPES[datatype]
    model = endpoint(x=(dtype, (None, 3)))
    array = np.array(VALUES[datatype], object if dtype == "string" else dtype).reshape(2, 3)
    form = Form(model, "an id", [(model.signature.outputs[0], binary)])
    body, length = form.write({"x": array})
    head = json.loads(body[:length])
    assert head["model_name"] == "m"
    assert head["model_version"] == "1"
    assert head["id"] == "an id"
    (out,) = head["outputs"]
    assert (out["name"], out["datatype"], out["shape"]) == ("x", datatype, [2, 3])
    if binary:
        assert out["parameters"] == {"binary_data_size": len(body) - length}
        assert "data" not in out
        assert body[length:] == as_bytes(array)
    else:
        assert length is None
        got = np.array(out["data"], array.dtype).reshape(2, 3)
        np.testing.assert_array_equal(got, array)


def test_json_and_binary_inputs_may_be_mixed() -> None:
    a, c = np.arange(4, dtype=np.int16).reshape(2, 2), np.array([["x", "yz"]], object)
    tail = [as_bytes(a), as_bytes(c)]
    head = message(
        tensor("INT16", [2, 2], name="a", binary_data_size=len(tail[0])),
        tensor("FP32", [1, 2], [[0.5, 1.5]], name="b"),
        tensor("BYTES", [1, 2], name="c", binary_data_size=len(tail[1])),
        tensor("BOOL", [1], [True], name="d"),
    )
    got = decode(head + b"".join(tail), len(head))
    np.testing.assert_array_equal(got["a"], a)
    np.testing.assert_array_equal(got["b"], [[0.5, 1.5]])
    np.testing.assert_array_equal(got["c"], c)
    np.testing.assert_array_equal(got["d"], [True])


def test_json_and_binary_outputs_may_be_mixed() -> None:
    model = endpoint(a=("int8", (None,)), b=("int8", (None,)), c=("int8", (None,)))
    outputs = {name: np.array([n], np.int8) for n, name in enumerate("abc")}
    wanted = [
        {"name": "c", "parameters": {"binary_data": True}},
        {"name": "a", "parameters": {"binary_data": False}},
        {"name": "b"},
    ]
    body = message(tensor("FP32", [1, 1], [1]), outputs=wanted)
    raw, length = v2.decode(body, None, model)[1].write(outputs)
    got = json.loads(raw[:length])["outputs"]
    assert [(out["name"], out.get("data")) for out in got] == [("c", None), ("a", [0]), ("b", [1])]
    assert raw[length:] == b"\x02"


@pytest.mark.parametrize(
    ("parameters", "asked", "binary"),
    [
        (None, None, [False, False]),
        ({"binary_data_output": True}, None, [True, True]),
        ({"binary_data_output": False}, None, [False, False]),
        ({"binary_data_output": True}, [("b", None)], [True]),
        ({"binary_data_output": True}, [("b", False), ("a", None)], [False, True]),
        ({"binary_data_output": False}, [("a", True)], [True]),
        (None, [("a", True), ("b", False)], [True, False]),
        (None, [], [False, False]),
    ],
)
def test_outputs_go_as_asked(parameters: Any, asked: Any, binary: list[bool]) -> None:
    model = endpoint(a=("int8", (None,)), b=("int8", (None,)))
    more: dict[str, Any] = {} if parameters is None else {"parameters": parameters}
    if asked is not None:
        more["outputs"] = [
            {"name": name, **({} if flag is None else {"parameters": {"binary_data": flag}})}
            for name, flag in asked
        ]
    _, form = v2.decode(message(tensor("FP32", [1], [1]), **more), None, model)
    arrays = {name: np.zeros(1, np.int8) for name in "ab"}
    raw, length = form.write(arrays)
    got = json.loads(raw[:length])["outputs"]
    assert ["data" not in out for out in got] == binary
    assert [out["name"] for out in got] == ([name for name, _ in asked] if asked else ["a", "b"])


def test_a_raw_request_is_the_only_inputs_bytes() -> None:
    model = endpoint(x=("int16", (None, 2, 2)))
    x = np.arange(12, dtype="<i2")
    request, form = v2.decode(x.tobytes(), 0, model)
    np.testing.assert_array_equal(request.inputs["x"], x.reshape(3, 2, 2))
    assert form.write(request.inputs)[1] is not None  # the answer is binary too


@pytest.mark.parametrize(
    ("body", "model", "field"),
    [
        (b"", endpoint(x=("int16", (None, 2))), "x"),
        (b"123", endpoint(x=("int16", (None, 2))), "x"),
        (b"12", endpoint(x=("int16", (None, None))), "Inference-Header-Content-Length"),
        (b"12", endpoint(x=("string", (None, 1))), "Inference-Header-Content-Length"),
        (
            b"12", endpoint(a=("int8", (None,)), b=("int8", (None,))),
            "Inference-Header-Content-Length",
        ),
    ],
)  # fmt: skip
def test_a_raw_request_that_cannot_be_read_is_refused(body: bytes, model: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        v2.decode(body, 0, model)
    assert caught.value.field == field


def test_the_id_comes_back() -> None:
    for id_ in ("1", "grün", 'a"b\\c', "x" * 1000):
        _, form = v2.decode(message(tensor("FP32", [1, 1], [1]), id=id_), None, ANY)
        body, _ = form.write({"x": np.zeros((1, 1), np.float32)})
        assert json.loads(body)["id"] == id_
    _, form = v2.decode(message(tensor("FP32", [1, 1], [1])), None, ANY)
    body, _ = form.write({"x": np.zeros((1, 1), np.float32)})
    assert "id" not in json.loads(body)


def test_what_json_cannot_say_goes_as_null() -> None:
    for dtype in ("float16", "float32", "float64"):
        array = np.array([[np.nan, np.inf, -np.inf, 1]], dtype)
        model = endpoint(x=(dtype, (None, None)))
        body, _ = Form(model, None, [(model.signature.outputs[0], False)]).write({"x": array})
        assert json.loads(body)["outputs"][0]["data"] == [None, None, None, 1]


def test_a_header_seen_before_is_read_the_same() -> None:
    x = np.arange(4, dtype=np.float32).reshape(2, 2)
    for more in (
        {},
        {"id": "i"},
        {"outputs": [{"name": "x", "parameters": {"binary_data": True}}]},
    ):
        head = message(tensor("FP32", [2, 2], binary_data_size=16), **more)
        first, form = v2.decode(head + x.tobytes(), len(head), ANY)
        again, same = v2.decode(head + (x + 1).tobytes(), len(head), ANY)
        np.testing.assert_array_equal(first.inputs["x"], x)
        np.testing.assert_array_equal(again.inputs["x"], x + 1)
        assert (first.id, form.write(first.inputs)) == (again.id, same.write(first.inputs))
        for tail in (b"", x.tobytes()[:-1], x.tobytes() + b"x"):
            with pytest.raises(InvalidInput):
                v2.decode(head + tail, len(head), ANY)
        other, _ = v2.decode(head + x.tobytes(), len(head), endpoint(x=("int8", (None,))))
        with pytest.raises(InvalidInput, match="expected int8"):
            endpoint(x=("int8", (None,))).signature.check(other.inputs)


def test_a_deadline_in_a_header_seen_before_counts_from_now() -> None:
    head = message(tensor("FP32", [1, 1], binary_data_size=4), parameters={"deadline_ms": 1000})
    first = v2.decode(head + bytes(4), len(head), ANY)[0].deadline
    time.sleep(0.02)
    again = v2.decode(head + bytes(4), len(head), ANY)[0].deadline
    assert first is not None
    assert again is not None
    assert again - first > 0.015


def test_an_error_that_is_kept_does_not_hold_up_the_next_message() -> None:
    kept = []
    for body in (b"[]", b"{", b"5", b"{}", message(tensor("odd", [1], [1])), message(5)):
        with pytest.raises(InvalidInput) as caught:
            decode(body)
        kept.append(caught.value)  # with its traceback, and the documents in it
        assert decode(message(tensor("FP32", [1], [1])))["x"] == [1]


RAGGED = [
    ([2, 2], [[1, 2], [3]]), ([2, 2], [[1, 2, 3], [4]]), ([2, 2], [[1, 2], 3, 4]),
    ([2, 2], [1, 2, [3, 4]]), ([2, 2], [1, 2, [3], 4]), ([2, 2], [[1, 2], [3, [4]]]),
    ([2, 2], [[1, [2]], [3, 4]]), ([2, 2], [[[1], 2], [3, 4]]), ([2, 2], [[[1], [2]], [[3], [4]]]),
    ([2, 2], [[[1, 2], [3, 4]]]), ([4], [1, [], [2, 3], 4]), ([4], [[1, 2], [3, 4]]),
    ([4], [[1], [2], [3], [4]]), ([2, 2], [[], [1, 2, 3, 4]]), ([2, 2], [[1, 2], [3, 4], []]),
    ([1], [[]]), ([0], [[]]), ([], [[1]]), ([], [[[[1]]]]), ([1, 1, 1, 4], [[1, 2, 3, 4]]),
    ([2, 2], [[1, 2], None]), ([2, 2], [[1, 2], {"a": 1}]), ([2, 2], []), ([2, 2], [[]]),
]  # fmt: skip


@pytest.mark.parametrize("datatype", ["FP32", "INT64", "BOOL", "BYTES"])
@pytest.mark.parametrize(("shape", "data"), RAGGED)
def test_ragged_data_is_refused(datatype: str, shape: list[int], data: Any) -> None:
    text = json.dumps(data)
    if datatype in ("BOOL", "BYTES"):
        for digit in "1234":
            text = text.replace(digit, "true" if datatype == "BOOL" else f'"{digit}"')
    one = tensor(datatype, shape, json.loads(text))
    # Alone, and beside a message part that makes brackets of its own.
    for more in ({}, {"outputs": []}, {"parameters": {"odd": "[["}}):
        with pytest.raises(InvalidInput) as caught:
            decode(message(one, **more))
        assert caught.value.field == "x"


def test_a_scalar_may_have_no_dimensions() -> None:
    assert decode(message(tensor("FP32", [], [2.5])))["x"].shape == ()


@pytest.mark.parametrize("shape", [[0], [2, 0], [0, 1 << 40], [0, 1 << 39, 1 << 9]])
def test_a_shape_with_nothing_in_it_is_read(shape: list[int]) -> None:
    assert decode(message(tensor("FP32", shape, [])))["x"].shape == tuple(shape)


ARRAYS = st.sampled_from(list(DATATYPES)).flatmap(
    lambda name: st.tuples(
        st.just(name),
        hnp.arrays(
            object if DATATYPES[name] == "string" else DATATYPES[name],
            hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4),
            elements=st.text(st.characters(codec="utf-8"), max_size=6)
            if name == "BYTES"
            else None
            if not name.startswith("FP")
            else st.floats(width=int(name[2:]), allow_nan=False, allow_infinity=False),
        ),
    )
)


@settings(deadline=None, max_examples=150)
@given(ARRAYS, st.sampled_from(["flat", "nested", "binary"]))
def test_any_array_arrives_as_it_was(named: tuple[str, np.ndarray], how: str) -> None:
    datatype, array = named
    shape = list(array.shape)
    if how == "binary":
        data = as_bytes(array)
        head = message(tensor(datatype, shape, binary_data_size=len(data)))
        got = decode(head + data, len(head))["x"]
    else:
        values = plain(array if how == "nested" else array.reshape(-1))
        got = decode(message(tensor(datatype, shape, values)))["x"]
    assert got.dtype == array.dtype
    assert got.shape == array.shape
    np.testing.assert_array_equal(got, array)


@settings(deadline=None, max_examples=150)
@given(ARRAYS, st.booleans())
def test_any_array_leaves_as_it_is(named: tuple[str, np.ndarray], binary: bool) -> None:
    datatype, array = named
    model = endpoint(x=(DATATYPES[datatype], (None,) * array.ndim))
    form = Form(model, None, [(model.signature.outputs[0], binary)])
    body, length = form.write({"x": array})
    (out,) = json.loads(body[:length])["outputs"]
    if binary:
        again = body[length:]
        head = message(tensor(datatype, out["shape"], binary_data_size=len(again)))
        got = decode(head + again, len(head))["x"]
    else:
        got = np.array(out["data"], array.dtype).reshape(out["shape"])
    np.testing.assert_array_equal(got, array)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200), st.one_of(st.none(), st.integers(0, 300)))
def test_any_bytes_are_read_or_refused(body: bytes, length: int | None) -> None:
    with contextlib.suppress(InvalidInput):
        v2.decode(body, length, endpoint(x=("float32", (None, 2))))


KEYS = ["name", "shape", "datatype", "data", "parameters", "binary_data_size"]
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 2**64), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(KEYS), inner, max_size=6
        ),
    ),
    max_leaves=20,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["inputs", "outputs", "parameters", "id"]), JSON))
def test_any_json_is_read_or_refused(value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    with contextlib.suppress(InvalidInput, TooLarge):
        request, _ = v2.decode(body, None, ANY)
        ANY.signature.check(request.inputs)
