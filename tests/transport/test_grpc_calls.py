"""Every call over gRPC, by grpcio's client, whoever carries it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import models
import numpy as np
import pytest
from grpc_parts import (
    CARRIERS,
    SERVICE,
    GrpcDoor,
    ask,
    infer,
    infer_message,
    open_grpc_door,
    until,
)
from wire import image

from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.core.signature import DATATYPES
from numen.registry import Registry
from numen.transport.proto import HEALTH, INFERENCE, REFLECTION, REFLECTION_ALPHA
from parts import Live, free_port, make_bundle, start_server, stop

CODE = grpc.StatusCode


@pytest.fixture(scope="module", params=CARRIERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Live, grpc.Channel]]:
    """A server with all models."""
    home = tmp_path_factory.mktemp("grpc")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    registry.publish("linear", make_bundle(home / "make", 1), "candidate")
    for name, make in models.ALL.items():
        registry.publish(name, make(home / "make"))
    port = free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_GRPC_CARRIER", request.param)
        url, process = start_server(home, "--grpc-port", str(port))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Live(url, home, registry, process), channel
    stop(process)
    registry.catalog.close()


@pytest.fixture
def channel(served: tuple[Live, grpc.Channel]) -> grpc.Channel:
    return served[1]


@pytest.fixture(params=CARRIERS)
def door(request: pytest.FixtureRequest, bundle: Bundle) -> Iterator[GrpcDoor]:
    with open_grpc_door(bundle, request.param) as found:
        yield found


def outputs(answer: Any) -> dict[str, np.ndarray]:
    """An answer's tensors of numbers."""
    return {
        tensor.name: np.frombuffer(raw, DATATYPES[tensor.datatype]).reshape(tensor.shape)
        for tensor, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }


def refused(channel: grpc.Channel, message: Any, **how: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        infer(channel, message, **how)
    return caught.value


FIELDS = {
    "bool": "bool_contents", "int8": "int_contents", "int16": "int_contents",
    "int32": "int_contents", "int64": "int64_contents", "uint8": "uint_contents",
    "uint16": "uint_contents", "uint32": "uint_contents", "uint64": "uint64_contents",
    "float32": "fp32_contents", "float64": "fp64_contents",
}  # fmt: skip
ODD = {
    "bool": [True, False, True, True], "float16": [-1.5, 0, 2, 65504], "float32": [-1.5, 0, 2, 3e38],
    "float64": [-1.5, 0, 2, 1e300],
}  # fmt: skip


def values(dtype: str) -> np.ndarray:
    if dtype in ODD:
        return np.array(ODD[dtype], dtype).reshape(1, 2, 2)
    info = np.iinfo(dtype)
    return np.array([info.min, 0, 1, info.max], dtype).reshape(1, 2, 2)


def echo_message(typed: str | None) -> Any:
    """All datatypes at once; typed tensors need an FP16 that is not there."""
    message = INFERENCE.ModelInferRequest(model_name="echo")
    for v2, dtype in DATATYPES.items():
        if dtype == "string":
            continue
        x = values(dtype)
        tensor = message.inputs.add(name=f"x_{v2.lower()}", datatype=v2, shape=x.shape)
        if typed is None:
            message.raw_input_contents.append(x.tobytes())
        elif dtype == typed:
            getattr(tensor.contents, FIELDS[dtype]).extend(x.reshape(-1).tolist())
    return message


def test_every_datatype_travels_raw(channel: grpc.Channel) -> None:
    for _ in range(3):  # the first is parsed, the others are known
        found = outputs(infer(channel, echo_message(None)))
        for v2, dtype in DATATYPES.items():
            if dtype != "string":
                np.testing.assert_array_equal(found[f"y_{v2.lower()}"], values(dtype))


@pytest.mark.parametrize("dtype", FIELDS)
def test_typed_values_are_read(dtype: str, tmp_path: Path) -> None:
    from numen.transport.grpc_v2 import _typed

    x = values(dtype)
    contents = INFERENCE.InferTensorContents(**{FIELDS[dtype]: x.reshape(-1).tolist()})
    found = _typed(contents, dtype, x.shape, "x")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, x)


def test_typed_tensors_of_two_inputs(channel: grpc.Channel) -> None:
    message = INFERENCE.ModelInferRequest(model_name="pair", id="7")
    for name, row in (("a", [5, 7]), ("b", [1, 2])):
        tensor = message.inputs.add(name=name, datatype="INT64", shape=[1, 2])
        tensor.contents.int64_contents.extend(row)
    message.outputs.add(name="difference")
    for _ in range(2):
        answer = infer(channel, message)
        assert answer.id == "7"
        assert {k: v.tolist() for k, v in outputs(answer).items()} == {"difference": [[4, 5]]}


def test_typed_floats_are_known_by_their_outline(channel: grpc.Channel) -> None:
    for seed in range(4):
        x = image(seed, 2)
        message = INFERENCE.ModelInferRequest(model_name="linear", id=f"id-{seed}")
        tensor = message.inputs.add(name="image", datatype="FP32", shape=x.shape)
        tensor.contents.fp32_contents.extend(x.reshape(-1).tolist())
        typed = infer(channel, message)
        raw = infer(channel, infer_message(x))
        assert typed.id == f"id-{seed}"
        assert typed.raw_output_contents == raw.raw_output_contents


@pytest.mark.parametrize("raw", [True, False])
def test_texts_travel(channel: grpc.Channel, raw: bool) -> None:
    message = INFERENCE.ModelInferRequest(model_name="words")
    tensor = message.inputs.add(name="text", datatype="BYTES", shape=[1, 2])
    texts = ["grün".encode(), b"a"]
    if raw:
        joined = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
        message.raw_input_contents.append(joined)
    else:
        tensor.contents.bytes_contents.extend(texts)
    assert outputs(infer(channel, message))["length"].tolist() == [[4.0, 1.0]]


def test_versions_and_aliases(channel: grpc.Channel) -> None:
    x = image(3)
    said = {}
    for version in ("", "1", "2", "candidate"):
        message = infer_message(x)
        message.model_version = version
        for _ in range(2):
            answer = infer(channel, message)
            said[version] = (answer.model_version, answer.raw_output_contents[0])
            assert answer.model_name == "linear"
    assert said["candidate"] == said["2"]
    assert said["1"] != said["2"]
    assert said["2"][0] == "2"
    assert said[""][0] in ("1", "2")


def test_an_answer_says_who_gave_it(channel: grpc.Channel) -> None:
    call = channel.unary_unary(
        f"{SERVICE}ModelInfer", INFERENCE.ModelInferRequest.SerializeToString,
        INFERENCE.ModelInferResponse.FromString,
    )  # fmt: skip
    message = infer_message(image(1))
    message.model_version = "1"
    answer, done = call.with_call(message, timeout=20)
    assert answer.parameters["numen_served_by"].string_param == "linear@1/fp32"
    assert answer.parameters["numen_outcome"].string_param == "met"
    beside = dict(done.trailing_metadata())
    assert beside["numen-served-by"] == "linear@1/fp32"
    assert beside["numen-outcome"] == "met"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_answer_says_that_it_is_not_the_best(bundle: Bundle, carrier: str) -> None:
    with (
        open_grpc_door(bundle, carrier, open_gate=True, slow=True) as door,
        door.channel() as channel,
    ):
        call = channel.unary_unary(f"{SERVICE}ModelInfer")
        message = infer_message(image(1)).SerializeToString()
        for seconds, variant, outcome in ((1, "int8", "degraded"), (60, "fp32", "met")):
            body, done = call.with_call(message, timeout=seconds)
            answer = INFERENCE.ModelInferResponse.FromString(body)
            beside = dict(done.trailing_metadata())
            assert beside["numen-served-by"] == f"linear@1/{variant}"
            assert beside["numen-outcome"] == outcome
            assert answer.parameters["numen_outcome"].string_param == outcome


def test_many_at_once_get_their_own_answers(channel: grpc.Channel) -> None:
    call = channel.unary_unary(
        f"{SERVICE}ModelInfer", INFERENCE.ModelInferRequest.SerializeToString,
        INFERENCE.ModelInferResponse.FromString,
    )  # fmt: skip
    alone = [
        outputs(infer(channel, infer_message(image(seed, 1 + seed % 3)))) for seed in range(60)
    ]
    under_way = [
        call.future(infer_message(image(seed, 1 + seed % 3), str(seed)), timeout=20)
        for seed in range(60)
    ]
    for seed, one in enumerate(under_way):
        answer = one.result()
        assert answer.id == str(seed)
        np.testing.assert_allclose(
            outputs(answer)["probabilities"], alone[seed]["probabilities"], atol=1e-5
        )


def change(message: Any, how: str) -> Any:
    tensor = message.inputs[0]
    if how == "model":
        message.model_name = "none"
    elif how == "version":
        message.model_version = "9"
    elif how == "datatype":
        tensor.datatype = "FP8"
    elif how == "shape":
        tensor.shape[:] = [1, 784]
    elif how == "negative":
        tensor.shape[:] = [-1, 28, 28]
    elif how == "short":
        message.raw_input_contents[0] = b"1234"
    elif how == "mixed":
        tensor.contents.fp32_contents.append(1)
    elif how == "two raw":
        message.raw_input_contents.append(b"")
    elif how == "typed short":
        del message.raw_input_contents[:]
        tensor.contents.fp32_contents.append(1)
    elif how == "another field":
        del message.raw_input_contents[:]
        tensor.contents.fp64_contents.extend([0.0] * 784)
    elif how == "twice":
        message.inputs.append(tensor)
        message.raw_input_contents.append(b"")
    elif how == "nameless":
        tensor.name = ""
    elif how == "output":
        message.outputs.add(name="odd")
    elif how == "output twice":
        message.outputs.add(name="probabilities")
        message.outputs.add(name="probabilities")
    elif how == "classification":
        message.outputs.add(name="probabilities").parameters["classification"].int64_param = 3
    elif how == "shared memory":
        tensor.parameters["shared_memory_region"].string_param = "x"
    elif how == "nan":
        message.raw_input_contents[0] = np.full((1, 28, 28), np.nan, np.float32).tobytes()
    elif how == "deadline":
        message.parameters["deadline_ms"].int64_param = -1
    elif how == "timeout":
        message.parameters["timeout"].bool_param = True
    elif how == "no time":
        message.parameters["deadline_ms"].int64_param = 0
    return message


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("model", CODE.NOT_FOUND, 'model \'none\' is not live'),
        ("version", CODE.NOT_FOUND, "version '9' is not live"),
        ("datatype", CODE.INVALID_ARGUMENT, "expected datatype to be one of BOOL"),
        ("shape", CODE.INVALID_ARGUMENT, "expected float32[?, 28, 28]"),
        ("negative", CODE.INVALID_ARGUMENT, "expected shape as up to 16 whole numbers"),
        ("short", CODE.INVALID_ARGUMENT, "expected 3136 bytes"),
        ("mixed", CODE.INVALID_ARGUMENT, "received both"),
        ("two raw", CODE.INVALID_ARGUMENT, "expected 1, one for each input, received 2"),
        ("typed short", CODE.INVALID_ARGUMENT, "expected 784 values"),
        ("another field", CODE.INVALID_ARGUMENT, "expected fp32_contents, received fp64_contents"),
        ("twice", CODE.INVALID_ARGUMENT, 'input "image" is given twice'),
        ("nameless", CODE.INVALID_ARGUMENT, "is missing"),
        ("output", CODE.INVALID_ARGUMENT, 'output "odd" is unknown'),
        ("output twice", CODE.INVALID_ARGUMENT, "is asked for twice"),
        ("classification", CODE.INVALID_ARGUMENT, "classification is not supported"),
        ("shared memory", CODE.INVALID_ARGUMENT, "shared memory is not supported"),
        ("nan", CODE.INVALID_ARGUMENT, "expected finite values"),
        ("deadline", CODE.INVALID_ARGUMENT, '"deadline_ms": expected a number of at least 0'),
        ("timeout", CODE.INVALID_ARGUMENT, '"timeout": expected a number of at least 0'),
        ("no time", CODE.DEADLINE_EXCEEDED, "deadline"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    channel: grpc.Channel, how: str, code: grpc.StatusCode, says: str
) -> None:
    for _ in range(2):
        error = refused(channel, change(infer_message(image(1)), how))
        assert error.code() is code
        assert says in error.details()
        assert dict(error.trailing_metadata())["numen-code"]
    assert infer(channel, infer_message(image(1))).outputs[0].name == "probabilities"


@pytest.mark.parametrize(
    ("dtype", "says"),
    [("int8", "received a value out of its range"), ("float16", "FP16 has no typed")],
)
def test_typed_values_that_do_not_fit(channel: grpc.Channel, dtype: str, says: str) -> None:
    message = INFERENCE.ModelInferRequest(model_name="echo")
    datatype = {"int8": "INT8", "float16": "FP16"}[dtype]
    tensor = message.inputs.add(name=f"x_{datatype.lower()}", datatype=datatype, shape=[1, 2, 1])
    tensor.contents.int_contents.extend([1, 200])
    error = refused(channel, message)
    assert error.code() is CODE.INVALID_ARGUMENT
    assert says in error.details()


def test_bytes_that_are_no_message(channel: grpc.Channel) -> None:
    call = channel.unary_unary(f"{SERVICE}ModelInfer")
    for body in (
        b"",
        b"\x0a",
        b"\x0a\x06linear\xff",
        b"\x0a\x06linear\x2a\xff\xff\xff\xff\x0f",
        b"\xff" * 20,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call(body, timeout=20)
        assert caught.value.code() in (CODE.INVALID_ARGUMENT, CODE.NOT_FOUND)
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"{SERVICE}ModelMetadata")(b"\xff\xff", timeout=20)
    assert caught.value.code() is CODE.INVALID_ARGUMENT
    assert "ModelMetadataRequest" in caught.value.details()


def test_a_model_named_twice_is_refused(channel: grpc.Channel) -> None:
    body = infer_message(image(1)).SerializeToString() + b"\x0a\x05words"
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"{SERVICE}ModelInfer")(body, timeout=20)
    assert caught.value.code() is CODE.INVALID_ARGUMENT
    assert "given twice" in caught.value.details()


@pytest.mark.parametrize("path", [f"{SERVICE}Nothing", "/nothing/at/all", f"{SERVICE}TraceSetting"])
def test_unknown_calls_are_unimplemented(channel: grpc.Channel, path: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(path)(b"", timeout=20)
    assert caught.value.code() is CODE.UNIMPLEMENTED


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_messages_are_taken(channel: grpc.Channel, algorithm: grpc.Compression) -> None:
    message = infer_message(np.zeros((3, 28, 28), np.float32))
    packed = infer(channel, message, compression=algorithm)
    assert packed.raw_output_contents == infer(channel, message).raw_output_contents


# Streams.


def stream_infer(channel: grpc.Channel, messages: Iterator[Any]) -> Any:
    return channel.stream_stream(
        f"{SERVICE}ModelStreamInfer", INFERENCE.ModelInferRequest.SerializeToString,
        INFERENCE.ModelStreamInferResponse.FromString,
    )(messages, timeout=30)  # fmt: skip


def test_a_stream_answers_each_and_says_what_is_wrong(channel: grpc.Channel) -> None:
    sent = [
        infer_message(image(seed), str(seed), "none" if seed % 10 == 3 else "linear")
        for seed in range(150)
    ]
    got = {one.infer_response.id: one for one in stream_infer(channel, iter(sent))}
    assert len(got) == 150
    for seed in range(150):
        one = got[str(seed)]
        if seed % 10 == 3:
            assert "model 'none' is not live" in one.error_message
        else:
            assert not one.error_message
            assert one.infer_response.parameters["triton_final_response"].bool_param
            alone = infer(channel, infer_message(image(seed)))
            np.testing.assert_allclose(
                outputs(one.infer_response)["probabilities"],
                outputs(alone)["probabilities"], atol=1e-5,
            )  # fmt: skip


def test_a_stream_answers_before_it_ends(channel: grpc.Channel) -> None:
    go_on = threading.Event()

    def messages() -> Iterator[Any]:
        yield infer_message(image(1), "first")
        assert go_on.wait(20)
        yield infer_message(image(2), "second")

    answers = stream_infer(channel, messages())
    assert next(answers).infer_response.id == "first"
    go_on.set()
    assert [one.infer_response.id for one in answers] == ["second"]


def test_a_stream_takes_no_more_than_it_answers(door: GrpcDoor) -> None:
    """While the model stands still, a stream's client is held back."""
    sent = []

    def messages() -> Iterator[Any]:
        for number in range(2000):
            sent.append(number)
            yield infer_message(image(0, 8), str(number))

    with door.channel() as channel:
        answers = stream_infer(channel, messages())
        assert door.gate.entered.wait(20)
        time.sleep(0.5)
        assert len(sent) < 1000
        (endpoint,) = door.service.endpoints()
        assert endpoint.batcher.waiting <= 64 * 8
        door.gate.open_.set()
        assert len({one.infer_response.id for one in answers}) == 2000


# Deadlines and cancelling.


def test_a_call_that_is_late_is_dropped(door: GrpcDoor) -> None:
    with door.channel() as channel:
        first = channel.unary_unary(f"{SERVICE}ModelInfer").future(
            infer_message(image(1)).SerializeToString(), timeout=20
        )
        assert door.gate.entered.wait(20)
        error = refused(channel, infer_message(image(1, 2)), timeout=0.2)
        assert error.code() is CODE.DEADLINE_EXCEEDED
        message = infer_message(image(1, 3))
        message.parameters["timeout"].int64_param = 100_000
        error = refused(channel, message)
        assert error.code() is CODE.DEADLINE_EXCEEDED
        time.sleep(0.2)
        door.gate.open_.set()
        first.result()
        infer(channel, infer_message(image(1, 4)))
    assert door.gate.rows == [1, 4]


def test_a_call_that_is_cancelled_is_dropped(door: GrpcDoor) -> None:
    with door.channel() as channel:
        call = channel.unary_unary(f"{SERVICE}ModelInfer")
        first = call.future(infer_message(image(1)).SerializeToString())
        assert door.gate.entered.wait(20)
        second = call.future(infer_message(image(1, 2)).SerializeToString())
        (endpoint,) = door.service.endpoints()
        until(lambda: endpoint.batcher.waiting == 2)
        second.cancel()
        time.sleep(0.3)
        door.gate.open_.set()
        first.result()
        infer(channel, infer_message(image(1, 4)))
    assert door.gate.rows == [1, 4]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_model_is_opened_when_it_is_first_asked(bundle: Bundle, carrier: str) -> None:
    with (
        open_grpc_door(bundle, carrier, open_gate=True, opening=1.0) as door,
        door.channel() as channel,
    ):
        assert not door.service.endpoints()
        error = refused(channel, infer_message(image(1)), timeout=0.2)
        assert error.code() is CODE.DEADLINE_EXCEEDED
        answers = stream_infer(channel, iter([infer_message(image(1), "7")]))
        assert [one.infer_response.id for one in answers] == ["7"]
        infer(channel, infer_message(image(1)))
        assert len(door.service.endpoints()) == 1


def test_a_message_over_the_limit(door: GrpcDoor) -> None:
    door.gate.open_.set()
    with door.channel() as channel:
        error = refused(channel, infer_message(image(1, 400)))  # 1.2 MB
        assert error.code() is CODE.RESOURCE_EXHAUSTED
        infer(channel, infer_message(image(1, 300)))


def test_large_messages_both_ways(bundle: Bundle) -> None:
    for carrier in CARRIERS:
        with (
            open_grpc_door(bundle, carrier, 64 << 20, open_gate=True) as door,
            door.channel(**{"grpc.max_receive_message_length": -1}) as channel,
        ):
            x = image(1, 5000)
            answer = infer(channel, infer_message(x))
            expected = x.reshape(len(x), -1)[:, :10] + 1
            np.testing.assert_array_equal(outputs(answer)["probabilities"], expected)


# What there is.


def test_metadata_config_and_statistics(channel: grpc.Channel) -> None:
    def asked(call: str, **where: Any) -> Any:
        request = getattr(INFERENCE, f"{call}Request")(**where)
        return ask(channel, call, request, getattr(INFERENCE, f"{call}Response"))

    assert asked("ServerLive").live
    assert asked("ServerReady").ready
    assert asked("ModelReady", name="linear").ready
    assert asked("ModelReady", name="linear", version="candidate").ready
    assert not asked("ModelReady", name="linear", version="7").ready
    assert asked("ServerMetadata").name == "numen"
    found = asked("ModelMetadata", name="words")
    assert (found.inputs[0].name, found.inputs[0].datatype) == ("text", "BYTES")
    assert list(found.inputs[0].shape) == [-1, 2]
    assert list(asked("ModelMetadata", name="linear").versions) == ["1", "2"]
    config = asked("ModelConfig", name="words").config
    assert config.max_batch_size == 64
    assert (config.input[0].data_type, list(config.input[0].dims)) == (13, [2])
    before = asked("ModelStatistics", name="log").model_stats[0].inference_count
    infer(channel, infer_message(np.ones((3, 2), np.float32), model="log", name="x"))
    row = asked("ModelStatistics", name="log").model_stats[0]
    assert row.inference_count == before + 3
    assert {one.name for one in asked("ModelStatistics").model_stats} >= {"log", "echo"}
    with pytest.raises(grpc.RpcError) as caught:
        asked("ModelMetadata", name="none")
    assert caught.value.code() is CODE.NOT_FOUND


def test_health_as_probes_ask(channel: grpc.Channel) -> None:
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    for service in (b"", b"inference.GRPCInferenceService", b"linear", b"linear@2"):
        asked = b"\x0a" + bytes((len(service),)) + service if service else b""
        assert check(asked, timeout=20) == b"\x08\x01"
    with pytest.raises(grpc.RpcError) as caught:
        check(b"\x0a\x04none", timeout=20)
    assert caught.value.code() is CODE.NOT_FOUND


def test_health_is_watched(channel: grpc.Channel) -> None:
    watch = channel.unary_stream(
        "/grpc.health.v1.Health/Watch", HEALTH.HealthCheckRequest.SerializeToString,
        HEALTH.HealthCheckResponse.FromString,
    )  # fmt: skip
    seen = watch(HEALTH.HealthCheckRequest(service="table"), timeout=60)
    assert next(seen).status == 1
    ask(
        channel, "RepositoryModelUnload",
        INFERENCE.RepositoryModelUnloadRequest(model_name="table"),
        INFERENCE.RepositoryModelUnloadResponse,
    )  # fmt: skip
    assert next(seen).status == 3
    index = ask(
        channel, "RepositoryIndex", INFERENCE.RepositoryIndexRequest(),
        INFERENCE.RepositoryIndexResponse,
    )  # fmt: skip
    assert {row.state for row in index.models if row.name == "table"} == {"UNAVAILABLE"}
    index = ask(
        channel, "RepositoryIndex", INFERENCE.RepositoryIndexRequest(ready=True),
        INFERENCE.RepositoryIndexResponse,
    )  # fmt: skip
    assert "table" not in {row.name for row in index.models}
    ask(
        channel, "RepositoryModelLoad", INFERENCE.RepositoryModelLoadRequest(model_name="table"),
        INFERENCE.RepositoryModelLoadResponse,
    )  # fmt: skip
    assert next(seen).status == 1
    seen.cancel()
    unknown = watch(HEALTH.HealthCheckRequest(service="none"), timeout=20)
    assert next(unknown).status == 3
    unknown.cancel()


@pytest.mark.parametrize("proto", [REFLECTION, REFLECTION_ALPHA], ids=lambda proto: proto.package)
def test_reflection_describes_the_services(channel: grpc.Channel, proto: Any) -> None:
    from google.protobuf import descriptor_pb2, descriptor_pool

    asked = [
        proto.ServerReflectionRequest(list_services=""),
        proto.ServerReflectionRequest(file_containing_symbol="inference.GRPCInferenceService"),
        proto.ServerReflectionRequest(file_by_filename="health.proto"),
        proto.ServerReflectionRequest(file_containing_symbol="nothing.at.All"),
    ]
    answers = list(
        channel.stream_stream(
            f"/{proto.package}.ServerReflection/ServerReflectionInfo",
            proto.ServerReflectionRequest.SerializeToString,
            proto.ServerReflectionResponse.FromString,
        )(iter(asked), timeout=20)
    )
    assert {one.name for one in answers[0].list_services_response.service} >= {
        "inference.GRPCInferenceService", "grpc.health.v1.Health", proto.services[0],
    }  # fmt: skip
    file = answers[1].file_descriptor_response.file_descriptor_proto[0]
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file)
    assert (
        pool.FindMessageTypeByName("inference.ModelInferRequest").fields_by_name["inputs"].number
        == 5
    )
    file = answers[2].file_descriptor_response.file_descriptor_proto[0]
    assert descriptor_pb2.FileDescriptorProto.FromString(file).package == "grpc.health.v1"
    assert answers[3].error_response.error_code == 5


def test_callers_keys_reach_admission(door: GrpcDoor) -> None:
    """Who is asked for leave sees the key, the model and the action."""
    from numen.core.errors import Forbidden, Unauthenticated
    from numen.serve.admission import Admission

    seen = []

    class Asked(Admission):
        def check(self, credential: bytes, model: str, action: str) -> None:
            seen.append((credential, model, action))
            if credential == b"":
                raise Unauthenticated("a key is needed")
            if credential == b"nm_small":
                raise Forbidden("the key does not go that far")

    door.service.admission = Asked()
    door.gate.open_.set()
    with door.channel() as channel:
        error = refused(channel, infer_message(image(1)))
        assert error.code() is CODE.UNAUTHENTICATED
        error = refused(channel, infer_message(image(1)), metadata=[("x-api-key", "nm_small")])
        assert error.code() is CODE.PERMISSION_DENIED
        infer(channel, infer_message(image(1)), metadata=[("authorization", "Bearer nm_large")])
        with pytest.raises(grpc.RpcError) as caught:
            ask(
                channel, "ModelMetadata", INFERENCE.ModelMetadataRequest(name="linear"),
                INFERENCE.ModelMetadataResponse,
            )  # fmt: skip
        assert caught.value.code() is CODE.UNAUTHENTICATED
    assert seen == [
        (b"", "linear", "predict"), (b"nm_small", "linear", "predict"),
        (b"nm_large", "linear", "predict"), (b"", "linear", "read"),
    ]  # fmt: skip
