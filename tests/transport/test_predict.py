"""The friendly door: pictures, named fields and numbers in; labels and quantities out."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from wire import Wire, hot, image, output

from numen.core.errors import InvalidInput
from numen.core.manifest import Manifest, Variant
from numen.core.signature import Signature, TensorSpec
from numen.runtime.process import read_numbers
from parts import LABELS, Live, linear_graph


@pytest.fixture
def http(house: Live) -> Any:
    with httpx.Client(base_url=house.url) as found:
        yield found


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **how)
    return target.getvalue()


def test_every_kind_of_picture_says_the_same(http: httpx.Client, tmp_path: Any) -> None:
    x = np.random.default_rng(1).integers(0, 256, (28, 28), np.uint8)
    (expected,) = linear_graph(tmp_path / "linear.onnx")(x[None])
    grey = Image.fromarray(x)
    pictures = {
        "image/png": [encoded(grey.convert(mode), "PNG") for mode in ("L", "RGB", "RGBA", "I;16")
                      if mode != "I;16"],
        "image/webp": [encoded(grey, "WEBP", lossless=True)],
        "image/gif": [encoded(grey, "GIF")],
        "image/bmp": [encoded(grey, "BMP")],
    }  # fmt: skip
    for kind, bodies in pictures.items():
        for body in bodies:
            said = http.post("/predict/linear", content=body, headers={"content-type": kind}).json()
            assert (said["model"], said["version"]) == ("linear", "1")
            assert said["label"] == LABELS[expected.argmax()], kind
            assert said["probability"] == pytest.approx(expected.max(), abs=0.02)
            assert said["top"][0]["label"] == said["label"]
    big = grey.resize((280, 280), Image.Resampling.NEAREST)
    said = http.post("/predict/linear", content=encoded(big, "JPEG"),
                     headers={"content-type": "image/jpeg"})  # fmt: skip
    assert said.status_code == 200


def test_a_large_picture_holds_nobody_up(http: httpx.Client, house: Live) -> None:
    body = encoded(Image.new("RGB", (7000, 7000)), "PNG")
    done: list[int] = []

    def send() -> None:
        kind = {"content-type": "image/png"}
        done.append(httpx.post(f"{house.url}/predict/linear", content=body, headers=kind,
                               timeout=60).status_code)  # fmt: skip

    senders = [threading.Thread(target=send) for _ in range(2)]
    for sender in senders:
        sender.start()
    times = []
    with Wire(house.port) as wire:
        while any(sender.is_alive() for sender in senders):
            begin = time.perf_counter()
            wire.send(hot(image(1)))
            output(wire.read())
            times.append(time.perf_counter() - begin)
            time.sleep(0.005)
    assert done == [200] * 2
    assert len(times) > 20
    assert max(times) < 0.25  # reading one takes about a second


def test_versions_and_aliases_are_honoured(http: httpx.Client) -> None:
    body = json.dumps(image(1).tolist())
    said = {}
    for name in ("linear", "linear@1", "linear@2", "linear@champion", "linear@candidate"):
        reply = http.post(f"/predict/{name}", content=body)
        said[name] = (reply.json()["version"], reply.json()["top"])
    assert said["linear"] == said["linear@1"] == said["linear@champion"]
    assert said["linear@2"] == said["linear@candidate"]
    assert said["linear"][0], said["linear@2"][0] == ("1", "2")


def test_rows_are_answered_each(http: httpx.Client) -> None:
    said = http.post("/predict/linear?top=2", json=image(1, 3).tolist()).json()
    assert len(said["rows"]) == 3
    assert all(len(row["top"]) == 2 for row in said["rows"])
    one = http.post("/predict/linear?top=2", json=image(1, 3)[1].tolist()).json()
    assert one["label"] == said["rows"][1]["label"]


def test_fields_are_read_by_name(http: httpx.Client) -> None:
    assert http.post("/predict/table", json={"age": 30, "city": "Köln"}).json()["price"] == 70
    rows = http.post(
        "/predict/table", json=[{"city": "Bonn", "age": 1}, {"age": 2, "city": "Köln"}]
    )
    assert rows.json()["rows"] == [{"price": 2}, {"price": 14}]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("age,city\n30,Köln\n", {"price": 70}),
        ('\ufeffcity,age\r\n"Bonn",1\r\n\r\nKöln, 2\r\n', {"rows": [{"price": 2}, {"price": 14}]}),
        ("age,city\n30\n", "body: line 2: expected 2 fields, received 1"),
        ('age,city\n30,"Köln\n', "body: line 2: unexpected end of data"),
        ("age,age\n1,2\n", 'body: column "age" is there twice'),
        ("age,city\n", "body: expected a header and at least one row"),
        ("age,colour\n30,red\n", 'field "colour" is unknown: expected age, city'),
        ("age,city\nold,Bonn\n", 'field "age": expected a finite number, received "old"'),
    ],
)
def test_a_table_is_read_from_csv(http: httpx.Client, table: str, said: Any) -> None:
    reply = http.post("/predict/table", content=table, headers={"content-type": "text/csv"})
    found = reply.json()
    assert reply.status_code == (400 if isinstance(said, str) else 200), found
    if isinstance(said, str):
        assert (found["error"], found["code"]) == (said, "invalid_input")
    else:
        assert said.items() <= found.items()


def test_what_it_is_for_the_model_can_be_sent_on(http: httpx.Client) -> None:
    picture = encoded(Image.fromarray(np.eye(28, dtype=np.uint8) * 200), "PNG")
    for name, body, kind in (
        ("linear", picture, "image/png"),
        ("table", json.dumps({"age": 30, "city": "Köln"}).encode(), "application/json"),
    ):
        ready = http.post(f"/predict/{name}/input", content=body, headers={"content-type": kind})
        length = "inference-header-content-length"
        said = http.post(
            f"/v2/models/{name}/infer",
            content=ready.content,
            headers={length: ready.headers[length], "content-type": ready.headers["content-type"]},
        ).json()
        known = http.post(f"/predict/{name}", content=body, headers={"content-type": kind}).json()
        best = max(said["outputs"][0]["data"])
        assert best == pytest.approx(known.get("probability", known.get("price")))


def test_a_set_names_what_cannot_be_ruled_out(http: httpx.Client) -> None:
    said = http.post("/predict/mood?top=1", json=["fine", "poor", "nothing"]).json()
    assert [row["set"] for row in said["rows"]] == [["good"], ["bad"], ["good", "bad"]]
    assert len(said["rows"][2]["top"]) == 1
    assert "set" not in http.post("/predict/linear", json=image(1).tolist()).json()
    schema = http.get("/openapi.json").json()["paths"]["/predict/{model}"]["post"]["responses"]
    (content,) = schema["200"]["content"].values()
    assert {"set", "interval"} <= content["schema"]["properties"].keys()


def test_what_json_cannot_say_goes_as_null(http: httpx.Client) -> None:
    assert http.post("/predict/log", json=[[-1, 0]]).json()["y"] == [None, None]
    said = http.post("/v1/models/log:predict", json={"instances": [[-1, 0]]})
    assert said.json() == {"predictions": [[None, None]]}


def manifest(dtype: str) -> Manifest:
    spec = TensorSpec("x", dtype, (None, 2))
    return Manifest(Signature((spec,), (spec,)), (Variant("fp32", "onnx", "m.onnx"),))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int64", [1, 2]), ("int64", [1.0, 2.0]), ("uint8", [[0, 255], [1, 2]]), ("bool", [True, False]),
        ("bool", [0, 1]), ("float32", [1, 2.5]), ("float16", [1, 2]), ("float64", [True, 0.1]),
        ("string", ["a", "grün"]), ("string", [["a", "b"], ["c", ""]]),
    ],
)  # fmt: skip
def test_numbers_are_read_as_the_model_wants_them(dtype: str, value: Any) -> None:
    made = manifest(dtype)
    arrays = read_numbers(made, value)
    made.signature.check(arrays)
    np.testing.assert_array_equal(arrays["x"].reshape(np.shape(value)), np.array(value))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("int64", [1.5, 2]), ("uint8", [256, 0]), ("uint8", [-1, 0]), ("int8", [128, 0]),
        ("int64", [1e30, 0]), ("int64", ["1", "2"]), ("bool", [2, 0]), ("int32", [float("nan"), 0]),
        ("string", [1, 2]), ("string", ["a", 1, None]), ("float32", ["a", "b"]),
        ("float32", [1e39, 0]), ("float16", [70000, 0]), ("float32", [[1], [2, 3]]),
        ("int64", [2**70, 0]), ("uint64", [2**63, -1]), ("float32", [1, None]),
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit_are_refused_not_bent(dtype: str, value: Any) -> None:
    made = manifest(dtype)
    with pytest.raises(InvalidInput, match='"x"') as caught:
        made.signature.check(read_numbers(made, value))
    assert caught.value.field == "x"
