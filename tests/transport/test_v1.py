"""TensorFlow Serving's codec: rows, columns, names, base64, several inputs and outputs."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from wire import image

from numen.core.errors import InvalidInput
from numen.core.signature import Signature, TensorSpec
from numen.transport import rest_v1
from parts import Live

ONE = Signature((TensorSpec("x", "float32", (None, 2)),), (TensorSpec("y", "float32", (None, 2)),))
TWO = Signature(
    (TensorSpec("a", "int64", (None,)), TensorSpec("b", "float32", (None, 2))),
    (TensorSpec("p", "int64", (None,)), TensorSpec("q", "float32", (None, 2))),
)
TEXT = Signature((TensorSpec("t", "string", (None,)),), (TensorSpec("t", "string", (None,)),))
MIXED = Signature(
    (TensorSpec("t", "string", (None,)), TensorSpec("f", "bool", (None, 1))), ONE.outputs
)


def decode(value: Any, signature: Signature = ONE) -> tuple[dict[str, np.ndarray], bool]:
    return rest_v1.decode(json.dumps(value).encode(), signature)


def b64(text: str) -> dict[str, str]:
    return {"b64": base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("value", "signature", "expected", "columns"),
    [
        ({"instances": [[1, 2], [3, 4]]}, ONE, {"x": [[1, 2], [3, 4]]}, False),
        ({"inputs": [[1, 2], [3, 4]]}, ONE, {"x": [[1, 2], [3, 4]]}, True),
        ({"instances": [{"x": [1, 2]}]}, ONE, {"x": [[1, 2]]}, False),
        ({"inputs": {"x": [[1, 2]]}}, ONE, {"x": [[1, 2]]}, True),
        ({"signature_name": "serving_default", "instances": [[1, 2]]}, ONE, {"x": [[1, 2]]}, False),
        ({"signature_name": "", "instances": [[1, 2]]}, ONE, {"x": [[1, 2]]}, False),
        (
            {"instances": [{"a": 1, "b": [2, 3]}, {"b": [5, 6], "a": 4}]}, TWO,
            {"a": [1, 4], "b": [[2, 3], [5, 6]]}, False,
        ),
        (
            {"inputs": {"b": [[2, 3], [5, 6]], "a": [1, 4]}}, TWO,
            {"a": [1, 4], "b": [[2, 3], [5, 6]]}, True,
        ),
        ({"instances": ["a", "grün"]}, TEXT, {"t": ["a", "grün"]}, False),
        ({"instances": [b64("a"), b64("grün")]}, TEXT, {"t": ["a", "grün"]}, False),
        ({"inputs": [b64("a"), "b"]}, TEXT, {"t": ["a", "b"]}, True),
        ({"inputs": {"t": [b64("a")]}}, TEXT, {"t": ["a"]}, True),
        ({"instances": [{"t": b64("a")}]}, TEXT, {"t": ["a"]}, False),
        ({"instances": [{"t": "a", "f": [True]}]}, MIXED, {"t": ["a"], "f": [[True]]}, False),
    ],
)  # fmt: skip
def test_a_request_is_read(value: Any, signature: Signature, expected: Any, columns: bool) -> None:
    arrays, form = decode(value, signature)
    assert form is columns
    assert arrays.keys() == expected.keys()
    for spec in signature.inputs:
        assert arrays[spec.name].dtype == spec.numpy
        np.testing.assert_array_equal(arrays[spec.name], expected[spec.name])
    signature.check(arrays)


@pytest.mark.parametrize(
    ("value", "signature", "field"),
    [
        ({}, ONE, "instances"),
        ({"instances": [[1, 2]], "inputs": [[1, 2]]}, ONE, "instances"),
        ({"instances": []}, ONE, "instances"),
        ({"instances": 5}, ONE, "instances"),
        ({"instances": {"x": 1}}, ONE, "instances"),
        ({"instances": None}, ONE, "instances"),
        ({"signature_name": "other", "instances": [[1, 2]]}, ONE, "signature_name"),
        ({"signature_name": ["x"], "instances": [[1, 2]]}, ONE, "signature_name"),
        ({"instances": [[1, 2], [3]]}, ONE, "x"),
        ({"instances": [[1, 2], [3, [4]]]}, ONE, "x"),
        ({"instances": [[1, 2], 3]}, ONE, "x"),
        ({"instances": [1, [2]]}, ONE, "x"),
        ({"instances": [["1", "2"]]}, ONE, "x"),
        ({"instances": [[1, None]]}, ONE, "x"),
        ({"instances": [b64("a")]}, ONE, "x"),
        ({"inputs": {"z": [[1, 2]]}}, ONE, "z"),
        ({"instances": [{"z": [1, 2]}]}, ONE, "instances"),
        ({"instances": [{"x": [1, 2]}, {"x": [1]}]}, ONE, "x"),
        ({"instances": [{"x": [1, 2]}, [1, 2]]}, ONE, "instances"),
        ({"instances": [[1, 2]]}, TWO, "instances"),
        ({"inputs": [[1, 2]]}, TWO, "inputs"),
        ({"instances": [{"a": 1}]}, TWO, "instances"),
        ({"instances": [{"a": 1.5, "b": [2, 3]}]}, TWO, "a"),
        ({"instances": [5]}, TEXT, "t"),
        ({"instances": [{"b64": "?"}]}, TEXT, "t"),
        ({"instances": [{"b64": "/w=="}]}, TEXT, "t"),
        ({"instances": [{"b64": 5}]}, TEXT, "t"),
        ({"instances": [["a"], ["b", "c"]]}, TEXT, "t"),
        ({"instances": ["a", ["b"]]}, TEXT, "t"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    value: Any, signature: Signature, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode(value, signature)
    assert caught.value.field == field


def nested(depth: int, inner: str) -> bytes:
    return b'{"instances": ' + b"[" * depth + inner.encode() + b"]" * depth + b"}"


@pytest.mark.parametrize("depth", [17, 100, 900, 1020, 10_000])
@pytest.mark.parametrize("signature", [ONE, TEXT], ids=["numbers", "text"])
def test_deep_nesting_is_refused(depth: int, signature: Signature) -> None:
    for inner in ("1", '"a"', ""):
        with pytest.raises(InvalidInput):
            rest_v1.decode(nested(depth, inner), signature)


@settings(deadline=None, max_examples=100)
@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(2)),
                  elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
       st.sampled_from(["instances", "inputs"]))  # fmt: skip
def test_any_array_arrives_as_it_was(array: np.ndarray, form: str) -> None:
    arrays, _ = decode({form: array.tolist()})
    np.testing.assert_array_equal(arrays["x"], array)


def encode(signature: Signature, outputs: dict[str, np.ndarray], columns: bool) -> Any:
    return json.loads(rest_v1.encode(SimpleNamespace(signature=signature), outputs, columns))  # type: ignore[arg-type]


def test_an_answer_has_the_form_of_its_request() -> None:
    one = {"y": np.array([[1, 2], [3, np.nan]], np.float32)}
    assert encode(ONE, one, False) == {"predictions": [[1, 2], [3, None]]}
    assert encode(ONE, one, True) == {"outputs": [[1, 2], [3, None]]}
    two = {"p": np.array([1, 2]), "q": np.array([[1, 2], [3, 4]], np.float32)}
    assert encode(TWO, two, False) == {
        "predictions": [{"p": 1, "q": [1, 2]}, {"p": 2, "q": [3, 4]}]
    }
    assert encode(TWO, two, True) == {"outputs": {"p": [1, 2], "q": [[1, 2], [3, 4]]}}
    text = {"t": np.array(["a", "grün"], object)}
    assert encode(TEXT, text, False) == {"predictions": ["a", "grün"]}


def test_a_live_model_answers_rows_and_columns(house: Live) -> None:
    with httpx.Client(base_url=f"{house.url}/v1/models/") as http:
        rows = http.post("/pair:predict", json={"instances": [{"a": [1, 2], "b": [5, 7]}]})
        assert rows.json() == {"predictions": [{"sum": [6, 9], "difference": [-4, -5]}]}
        columns = http.post("/pair:predict", json={"inputs": {"a": [[1, 2]], "b": [[5, 7]]}})
        assert columns.json() == {"outputs": {"sum": [[6, 9]], "difference": [[-4, -5]]}}
        words = http.post("/words:predict", json={"instances": [["a", b64("日本")], ["grün", "?"]]})
        assert words.json() == {"predictions": [[1.0, 2.0], [4.0, -1.0]]}


def test_a_version_or_label_is_honoured(house: Live) -> None:
    body = {"instances": image(1).tolist()}
    with httpx.Client(base_url=f"{house.url}/v1/models/linear") as http:

        def ask(where: str) -> Any:
            reply = http.post(f"{house.url}/v1/models/linear{where}:predict", json=body)
            assert reply.status_code == 200, reply.text
            return reply.json()["predictions"]

        first, second = ask("/versions/1"), ask("/versions/2")
        assert first != second
        assert ask("") == ask("/labels/champion") == first
        assert ask("/labels/candidate") == second
        for where in ("/versions/9", "/labels/none", "/versions/x"):
            reply = http.post(f"{house.url}/v1/models/linear{where}:predict", json=body)
            assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


def test_status_and_metadata_have_that_apis_form(house: Live) -> None:
    with httpx.Client(base_url=f"{house.url}/v1/models/") as http:
        status = http.get("linear").json()["model_version_status"]
        assert {row["version"]: row["state"] for row in status} == {
            "1": "AVAILABLE",
            "2": "AVAILABLE",
        }
        assert status[0]["status"] == {"error_code": "OK", "error_message": ""}
        (only,) = http.get("linear/versions/2").json()["model_version_status"]
        assert only["version"] == "2"
        (only,) = http.get("linear/labels/candidate").json()["model_version_status"]
        assert only["version"] == "2"
        meta = http.get("linear/versions/2/metadata").json()
        assert meta["model_spec"] == {"name": "linear", "signature_name": "", "version": "2"}
        serving = meta["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert serving["method_name"] == "tensorflow/serving/predict"
        taken = serving["inputs"]["image"]
        assert taken["dtype"] == "DT_FLOAT"
        assert [dim["size"] for dim in taken["tensor_shape"]["dim"]] == ["-1", "28", "28"]
        assert http.get("none").status_code == 404
