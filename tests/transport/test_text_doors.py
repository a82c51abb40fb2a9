"""Texts through every HTTP door, in every form a person or a protocol has them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from numen_client import Client
from websockets.sync.client import connect

from parts import Live


@pytest.fixture
def http(house: Live) -> Any:
    with httpx.Client(base_url=house.url) as found:
        yield found


def said(http: httpx.Client, content: bytes, kind: str = "application/json") -> Any:
    reply = http.post("/predict/mood", content=content, headers={"content-type": kind})
    return reply.status_code, reply.json()


@pytest.mark.parametrize(
    ("body", "kind", "good"),
    [
        (b"fine", "text/plain", 0.75),
        ("grün".encode(), "text/plain; charset=utf-8", 1.0),
        (b'"poor"', "application/json", 0.25),
        (b'["poor"]', "application/json", 0.25),
        (b'[["poor"]]', "application/json", 0.25),
        (b'{"text": "fine"}', "application/json", 0.75),
        (b'[{"text": "fine"}]', "application/json", 0.75),
        (b'{"text": ["fine"]}', "application/json", 0.75),
        (b'""', "application/json", 0.5),
    ],
)
def test_the_friendly_door(http: httpx.Client, body: bytes, kind: str, good: float) -> None:
    status, answer = said(http, body, kind)
    assert status == 200, answer
    found = {row["label"]: row["probability"] for row in answer["top"]}
    assert found == {"good": good, "bad": 1 - good}


def test_many_texts_at_once(http: httpx.Client) -> None:
    _, answer = said(http, b'["fine", "poor", "x"]')
    assert [row["label"] for row in answer["rows"]] == ["good", "bad", "good"]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"\xff\xfe", "text/plain", "expected text of UTF-8"),
        (b"", "text/plain", "received nothing"),
        (b"3", "application/json", "expected text, received int"),
        (b"[]", "application/json", "expected a text, received none"),
        (b"null", "application/json", "expected text, received NoneType"),
        (b'{"txt": "x"}', "application/json", 'field "txt" is unknown: expected text'),
        (b"{}", "application/json", "expected text, received NoneType"),
        (b'{"text": null}', "application/json", "expected text"),
        (b'["a", ["b", "c"]]', "application/json", "expected text, received list"),
    ],
)
def test_what_is_no_text(http: httpx.Client, body: bytes, kind: str, message: str) -> None:
    status, answer = said(http, body, kind)
    assert status == 400
    assert message in answer["error"]


def test_a_text_that_is_too_long(http: httpx.Client) -> None:
    status, answer = said(http, b"x" * 1_000_001, "text/plain")
    assert status == 413
    assert "at most 1000000 characters" in answer["error"]


def test_a_model_of_pictures_takes_no_text(http: httpx.Client) -> None:
    reply = http.post("/predict/linear", content=b"fine", headers={"content-type": "text/plain"})
    assert reply.status_code == 400


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_the_open_inference_protocol(http: httpx.Client, shape: list[int]) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": shape, "data": ["fine", "grün"]}
    for _ in range(2):  # the second may be read by what was learnt of the first
        reply = http.post("/v2/models/mood/infer", json={"inputs": [tensor]}).json()
        assert reply["outputs"][0]["data"] == [0.75, 0.25, 1.0, 0.0]


def test_a_wrong_shape_is_still_refused(http: httpx.Client) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1, 2], "data": ["fine", "grün"]}
    reply = http.post("/v2/models/mood/infer", json={"inputs": [tensor]})
    assert reply.status_code == 400
    assert "expected string[?, 1], received string[1, 2]" in reply.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ["fine", "poor"]},
        {"instances": [["fine"], ["poor"]]},
        {"instances": [{"text": "fine"}, {"text": "poor"}]},
        {"inputs": ["fine", "poor"]},
        {"inputs": {"text": [["fine"], ["poor"]]}},
    ],
)
def test_tensorflow_serving(http: httpx.Client, body: dict[str, Any]) -> None:
    reply = http.post("/v1/models/mood:predict", json=body).json()
    (rows,) = reply.values()
    assert rows == [[0.75, 0.25], [0.25, 0.75]]


def test_tensorflow_serving_examples(http: httpx.Client) -> None:
    reply = http.post("/v1/models/mood:classify", json={"examples": [{"text": "fine"}]}).json()
    assert reply == {"results": [[["good", 0.75], ["bad", 0.25]]]}


def test_graphql(http: httpx.Client) -> None:
    query = 'query { predict(model: "mood", fields: {text: "poor"}) { label probability } }'
    reply = http.post("/graphql", json={"query": query}).json()
    assert reply["data"]["predict"] == {"label": "bad", "probability": 0.75}


def test_the_client(house: Live) -> None:
    with Client(house.url) as client:
        assert client.predict("mood", "fine").label == "good"
        assert client.predict("mood", {"text": "poor"}).probability == 0.75
        for shape in ((2,), (2, 1)):
            texts = np.array(["fine", "grün"], object).reshape(shape)
            assert client.infer("mood", text=texts)["odds"].tolist() == [[0.75, 0.25], [1, 0]]


def test_a_websocket(house: Live) -> None:
    url = house.url.replace("http", "ws") + "/ws/mood"
    with connect(url) as socket:
        for frame in ({"text": "poor"}, {"value": "poor"}, {"id": "7", "value": ["poor"]}):
            socket.send(json.dumps(frame))
            assert json.loads(socket.recv())["label"] == "bad"
