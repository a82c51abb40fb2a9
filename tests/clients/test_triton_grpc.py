"""Triton's own Python clients for gRPC, unmodified: synchronous, asynchronous, streaming."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, free_port, linear_graph, make_bundle, start_server, stop
from transport import models


@pytest.fixture(scope="module", params=["numen", "grpcio"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Live, str]]:
    """A server, and the address of its gRPC port."""
    home = tmp_path_factory.mktemp("triton-grpc")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    registry.publish("words", models.words(home / "make"))
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_GRPC_CARRIER", request.param)
        url, process = start_server(home, "--grpc-port", str(port))
    yield Live(url, home, registry, process), f"127.0.0.1:{port}"
    stop(process)
    registry.catalog.close()


@pytest.fixture
def client(place: tuple[Live, str]) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(place[1]) as found:
        yield found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[np.ndarray], np.ndarray]:
    return linear_graph(tmp_path_factory.mktemp("graph") / "linear.onnx")


def images(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 28, 28), np.float32) * 255


def given(x: np.ndarray) -> list[triton.InferInput]:
    tensor = triton.InferInput("image", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x)
    return [tensor]


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_it_infers(
    client: triton.InferenceServerClient,
    reference: Callable[[np.ndarray], np.ndarray],
    packed: str | None,
) -> None:
    x = images(1, 3)
    outputs = [triton.InferRequestedOutput("probabilities")]
    result = client.infer(
        "linear", given(x), model_version="1", request_id="seven", outputs=outputs,
        timeout=10_000_000, client_timeout=20, compression_algorithm=packed,
    )  # fmt: skip
    np.testing.assert_allclose(result.as_numpy("probabilities"), reference(x), atol=1e-5)
    response = result.get_response(as_json=True)
    assert response["id"] == "seven"
    assert (response["model_name"], response["model_version"]) == ("linear", "1")
    assert response["parameters"]["numen_served_by"] == {"string_param": "linear@1/fp32"}


def test_texts_go_in(client: triton.InferenceServerClient) -> None:
    tensor = triton.InferInput("text", [1, 2], "BYTES")
    tensor.set_data_from_numpy(np.array([["grün", "日本"]], dtype=object))
    found = client.infer("words", [tensor]).as_numpy("length")
    assert found.tolist() == [[4.0, 2.0]]


def test_many_asynchronous_calls_get_their_own_answers(
    client: triton.InferenceServerClient, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    batches = [images(seed, 1 + seed % 5) for seed in range(40)]
    came: queue.Queue[tuple[Any, Any]] = queue.Queue()
    for seed, x in enumerate(batches):
        client.async_infer(
            "linear", given(x), lambda result, error: came.put((result, error)),
            request_id=str(seed),
        )  # fmt: skip
    for _ in batches:
        result, error = came.get(timeout=20)
        assert error is None
        x = batches[int(result.get_response().id)]
        np.testing.assert_allclose(result.as_numpy("probabilities"), reference(x), atol=1e-5)


def test_a_stream_answers_and_says_what_is_wrong(
    client: triton.InferenceServerClient, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    came: queue.Queue[tuple[Any, Any]] = queue.Queue()
    client.start_stream(lambda result, error: came.put((result, error)))
    for seed in range(50):
        client.async_stream_infer("linear", given(images(seed, 1)), request_id=str(seed))
    client.async_stream_infer("none", given(images(0, 1)), request_id="wrong")
    client.async_stream_infer(
        "linear", given(images(50, 1)), request_id="50", enable_empty_final_response=True
    )
    seen = [came.get(timeout=20) for _ in range(52)]
    client.stop_stream()
    (error,) = (error for _, error in seen if error is not None)
    assert "model 'none' is not live" in error.message()
    answers = [result for result, _ in seen if result is not None]
    assert sorted(int(one.get_response().id) for one in answers) == list(range(51))
    for one in answers:
        expected = reference(images(int(one.get_response().id), 1))
        np.testing.assert_allclose(one.as_numpy("probabilities"), expected, atol=1e-5)
        assert one.get_response().parameters["triton_final_response"].bool_param


def test_it_asks_what_there_is(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("linear")
    assert client.is_model_ready("linear", "1")
    assert not client.is_model_ready("none")
    assert not client.is_model_ready("linear", "7")
    server = client.get_server_metadata(as_json=True)
    assert server["name"] == "numen"
    assert "model_repository" in server["extensions"]
    model = client.get_model_metadata("linear", as_json=True)
    assert model["versions"] == ["1"]
    assert model["inputs"] == [{"name": "image", "datatype": "FP32", "shape": ["-1", "28", "28"]}]
    config = client.get_model_config("linear", as_json=True)["config"]
    assert config["input"] == [{"name": "image", "data_type": "TYPE_FP32", "dims": ["28", "28"]}]
    index = client.get_model_repository_index(as_json=True)["models"]
    assert {"name": "linear", "version": "1", "state": "READY"} in index


def test_it_asks_what_was_done(client: triton.InferenceServerClient) -> None:
    def counted(**where: str) -> tuple[int, int]:
        stats = client.get_inference_statistics(**where).model_stats
        (one,) = (row for row in stats if row.name == "linear")
        return one.inference_count, one.inference_stats.success.count

    before = counted(model_name="linear")
    client.infer("linear", given(images(3, 5)))
    assert counted(model_name="linear") == (before[0] + 5, before[1] + 1)
    assert counted(model_name="linear", model_version="1") == (before[0] + 5, before[1] + 1)
    assert counted() == (before[0] + 5, before[1] + 1)


@pytest.mark.parametrize(
    ("model", "shape", "options", "says", "status"),
    [
        ("none", (1, 28, 28), {}, "not live", "NOT_FOUND"),
        ("linear", (1, 784), {}, "expected float32[?, 28, 28]", "INVALID_ARGUMENT"),
        ("linear", (1, 28, 28), {"model_version": "9"}, "not live", "NOT_FOUND"),
        ("linear", (1, 28, 28), {"outputs": "odd"}, 'output "odd" is unknown', "INVALID_ARGUMENT"),
        ("linear", (1, 28, 28), {"outputs": "top"}, "classification is not", "INVALID_ARGUMENT"),
    ],
)  # fmt: skip
def test_errors_are_raised(
    client: triton.InferenceServerClient, model: str, shape: tuple[int, ...], options: dict,
    says: str, status: str,
) -> None:  # fmt: skip
    if "outputs" in options:
        name, count = ("probabilities", 3) if options["outputs"] == "top" else ("odd", 0)
        options = {"outputs": [triton.InferRequestedOutput(name, class_count=count)]}
    tensor = given(np.zeros(shape, np.float32))
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, tensor, **options)
    assert says in caught.value.message()
    assert caught.value.status() == f"StatusCode.{status}"
    for ask in (client.get_model_metadata, client.get_inference_statistics, client.load_model):
        with pytest.raises(InferenceServerException):
            ask("none")
    with pytest.raises(InferenceServerException) as caught:
        client.get_system_shared_memory_status()
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"


def test_it_unloads_and_loads(place: tuple[Live, str], tmp_path: Path) -> None:
    live, address = place
    live.registry.publish("passing", make_bundle(tmp_path, 5))
    with triton.InferenceServerClient(address) as client:
        client.load_model("passing")
        assert client.is_model_ready("passing")
        client.unload_model("passing")
        assert not client.is_model_ready("passing")
        index = client.get_model_repository_index().models
        assert {row.state for row in index if row.name == "passing"} == {"UNAVAILABLE"}
        client.load_model("passing")
        assert client.infer("passing", given(images(1, 1))).as_numpy("probabilities").size == 10
        client.unload_model("passing")


def test_its_asynchronous_client(
    place: tuple[Live, str], reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    async def ask() -> None:
        async with triton_aio.InferenceServerClient(place[1]) as client:
            assert await client.is_server_ready()
            batches = [images(seed, 1 + seed % 5) for seed in range(40)]
            results = await asyncio.gather(*(client.infer("linear", given(x)) for x in batches))
            for x, result in zip(batches, results, strict=True):
                found = result.as_numpy("probabilities")
                np.testing.assert_allclose(found, reference(x), atol=1e-5)

            async def asked() -> AsyncIterator[dict[str, Any]]:
                for seed, x in enumerate(batches):
                    yield {"model_name": "linear", "inputs": given(x), "request_id": str(seed)}
                yield {"model_name": "none", "inputs": given(batches[0]), "request_id": "wrong"}

            seen = 0
            async for result, error in client.stream_infer(asked()):
                if error is not None:
                    assert "not live" in error.message()
                    continue
                x = batches[int(result.get_response().id)]
                found = result.as_numpy("probabilities")
                np.testing.assert_allclose(found, reference(x), atol=1e-5)
                seen += 1
            assert seen == 40

    asyncio.run(ask())
