"""The GraphQL door: its schema, its limits, and GraphQL over HTTP as its own audits see it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
import uvicorn
from gql import Client, FileVar, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from numen.control.app import build
from numen.core.bundle import GOLDEN, Bundle, Golden, pack_golden
from numen.core.manifest import (
    Classification,
    Column,
    ColumnsInput,
    ImageInput,
    Manifest,
    Variant,
)
from numen.core.settings import Settings
from numen.core.signature import Signature, TensorSpec
from numen.registry import Registry, bundle_folder
from numen.runtime.onnx import OnnxRuntime
from numen.serve.service import Service
from numen.server import Keeper
from numen.transport.fast import protocol_for

AUDIT = Path(__file__).parent / "graphql_http"
LABELS = ("rock", "paper", "scissors")
RESPONSE_JSON = "application/graphql-response+json"
PREDICT = """
    mutation ($model: String!, $version: String, $inputs: [TensorInput!], $image: String,
              $upload: Upload, $fields: JSON) {
      predict(model: $model, version: $version, inputs: $inputs, image: $image, upload: $upload,
              fields: $fields) {
        model version label probability milliseconds
        top { label probability }
        outputs { name datatype shape data }
        rows
      }
    }
"""


def publish(registry: Registry, settings: Settings, name: str, how: Any, seed: int) -> None:
    """Publishes softmax(x·W + b) of four values to three labels."""
    random = np.random.default_rng(seed)
    row = (2, 2) if isinstance(how, ImageInput) else (4,)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "W", "b"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["p"]),
        ],
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *row])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["n", 3])],
        [
            numpy_helper.from_array(random.normal(size=(4, 3)).astype(np.float32), "W"),
            numpy_helper.from_array(random.normal(size=3).astype(np.float32), "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    target = bundle_folder(settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    file = target.parent / f"{name}-{seed}.onnx"
    file.write_bytes(model.SerializeToString())
    runtime = OnnxRuntime()
    runtime.open(file)
    inputs = {"x": random.normal(size=(4, *row)).astype(np.float32)}
    golden = Golden(inputs, runtime.predict(inputs))
    runtime.close()
    manifest = Manifest(
        Signature(
            (TensorSpec("x", "float32", (None, *row)),), (TensorSpec("p", "float32", (None, 3)),)
        ),
        (Variant("fp32", "onnx", "predict.onnx"),),
        preprocess=how,
        postprocess=Classification("p", LABELS),
        metrics={"accuracy": 0.9 + seed / 100},
        framework="by hand",
        family="linear",
        dataset="none",
    )
    files: dict[str, Path | bytes] = {"predict.onnx": file, GOLDEN: pack_golden(golden)}
    registry.publish(name, Bundle.write(target, manifest, files))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with `hands` (two versions, of named columns) and `dots` (of pictures)."""
    settings = Settings(home=str(tmp_path_factory.mktemp("numen")), max_body=4 << 20, poll=0.05)
    registry = Registry.of(settings)
    columns = (Column("kind", ("left", "right")), Column("a"), Column("b"), Column("c"))
    publish(registry, settings, "hands", ColumnsInput("x", columns), 1)
    publish(registry, settings, "hands", ColumnsInput("x", columns), 2)
    publish(registry, settings, "dots", ImageInput("x", 2, 2, scale=1 / 255), 3)
    # With its protocol said, so that asyncio too sends answers without waiting (TCP_NODELAY).
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    running: list[uvicorn.Server] = []

    async def serve() -> None:
        service = Service()
        keeper = Keeper(service, registry, settings)
        await keeper.update(strict=True)
        config = uvicorn.Config(
            build(service, registry, settings, keeper),
            http=protocol_for(service, settings.max_body),
            ws="none",
            lifespan="off",
            log_config=None,
        )
        running.append(uvicorn.Server(config))
        following = asyncio.create_task(keeper.follow())
        await running[0].serve(sockets=[listener])
        following.cancel()
        service.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    while thread.is_alive() and not (running and running[0].started):
        time.sleep(0.01)
    assert thread.is_alive(), "the server did not start"
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running[0].should_exit = True
    thread.join()
    listener.close()
    registry.catalog.close()


@pytest.fixture
def http(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def ask(http: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    response = http.post("/graphql", json={"query": query, "variables": variables})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def predict(http: httpx.Client, model: str, **given: Any) -> dict[str, Any]:
    body = ask(http, PREDICT, model=model, **given)
    assert "errors" not in body, body
    found: dict[str, Any] = body["data"]["predict"]
    return found


def failure(http: httpx.Client, model: str, **given: Any) -> dict[str, Any]:
    body = ask(http, PREDICT, model=model, **given)
    assert body["data"] is None
    (error,) = body["errors"]
    assert error["path"] == ["predict"]
    found: dict[str, Any] = error
    return found


def tensor(data: Any, shape: list[int] | None = None, **other: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "datatype": "FP32",
        "shape": shape or list(np.shape(data)),
        "data": data,
        **other,
    }


def picture() -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.array([[0, 255], [128, 7]], np.uint8)).save(target, "PNG")
    return target.getvalue()


# GraphQL over HTTP


def test_every_graphql_http_audit_passes(address: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (AUDIT / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=AUDIT, check=True)
    done = subprocess.run(
        ["node", "audit.mjs", f"{address}/graphql"],
        cwd=AUDIT, check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    results = json.loads(done.stdout)
    assert [r for r in results if r["status"] != "ok"] == []
    assert len(results) == 61


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        (f"{RESPONSE_JSON}, application/json;q=0.9", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0.5, application/json", "application/json"),
        (f"{RESPONSE_JSON}; charset=UTF-8", RESPONSE_JSON),
        (f"{RESPONSE_JSON};q=0, */*;q=0.1", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
    ],
)
def test_answers_in_the_type_most_wanted(
    http: httpx.Client, accept: str | None, expected: str
) -> None:
    request = http.build_request("POST", "/graphql", json={"query": "{ __typename }"})
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    response = http.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{expected}; charset=utf-8"
    assert response.headers["vary"] == "accept"
    assert response.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize(
    "accept",
    ["text/plain", "application/json;charset=latin-1", "application/json;q=0", "image/*", ";;,="],
)
def test_refuses_a_type_it_does_not_speak(http: httpx.Client, accept: str) -> None:
    response = http.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": accept})
    assert response.status_code == 406
    assert response.json()["errors"][0]["extensions"]["code"] == "unsupported_media"


def test_what_was_not_executed_is_400_and_has_no_data(http: httpx.Client) -> None:
    for query, variables in (
        ("{", {}),
        ("{ nothing }", {}),
        ("query ($name: String!) { model(name: $name) { name } }", {"name": 3}),
        ("query A { __typename } query B { __typename }", {}),
    ):
        response = http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"accept": RESPONSE_JSON},
        )
        assert response.status_code == 400
        assert response.json().keys() == {"errors"}
        assert response.json()["errors"][0]["extensions"]["code"] == "invalid_input"


def test_a_failed_field_is_200_with_data(http: httpx.Client) -> None:
    response = http.post(
        "/graphql",
        json={"query": '{ model(name: "nobody") { name } }'},
        headers={"accept": RESPONSE_JSON},
    )
    assert response.status_code == 200
    assert response.json()["data"] == {"model": None}
    assert response.json()["errors"][0]["extensions"]["code"] == "not_found"


def test_mutations_need_post(http: httpx.Client) -> None:
    query = 'mutation { rollback(model: "hands") { name } }'
    response = http.get("/graphql", params={"query": query})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_browsers_get_a_page_that_needs_no_other_host(http: httpx.Client) -> None:
    accept = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = http.get("/graphql", headers=accept)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "//" not in response.text.replace("// The schema", "")
    assert http.get("/graphql", params={"query": "{__typename}"}, headers=accept).json()


NESTED = '{"a":' * 50_000 + "1" + "}" * 50_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b'{"query": "\xff"}',
        b'{"query": "\\ud800"}',
        b"[" * 100_000,
        NESTED.encode(),
        b'{"query": ""}',
        b'[{"query": "{ __typename }"}]',
        b'{"query": NaN}',
    ],
)
def test_bad_bodies_are_the_callers(http: httpx.Client, body: bytes) -> None:
    response = http.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "invalid_input"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("text/plain", 415),
        ("application/json; charset=utf-16", 415),
        ("", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=x", 400),
        ("multipart/form-data; boundary=x; charset=undefined", 400),
    ],
)
def test_bad_content_types_are_the_callers(http: httpx.Client, kind: str, status: int) -> None:
    for body in (b'{"query": "{ __typename }"}', b"--x\r\n\r\n--x--", b"--x\r\nbad"):
        response = http.post("/graphql", content=body, headers={"content-type": kind})
        assert response.status_code == status
        assert response.json()["errors"][0]["message"]


# Limits


def deep(levels: int) -> str:
    return "{ __typename " * levels + "}" * levels


@pytest.mark.parametrize(
    "query",
    [
        "{ models " + deep(20) + "}",
        "{ models " + deep(1_500) + "}",
        "{ " + " ".join(f"a{i}: __typename" for i in range(17)) + " }",
        "{ " + "__typename " * 601 + "}",
        "{ " + "__typename " * 4_001 + "}",
        "{ ...f0 } "
        + " ".join(f"fragment f{i} on Query {{ ...f{i + 1} ...f{i + 1} }}" for i in range(300))
        + " fragment f300 on Query { __typename }",
        "{ ...f0 } "
        + " ".join(f"fragment f{i} on Query {{ ...f{i + 1} }}" for i in range(550))
        + " fragment f550 on Query { __typename }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "{ ...nowhere }",
        '{ predict(model: "hands", fields: ' + "[" * 1_500 + "]" * 1_500 + ") { label } }",
        "{ __schema { types" + " { fields { type" * 12 + " { name } } }" * 12 + " } }",
        "subscription { models { name } }",
        "{ __typename }" + "#" * 200_000,
    ],
)
def test_documents_that_ask_too_much_are_refused_at_once(http: httpx.Client, query: str) -> None:
    begin = time.monotonic()
    response = http.post("/graphql", json={"query": query}, headers={"accept": RESPONSE_JSON})
    assert time.monotonic() - begin < 3
    assert response.status_code in (400, 405, 413), response.text[:500]
    assert response.json()["errors"][0]["extensions"]["code"] in ("invalid_input", "too_large")


def test_a_body_over_the_limit_is_refused(http: httpx.Client) -> None:
    response = http.post("/graphql", json={"query": "{ __typename }", "x": "x" * (5 << 20)})
    assert response.status_code == 413


# Models and aliases


def test_models(http: httpx.Client) -> None:
    body = ask(
        http,
        """{ models {
             name version versions { version digest created size metrics { name value } aliases }
             aliases { name version } inputs { name datatype shape } outputs { name shape }
             preprocess postprocess labels metrics { name value }
             framework family dataset digest created size ready } }""",
    )
    dots, hands = body["data"]["models"]
    assert (dots["name"], hands["name"]) == ("dots", "hands")
    assert dots["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [None, 2, 2]}]
    assert dots["preprocess"]["type"] == "image"
    assert dots["ready"] is True
    assert hands["version"] == "1"  # the first version is champion
    assert hands["aliases"] == [{"name": "champion", "version": "1"}]
    assert [v["version"] for v in hands["versions"]] == ["1", "2"]
    assert [v["aliases"] for v in hands["versions"]] == [["champion"], []]
    assert hands["versions"][1]["metrics"] == [{"name": "accuracy", "value": 0.92}]
    assert hands["labels"] == list(LABELS)
    assert hands["digest"] == hands["versions"][0]["digest"]
    assert hands["size"] > 0
    card = http.get("/api/models/hands").json()
    for key in ("digest", "created", "size", "framework", "family", "dataset", "postprocess"):
        assert hands[key] == card[key]


def test_promote_and_rollback(http: httpx.Client) -> None:
    promote = """mutation ($version: String!, $alias: String!) {
        promote(model: "hands", version: $version, alias: $alias) { aliases { name version } } }"""
    rollback = 'mutation { rollback(model: "hands", alias: "tried") { aliases { name version } } }'
    ask(http, promote, version="1", alias="tried")
    body = ask(http, promote, version="2", alias="tried")
    assert {"name": "tried", "version": "2"} in body["data"]["promote"]["aliases"]
    body = ask(http, rollback)
    assert {"name": "tried", "version": "1"} in body["data"]["rollback"]["aliases"]
    for query, variables, code in (
        (promote, {"version": "9", "alias": "tried"}, "not_found"),
        (promote, {"version": "1", "alias": "Not An Alias"}, "invalid_input"),
        (rollback.replace("tried", "nobody"), {}, "not_found"),
    ):
        (error,) = ask(http, query, **variables)["errors"]
        assert error["extensions"]["code"] == code


# Predictions


@pytest.mark.parametrize("nested", [True, False])
def test_predicts_what_v2_predicts(http: httpx.Client, nested: bool) -> None:
    rows = np.random.default_rng(7).normal(size=(5, 4)).round(3)
    given = tensor(rows.tolist() if nested else rows.ravel().tolist(), [5, 4])
    body = http.post("/v2/models/hands/infer", json={"inputs": [given]}).json()
    found = predict(http, "hands", inputs=[given])
    (output,) = found["outputs"]
    assert output["shape"] == [5, 3]
    assert output["datatype"] == "FP32"
    np.testing.assert_allclose(output["data"], body["outputs"][0]["data"], atol=1e-6)
    first = np.array(body["outputs"][0]["data"][:3])
    assert found["label"] == LABELS[first.argmax()]
    assert found["probability"] == pytest.approx(first.max(), abs=1e-6)
    assert [s["label"] for s in found["top"]] == [LABELS[i] for i in np.argsort(-first)]
    assert len(found["rows"]) == 5
    assert (found["model"], found["version"]) == ("hands", "1")
    assert found["milliseconds"] > 0


def test_versions_and_aliases_are_honoured(http: httpx.Client) -> None:
    ask(
        http,
        'mutation { promote(model: "hands", version: "2", alias: "next") { name } }',
    )
    deadline = time.monotonic() + 10
    while http.get("/v2/models/hands/versions/2/ready").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    given = [tensor([[1, 2, 3, 4]])]
    by_number = predict(http, "hands", version="2", inputs=given)
    by_alias = predict(http, "hands", version="next", inputs=given)
    assert by_number["version"] == by_alias["version"] == "2"
    assert by_number["top"] == by_alias["top"]
    assert failure(http, "hands", version="7", inputs=given)["extensions"]["code"] == "not_found"


def test_a_picture_is_read_as_the_friendly_door_reads_it(http: httpx.Client) -> None:
    png = picture()
    expected = http.post("/predict/dots", content=png, headers={"content-type": "image/png"}).json()
    text = base64.b64encode(png).decode()
    for image in (text, f"data:image/png;base64,{text}", text[:20] + "\n" + text[20:]):
        found = predict(http, "dots", image=image)
        assert found["top"] == expected["top"]
        assert (found["label"], found["probability"]) == (
            expected["label"], expected["probability"]
        )  # fmt: skip


def test_fields_are_read_as_the_friendly_door_reads_them(http: httpx.Client) -> None:
    row = {"kind": "left", "a": 1, "b": 2.5, "c": -1}
    expected = http.post("/predict/hands", json=row).json()
    assert predict(http, "hands", fields=row)["top"] == expected["top"]
    assert predict(http, "hands", fields=[row, row])["rows"][1]["top"] == expected["top"]
    literal = (
        'query ($b: JSON) { predict(model: "hands", '
        'fields: {kind: "left", a: 1, b: $b, c: -1}) { top { label probability } } }'
    )
    body = ask(http, literal, b=2.5)
    assert body["data"]["predict"]["top"] == expected["top"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"inputs": [tensor([[1, 2, 3]])]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, 4]], datatype="FP64")]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, 4]], datatype="FLOAT")]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, 4]], name="y")]}, "y"),
        ({"inputs": [tensor([[1, 2, 3, None]])]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, "4"]])]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, 1e300]])]}, "x"),
        ({"inputs": [tensor([1, 2, 3], [1, 4])]}, "x"),
        ({"inputs": [tensor([[1, 2], [3, 4]], [1, 4])]}, "x"),
        ({"inputs": [tensor(5, [1, 4])]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, 4]], [-1, 4])]}, "x"),
        ({"inputs": [tensor([[1, 2, 3, 4]])] * 2}, "x"),
        ({"inputs": []}, "x"),
        ({"fields": {"a": 1, "z": 2}}, "z"),
        ({"fields": {"a": "one"}}, "a"),
        ({"fields": 5}, "fields"),
        ({"fields": [[1, 2, 3, 4]]}, "fields"),
        ({"fields": []}, "fields"),
        ({"image": "not base64!"}, "image"),
        ({"image": "data:text/plain,hello"}, "image"),
        ({"upload": "text"}, "upload"),
        ({}, "inputs"),
        ({"fields": {"a": 1}, "image": "aGk="}, "fields"),
    ],
)
def test_a_bad_value_is_refused_by_name(
    http: httpx.Client, given: dict[str, Any], field: str
) -> None:
    extensions = failure(http, "hands", **given)["extensions"]
    assert extensions["code"] == "invalid_input"
    assert extensions["field"] == field


def test_a_bad_value_is_refused_in_the_words_of_v2(http: httpx.Client) -> None:
    for given in (tensor([[1, 2, 3]]), tensor([[1, 2]], [1, 4]), tensor([[1, 2, 3, "4"]])):
        v2 = http.post("/v2/models/hands/infer", json={"inputs": [given]}).json()
        assert failure(http, "hands", inputs=[given])["message"] == v2["error"]


def test_bytes_that_are_no_picture(http: httpx.Client) -> None:
    error = failure(http, "dots", image="aGk=")
    assert error["extensions"]["code"] == "invalid_input"
    assert failure(http, "hands", image="aGk=")["extensions"]["code"] == "invalid_input"
    assert failure(http, "nobody", image="aGk=")["extensions"]["code"] == "not_found"


@pytest.mark.parametrize("depth", [200, 900, 1_010])
def test_deep_values_are_the_callers(http: httpx.Client, depth: int) -> None:
    value = "[" * depth + "1" + "]" * depth
    for given in ({"fields": {"kind": "DEEP"}}, {"inputs": [tensor("DEEP", [1, 4])]}):
        message = {"query": PREDICT, "variables": {"model": "hands", **given}}
        response = http.post(
            "/graphql",
            content=json.dumps(message).replace('"DEEP"', value),
            headers={"content-type": "application/json"},
        )
        assert response.status_code == 200
        assert response.json()["errors"][0]["extensions"]["code"] == "invalid_input"


@pytest.mark.parametrize("number", ["9" * 5_000, "1e999", "-1e39", "18446744073709551616"])
def test_numbers_out_of_range_are_the_callers(http: httpx.Client, number: str) -> None:
    value = '{name: "x", datatype: "FP32", shape: [1, 4], data: [1, 2, 3, NUMBER]}'
    for given in ("fields: {a: NUMBER}", f"inputs: [{value}]"):
        if number == "18446744073709551616" and "fields" in given:
            continue  # a float32 like another
        given = given.replace("NUMBER", number)
        body = ask(http, f'{{ predict(model: "hands", {given}) {{ label }} }}')
        assert body["errors"][0]["extensions"]["code"] == "invalid_input"


# Uploads


def send(http: httpx.Client, operations: Any, places: Any, **headers: str) -> httpx.Response:
    return http.post(
        "/graphql",
        data={"operations": json.dumps(operations), "map": json.dumps(places)},
        files={"0": ("dot.png", picture(), "image/png")},
        headers=headers,
    )


def test_an_upload_is_placed_where_the_map_says(http: httpx.Client) -> None:
    operations = {"query": PREDICT, "variables": {"model": "dots", "upload": None}}
    response = send(http, operations, {"0": ["variables.upload"]})
    text = base64.b64encode(picture()).decode()
    assert response.json()["data"]["predict"]["top"] == predict(http, "dots", image=text)["top"]


@pytest.mark.parametrize(
    ("variables", "places"),
    [
        ({"upload": None}, {"1": ["variables.upload"]}),
        ({"upload": None}, {"0": ["variables.other"]}),
        ({"upload": None}, {"0": ["query"]}),
        ({"upload": None}, {"0": "variables.upload"}),
        ({"upload": None}, {"0": [3]}),
        ({"upload": None}, {"0": ["variables.upload.deeper"]}),
        ({"upload": "taken"}, {"0": ["variables.upload"]}),
        ({"upload": [None]}, {"0": ["variables.upload.1"]}),
        ({"upload": [None]}, {"0": ["variables.upload.-1"]}),
        ({"upload": None}, [1]),
        (None, {"0": ["variables.upload"]}),
    ],
)
def test_bad_maps_are_the_callers(http: httpx.Client, variables: Any, places: Any) -> None:
    response = send(http, {"query": PREDICT, "variables": variables}, places)
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["field"] == "map"


def test_a_file_in_the_wrong_variable_is_the_callers(http: httpx.Client) -> None:
    for name in ("model", "image", "fields", "inputs"):
        operations = {"query": PREDICT, "variables": {"model": "dots", name: None}}
        response = send(http, operations, {"0": [f"variables.{name}"]})
        assert response.status_code == 200
        assert response.json()["errors"][0]["extensions"]["code"] == "invalid_input"


def test_another_sites_page_may_not_send_a_form(http: httpx.Client) -> None:
    operations = {"query": "mutation { __typename }"}
    places: dict[str, Any] = {}
    host = str(http.base_url)
    assert send(http, operations, places).status_code == 200
    assert send(http, operations, places, origin=host).status_code == 200
    assert send(http, operations, places, **{"sec-fetch-site": "same-origin"}).status_code == 200
    for headers in (
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": host},
    ):
        response = send(http, operations, places, **headers)
        assert response.status_code == 403
        assert response.json()["errors"][0]["extensions"]["field"] == "Origin"


# The gql client, as its users have it


def test_the_gql_client(address: str, tmp_path: Path) -> None:
    file = tmp_path / "dot.png"
    file.write_bytes(picture())

    async def journey() -> None:
        transport = AIOHTTPTransport(url=f"{address}/graphql")
        async with Client(transport=transport, fetch_schema_from_transport=True) as session:
            found = await session.execute(gql("{ models { name ready } }"))
            assert found["models"] == [
                {"name": "dots", "ready": True},
                {"name": "hands", "ready": True},
            ]
            query = gql(PREDICT)
            query.variable_values = {"model": "hands", "inputs": [tensor([[1, 2, 3, 4]])]}
            by_tensor = await session.execute(query)
            assert sum(s["probability"] for s in by_tensor["predict"]["top"]) == pytest.approx(1)
            query.variable_values = {"model": "dots", "upload": FileVar(str(file))}
            by_file = await session.execute(query, upload_files=True)
            assert by_file["predict"]["label"] in LABELS
            query.variable_values = {"model": "nobody", "image": ""}
            with pytest.raises(TransportQueryError) as caught:
                await session.execute(query)
            assert caught.value.errors is not None
            assert caught.value.errors[0]["extensions"]["code"] == "not_found"

    asyncio.run(journey())


# Defects


def test_a_defect_is_logged_and_masked(
    caplog: pytest.LogCaptureFixture, settings: Settings, registry: Registry
) -> None:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from numen.control import graphql
    from numen.control.jobs import Queue
    from numen.control.jobs.desk import Desk

    class Broken(Registry):
        def __init__(self) -> None:
            pass

        def names(self) -> list[str]:
            raise ZeroDivisionError("secret")

    app = FastAPI()
    service = Service()
    desk = Desk(service, Broken(), Queue(settings, registry.catalog.database))
    app.include_router(graphql.router(service, Broken(), desk))
    with caplog.at_level(logging.ERROR), TestClient(app) as client:
        response = client.post("/graphql", json={"query": "{ models { name } }"})
    assert response.status_code == 200
    assert "secret" not in response.text
    (error,) = response.json()["errors"]
    assert error["message"] == "numen failed on this request"
    assert error["extensions"] == {"code": "internal"}
    assert "secret" in caplog.text
