"""Triton's own Python client, unmodified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from parts import Live, linear_graph, make_bundle


@pytest.fixture
def client(live: Live) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(live.url.removeprefix("http://"), concurrency=8) as found:
        yield found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[np.ndarray], np.ndarray]:
    return linear_graph(tmp_path_factory.mktemp("graph") / "linear.onnx")


def images(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 28, 28), np.float32) * 255


def given(x: np.ndarray, binary: bool = True) -> list[triton.InferInput]:
    tensor = triton.InferInput("image", list(x.shape), "FP32")
    tensor.set_data_from_numpy(x, binary_data=binary)
    return [tensor]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("wanted", ["default", "binary", "json"])
def test_it_infers(
    client: triton.InferenceServerClient,
    reference: Callable[[np.ndarray], np.ndarray],
    binary_in: bool,
    wanted: str,
) -> None:
    x = images(1, 3)
    outputs = None
    if wanted != "default":
        outputs = [triton.InferRequestedOutput("probabilities", binary_data=wanted == "binary")]
    result = client.infer("linear", given(x, binary_in), request_id="seven", outputs=outputs)
    np.testing.assert_allclose(result.as_numpy("probabilities"), reference(x), atol=1e-5)
    response = result.get_response()
    assert response["id"] == "seven"
    assert (response["model_name"], response["model_version"]) == ("linear", "1")
    (output,) = response["outputs"]
    assert ("data" in output) is (wanted == "json")


def test_it_infers_on_a_version_within_a_time(client: triton.InferenceServerClient) -> None:
    x = images(2, 1)
    result = client.infer("linear", given(x), model_version="1", timeout=10_000_000)
    assert result.as_numpy("probabilities").shape == (1, 10)


def test_many_asynchronous_calls_get_their_own_answers(
    client: triton.InferenceServerClient, reference: Callable[[np.ndarray], np.ndarray]
) -> None:
    batches = [images(seed, 1 + seed % 5) for seed in range(40)]
    calls = [client.async_infer("linear", given(x)) for x in batches]
    for x, call in zip(batches, calls, strict=True):
        got = call.get_result().as_numpy("probabilities")
        np.testing.assert_allclose(got, reference(x), atol=1e-5)


def test_it_asks_what_there_is(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("linear")
    assert client.is_model_ready("linear", "1")
    assert not client.is_model_ready("none")
    assert not client.is_model_ready("linear", "7")
    server = client.get_server_metadata()
    assert server["name"] == "numen"
    assert "binary_tensor_data" in server["extensions"]
    model = client.get_model_metadata("linear")
    assert model["versions"] == ["1"]
    assert model["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 28, 28]}]
    assert model["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}]
    index = client.get_model_repository_index()
    assert {"name": "linear", "version": "1", "state": "READY", "reason": ""} in index


def test_it_asks_what_was_done(client: triton.InferenceServerClient) -> None:
    def counted(**where: str) -> tuple[int, int]:
        stats = client.get_inference_statistics(**where)["model_stats"]
        (one,) = (row for row in stats if row["name"] == "linear")
        return one["inference_count"], one["inference_stats"]["success"]["count"]

    before = counted(model_name="linear")
    client.infer("linear", given(images(3, 5)))
    assert counted(model_name="linear") == (before[0] + 5, before[1] + 1)
    assert counted(model_name="linear", model_version="1") == (before[0] + 5, before[1] + 1)
    assert counted() == (before[0] + 5, before[1] + 1)


@pytest.mark.parametrize(
    ("model", "shape", "options", "says", "status"),
    [
        ("none", (1, 28, 28), {}, "not live", "404"),
        ("linear", (1, 784), {}, 'input "image": expected float32[?, 28, 28]', "400"),
        ("linear", (1, 28, 28), {"model_version": "9"}, "not live", "404"),
        ("linear", (1, 28, 28), {"outputs": "odd"}, 'output "odd" is unknown', "400"),
        ("linear", (1, 28, 28), {"headers": {"Numen-Deadline-Ms": "0"}}, "deadline", "504"),
    ],
)
def test_errors_are_raised(
    client: triton.InferenceServerClient, model: str, shape: tuple[int, ...], options: dict,
    says: str, status: str,
) -> None:  # fmt: skip
    if "outputs" in options:
        options = {"outputs": [triton.InferRequestedOutput(options["outputs"])]}
    tensor = given(np.zeros(shape, np.float32))
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, tensor, **options)
    assert says in caught.value.message()
    assert caught.value.status() == status
    with pytest.raises(InferenceServerException):
        client.get_model_metadata("none")
    with pytest.raises(InferenceServerException):
        client.get_inference_statistics("none")
    with pytest.raises(InferenceServerException):
        client.load_model("none")


def test_it_unloads_and_loads(live: Live, tmp_path: Path) -> None:
    live.registry.publish("passing", make_bundle(tmp_path, 5))
    with triton.InferenceServerClient(live.url.removeprefix("http://")) as client:
        client.load_model("passing")
        assert client.is_model_ready("passing")
        client.unload_model("passing")
        assert not client.is_model_ready("passing")
        states = {row["name"]: row["state"] for row in client.get_model_repository_index()}
        assert states["passing"] == "UNAVAILABLE"
        client.load_model("passing")
        assert client.infer("passing", given(images(1, 1))).as_numpy("probabilities").shape == (
            1,
            10,
        )
        client.unload_model("passing")


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_it_packs_both_ways(
    client: triton.InferenceServerClient,
    reference: Callable[[np.ndarray], np.ndarray],
    algorithm: str,
    binary: bool,
) -> None:
    x = images(4, 60)
    result = client.infer(
        "linear", given(x, binary),
        outputs=[triton.InferRequestedOutput("probabilities", binary_data=binary)],
        request_compression_algorithm=algorithm, response_compression_algorithm=algorithm,
    )  # fmt: skip
    np.testing.assert_allclose(result.as_numpy("probabilities"), reference(x), atol=1e-5)
