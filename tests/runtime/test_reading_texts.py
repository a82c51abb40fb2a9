"""Texts as people and programs have them become a column of texts, without an ML framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numen.core.errors import InvalidInput, TooLarge
from numen.core.manifest import Manifest, TextInput, Variant
from numen.core.signature import Signature, TensorSpec
from numen.runtime.process import MAX_CHARACTERS, read_input

HOW = Manifest(
    Signature((TensorSpec("text", "string", (None, 1)),), ()),
    (Variant("fp32", "onnx", "predict.onnx"),),
    preprocess=TextInput("text"),
)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ("a b", ["a b"]),
        ("", [""]),
        ("grün".encode(), ["grün"]),
        (memoryview(b"a"), ["a"]),
        (["a", "b"], ["a", "b"]),
        (("a", "b"), ["a", "b"]),
        ([["a"], ["b"]], ["a", "b"]),
        ({"text": "a"}, ["a"]),
        ({"text": ["a", "b"]}, ["a", "b"]),
        ([{"text": "a"}, {"text": "b"}], ["a", "b"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array("a"), ["a"]),
        (np.array([["a"], ["b"]], object), ["a", "b"]),
        ({"text": np.array([["a"]], object)}, ["a"]),
        (np.str_("a"), ["a"]),
    ],
)
def test_texts(value: Any, rows: list[str]) -> None:
    made = read_input(HOW, value)["text"]
    assert (made.dtype, made.shape) == (object, (len(rows), 1))
    assert made[:, 0].tolist() == rows
    assert {type(text) for text in made[:, 0]} == {str}
    HOW.signature.check({"text": made})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "expected text, received int"),
        (None, "expected text, received NoneType"),
        ([], "expected a text, received none"),
        ([["a", "b"]], "expected text, received list"),
        ({"txt": "a"}, 'field "txt" is unknown: expected text'),
        ({}, "expected text, received NoneType"),
        (b"caf\xe9", "expected text of UTF-8, received another byte at 3"),
        ("half \ud800", "half of a surrogate pair"),
        (np.zeros(3), "expected text, received float"),
    ],
)
def test_what_is_no_text(value: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_input(HOW, value)


def test_too_long() -> None:
    read_input(HOW, "x" * MAX_CHARACTERS)
    with pytest.raises(TooLarge, match="at most 1000000 characters, received 1000001"):
        read_input(HOW, "x" * (MAX_CHARACTERS + 1))
