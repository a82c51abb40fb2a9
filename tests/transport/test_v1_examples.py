"""`:classify` and `:regress` against live models."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from wire import image

from parts import LABELS, Live, linear_graph


@pytest.fixture
def http(house: Live) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{house.url}/v1/models/") as found:
        yield found


def post(http: httpx.Client, where: str, body: Any) -> Any:
    reply = http.post(f"/{where}", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_classes_are_told_with_their_scores(http: httpx.Client, tmp_path: Any) -> None:
    x = image(1, 3)
    expected = linear_graph(tmp_path / "linear.onnx")(x)
    examples = [{"image": row.reshape(-1).tolist()} for row in x]
    (results,) = post(http, "linear:classify", {"examples": examples}).values()
    assert [[label for label, _ in row] for row in results] == [list(LABELS)] * 3
    scores = np.array([[score for _, score in row] for row in results])
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    # As a version and as a label; by the signature's names.
    second = post(http, "linear/versions/2:classify", {"examples": examples})["results"]
    assert second != results
    body = {"examples": examples, "signature_name": "classification"}
    assert post(http, "linear/labels/candidate:classify", body)["results"] == second


def test_a_picture_may_be_a_feature(http: httpx.Client) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (28, 28), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    b64 = {"b64": base64.b64encode(file.getvalue()).decode()}
    flat = pixels.reshape(-1).tolist()
    body = {"examples": [{"image": b64}, {"image": [b64]}, {"image": flat}]}
    first, second, third = post(http, "linear:classify", body)["results"]
    assert first == second
    np.testing.assert_allclose([s for _, s in first], [s for _, s in third], atol=1e-5)


def test_quantities_are_numbers_and_the_context_is_shared(http: httpx.Client) -> None:
    body: dict[str, Any] = {"context": {"city": "Köln"}, "examples": [{"age": 30}, {"age": [1]}]}
    assert post(http, "table:regress", body) == {"results": [70.0, 12.0]}
    city = {"b64": base64.b64encode("Köln".encode()).decode()}
    body = {"signature_name": "tensorflow/serving/regress", "examples": [{"age": 2, "city": city}]}
    assert post(http, "table/versions/1:regress", body) == {"results": [14.0]}
    # By the input's own name, as a row.
    assert post(http, "table:regress", {"examples": [{"row": [30, 1]}]}) == {"results": [70.0]}


ROW = {"examples": [{"age": 1}]}


@pytest.mark.parametrize(
    ("where", "body", "field"),
    [
        ("linear:regress", {"examples": [{"image": [0] * 784}]}, None),
        ("table:classify", ROW, None),
        ("words:classify", {"examples": [{"text": ["a", "b"]}]}, None),
        ("words:regress", {"examples": [{"text": ["a", "b"]}]}, None),  # two numbers a row
        ("pair:regress", {"examples": [{"a": [1, 2], "b": [1, 2]}]}, None),
        ("table:regress", {}, "examples"),
        ("table:regress", {"examples": []}, "examples"),
        ("table:regress", {"examples": {}}, "examples"),
        ("table:regress", {"examples": [5]}, "examples"),
        ("table:regress", {"context": 5, "examples": [{}]}, "context"),
        ("table:regress", {"context": {"age": 1}, **ROW}, "context"),
        ("table:regress", {"signature_name": "odd", **ROW}, "signature_name"),
        ("table:regress", {"signature_name": "classification", **ROW}, "signature_name"),
        ("table:regress", {"examples": [{"height": 1}]}, "height"),
        ("table:regress", {"examples": [{"age": [1, 2]}]}, "age"),
        ("table:regress", {"examples": [{"age": []}]}, "age"),
        ("table:regress", {"examples": [{"age": "old"}]}, "age"),
        ("table:regress", {"examples": [{"city": {"b64": "?"}}]}, "city"),
        ("table:regress", {"examples": [{"city": {"b64": "/w=="}}]}, "city"),
        ("table:regress", {"examples": [{"row": [1, 2]}, {"age": 1}]}, "examples"),
        ("table:regress", {"examples": [{"row": [1]}]}, "row"),
        ("linear:classify", {"examples": [{"image": [[0] * 28] * 28}]}, "image"),
        ("linear:classify", {"examples": [{"image": [True] * 784}]}, "image"),
        ("linear:classify", {"examples": [{"image": ["1"] * 784}]}, "image"),
        ("linear:classify", {"examples": [{"image": [0] * 783}]}, "image"),
        ("linear:classify", {"examples": [{"image": [10**400] * 784}]}, "body"),
        ("linear:classify", {"examples": [{"image": {"b64": "AAAA"}}]}, "image"),
        ("linear:classify", {"examples": [{}]}, "examples"),
        ("linear:classify", {"examples": [{"image": [0] * 784, "more": 1}]}, "examples"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    http: httpx.Client, where: str, body: Any, field: str | None
) -> None:
    reply = http.post(f"/{where}", json=body)
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_input"), reply.text
    assert reply.json().get("field") == field, reply.text


def test_another_version_or_model_is_not_found(http: httpx.Client) -> None:
    for where in ("none:classify", "linear/versions/9:regress", "linear/labels/none:classify"):
        reply = http.post(f"/{where}", json=ROW)
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert isinstance(reply.json()["error"], str)
    for where in ("none", "none/versions/1", "none/labels/x", "none/metadata", "linear/versions/9"):
        assert http.get(where).status_code == 404


def test_metadata_of_a_label_is_that_of_its_version(http: httpx.Client) -> None:
    by_label = http.get("linear/labels/candidate/metadata").json()
    assert by_label == http.get("linear/versions/2/metadata").json()
