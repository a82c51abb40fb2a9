"""Messages of a known outline: only the values are read anew, and nothing is ever mistaken."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Wire, hot, image

from numen.core.errors import InvalidInput
from numen.core.signature import Signature, TensorSpec
from numen.transport import v2
from parts import Live

ENDPOINT: Any = SimpleNamespace(
    name="m",
    version="1",
    signature=Signature(
        (TensorSpec("x", "float32", (None, 2)),), (TensorSpec("y", "float32", (None, 2)),)
    ),
    known={},
)


Y = {"y": np.zeros((1, 2), np.float32)}


def message(data: str = "[1,2]", before: str = "", after: str = "") -> bytes:
    return (
        f'{{{before}"inputs":[{{"name":"x","shape":[1,2],"datatype":"FP32","data":{data}}}]{after}}}'
    ).encode()


def x_of(body: bytes, header: int | None = None) -> list[float]:
    return v2.decode(body, header, ENDPOINT)[0].inputs["x"].ravel().tolist()


@pytest.fixture(autouse=True)
def forgetful() -> None:
    ENDPOINT.known.clear()


def test_values_are_read_anew() -> None:
    assert x_of(message()) == [1, 2]
    assert len(ENDPOINT.known) == 1
    assert x_of(message("[3,4]")) == [3, 4]
    assert x_of(message("[ 5.5 ,\n-6e1]")) == [5.5, -60]
    assert len(ENDPOINT.known) == 1


@pytest.mark.parametrize("data", ["[1]", "[1,2,3]", '["a",2]', "[1,null]", "[1,", "[1 2]", "[]"])
def test_values_that_do_not_fit_are_refused_as_ever(data: str) -> None:
    with pytest.raises(InvalidInput) as first:
        x_of(message(data))
    x_of(message())
    with pytest.raises(InvalidInput) as known:
        x_of(message(data))
    assert known.value.message == first.value.message
    assert x_of(message("[7,8]")) == [7, 8]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # What looks like data is in a text, or in a place nobody reads.
        (message(after=',"id":"[1,2]"'), message(after=',"id":"[3,4]"')),
        (message(after=',"id":",\\"data\\":[1,2]"'), message(after=',"id":",\\"data\\":[3,4]"')),
        (
            message(after=',"parameters":{"data":[1,2]}'),
            message(after=',"parameters":{"data":[3,4]}'),
        ),
        (message(after=',"outputs":[]'), message(after=',"outputs":[ ]')),
    ],
)
def test_only_the_tensors_data_is_taken_for_it(first: bytes, second: bytes) -> None:
    assert x_of(first) == [1, 2]
    assert x_of(second) == [1, 2]


def test_ids_parameters_and_outputs_are_remembered_with_the_outline() -> None:
    for _ in range(2):
        request, form = v2.decode(
            message(before='"id":"a","parameters":{"binary_data_output":true},'), None, ENDPOINT
        )
        assert request.id == "a"
        assert form.write(Y)[1] is not None
    request, form = v2.decode(message(before='"id":"b",'), None, ENDPOINT)
    assert request.id == "b"
    body, header = form.write(Y)
    assert header is None
    assert json.loads(body)["id"] == "b"


def test_a_deadline_counts_from_now_each_time() -> None:
    body = message(before='"parameters":{"deadline_ms":1000},')
    first = v2.decode(body, None, ENDPOINT)[0].deadline
    time.sleep(0.01)
    second = v2.decode(body, None, ENDPOINT)[0].deadline
    assert first is not None
    assert second is not None
    assert second > first


def test_numbers_too_large_for_the_type_become_infinite_either_way() -> None:
    assert x_of(message("[1e300,2]")) == [np.inf, 2]
    assert x_of(message("[1e300,2]")) == [np.inf, 2]


def test_a_binary_header_holds_for_bodies_of_its_length_only() -> None:
    head = json.dumps(
        {
            "inputs": [
                {"name": "x", "shape": [1, 2], "datatype": "FP32",
                 "parameters": {"binary_data_size": 8}},
            ]
        }
    ).encode()  # fmt: skip
    for values in ([1, 2], [3, 4]):
        assert x_of(head + np.array(values, "<f4").tobytes(), len(head)) == values
    for tail in (b"", b"1234", b"123456789"):
        with pytest.raises(InvalidInput, match="bytes"):
            x_of(head + tail, len(head))


@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2), min_size=1, max_size=4
    ),
    st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    st.booleans(),
)
def test_any_message_says_the_same_known_or_not(
    rows: list[list[float]], separators: tuple[str, str], nested: bool
) -> None:
    flat = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), 2], "datatype": "FP32"}
    body = json.dumps(
        {"inputs": [{**tensor, "data": rows if nested else flat}]}, separators=separators
    ).encode()
    ENDPOINT.known.clear()
    assert x_of(body) == flat
    assert x_of(body) == flat


def test_memory_of_outlines_is_bounded() -> None:
    for number in range(3 * v2._MAX_KNOWN):
        x_of(message(before=f'"id":"{number}",'))
        assert len(ENDPOINT.known) <= v2._MAX_KNOWN
    long = message(before=f'"id":"{"x" * v2._MAX_KEY}",')
    x_of(long)
    assert all(len(key) <= v2._MAX_KEY for key in ENDPOINT.known)


@pytest.mark.slow
def test_an_idle_connection_is_closed_and_a_busy_one_is_not(live: Live) -> None:
    with Wire(live.port) as wire, Wire(live.port) as idle:
        idle.send(hot(image(0)))
        assert idle.read().status == 200
        for turn in range(3):  # more than the time for which an idle one is kept
            wire.send(hot(image(turn)))
            assert wire.read().status == 200
            time.sleep(2.5)
        assert idle.ended()
        wire.send(hot(image(9)))
        assert wire.read().status == 200
