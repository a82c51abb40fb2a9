"""What a model's arrays mean, as every door words it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from numen.core.conformal import Conformal
from numen.core.manifest import Classification, Manifest, Regression, Variant
from numen.core.signature import Signature, TensorSpec
from numen.runtime.answer import describe

SPEC = TensorSpec("y", "float32", (None, 3))
ROWS = {"y": np.array([[0.7, 0.1, 0.2], [0.3, 0.3, 0.4], [0.26, 0.5, 0.24]], np.float32)}


def manifest(how: Classification | Regression) -> Manifest:
    return Manifest(Signature((SPEC,), (SPEC,)), (Variant("v", "onnx", "m.onnx"),), postprocess=how)


def test_a_set_names_what_cannot_be_ruled_out() -> None:
    plain = Classification("y", ("a", "b", "c"))
    for threshold, sets in (
        (0.25, [["a"], ["c", "a", "b"], ["b", "a"]]),
        (0.99, [["a"], ["c"], ["b"]]),  # never none: the likeliest is always in it
        (0.0, [["a", "c", "b"], ["c", "a", "b"], ["b", "a", "c"]]),
    ):
        how = msgspec.structs.replace(plain, conformal=Conformal(0.9, threshold, 100))
        said = describe(manifest(how), ROWS, top=1)
        assert [row.pop("set") for row in said] == sets
        assert said == describe(manifest(plain), ROWS, top=1)
        assert [row["label"] for row in said] == ["a", "c", "b"]


def test_a_set_of_scores_is_of_their_probabilities() -> None:
    logits = {"y": np.log(ROWS["y"]) + 5}
    sets = Conformal(0.9, 0.25, 100)
    how = Classification("y", ("a", "b", "c"), "softmax", conformal=sets)
    assert [row["set"] for row in describe(manifest(how), logits)][1:] == [
        ["c", "a", "b"],
        ["b", "a"],
    ]
    two = Classification("y", ("no", "yes"), "sigmoid", conformal=sets)
    said = describe(manifest(two), {"y": np.array([[0.0], [4.0]], np.float32)})
    assert [row["set"] for row in said] == [["no", "yes"], ["yes"]]


def test_a_quantity_has_an_interval() -> None:
    how = Regression("y", "price", conformal=Conformal(0.9, 2.5, 100))
    said = describe(manifest(how), {"y": np.array([[10.0], [math.inf]], np.float32)})
    assert said[0] == {"price": 10.0, "interval": [7.5, 12.5]}
    assert said[1]["interval"] == [math.inf, math.inf]
    assert describe(manifest(Regression("y", "price")), {"y": np.array([[10.0]])}) == [
        {"price": 10.0}
    ]
    taken = msgspec.structs.replace(how, target="interval")
    assert describe(manifest(taken), {"y": np.array([[10.0]])}) == [{"interval": 10.0}]


@pytest.mark.parametrize("how", [Classification("y", ("a", "b")), Regression("y", "price")])
def test_a_manifest_without_is_written_as_before(how: Classification | Regression) -> None:
    text = msgspec.json.encode(manifest(how))
    assert b"conformal" not in text
    assert msgspec.json.decode(text, type=Manifest) == manifest(how)
    more = msgspec.structs.replace(how, conformal=Conformal(0.9, 0.1234567890123, 250))
    again = msgspec.json.decode(msgspec.json.encode(manifest(more)), type=Manifest)
    assert again.postprocess == more
