"""The messages are the published ones, field by field, as Triton's own client has them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from tritonclient.grpc import model_config_pb2, service_pb2

from numen.transport.proto import HEALTH, INFERENCE, REFLECTION_ALPHA, Proto


def said(proto: Proto) -> descriptor_pb2.FileDescriptorProto:
    return descriptor_pb2.FileDescriptorProto.FromString(proto.file)


def facts(field: Any) -> tuple[Any, ...]:
    """A field's place, kind and label; its type by its bare name."""
    return (
        field.number, field.type, field.label, field.type_name.rpartition(".")[2],
        field.HasField("oneof_index"),
    )  # fmt: skip


def same(ours: Any, theirs: Any) -> None:
    known = {field.name: facts(field) for field in theirs.field}
    for field in ours.field:
        assert facts(field) == known[field.name], f"{ours.name}.{field.name}"
    nested = {message.name: message for message in theirs.nested_type}
    for message in ours.nested_type:
        assert message.options.map_entry == nested[message.name].options.map_entry
        same(message, nested[message.name])


def published() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    for module in (service_pb2, model_config_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        messages |= {message.name: message for message in file.message_type}
        messages |= {service.name: service for service in file.service}
        messages |= {enum.name: enum for enum in file.enum_type}
    return messages


@pytest.mark.parametrize("message", said(INFERENCE).message_type, ids=lambda message: message.name)
def test_a_message_is_the_published_one(message: Any) -> None:
    same(message, published()[message.name])


def test_the_service_and_the_data_types_are_the_published_ones() -> None:
    theirs = published()
    file = said(INFERENCE)
    (service,) = file.service

    def calls(of: Any) -> dict[str, tuple[Any, ...]]:
        return {
            method.name: (
                method.input_type, method.output_type,
                method.client_streaming, method.server_streaming,
            )
            for method in of.method
        }  # fmt: skip

    known = calls(theirs["GRPCInferenceService"])
    assert calls(service).items() <= known.items()
    assert set(known) - set(calls(service)) == {
        "SystemSharedMemoryStatus", "SystemSharedMemoryRegister", "SystemSharedMemoryUnregister",
        "CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister",
        "TraceSetting", "LogSettings",
    }  # fmt: skip
    (types,) = file.enum_type
    known_types = {value.name: value.number for value in theirs["DataType"].value}
    assert {value.name: value.number for value in types.value}.items() <= known_types.items()


def test_a_message_is_read_by_the_other_side() -> None:
    ours = INFERENCE.ModelInferRequest(model_name="m", id="7")
    ours.parameters["timeout"].int64_param = 5
    tensor = ours.inputs.add(name="x", datatype="FP32", shape=[1, 2])
    tensor.contents.fp32_contents.extend([1.5, 2.5])
    theirs = service_pb2.ModelInferRequest.FromString(ours.SerializeToString())
    assert theirs.parameters["timeout"].int64_param == 5
    assert list(theirs.inputs[0].contents.fp32_contents) == [1.5, 2.5]
    assert INFERENCE.ModelInferRequest.FromString(theirs.SerializeToString()) == ours


def test_health_is_on_the_wire_as_probes_speak_it() -> None:
    assert HEALTH.HealthCheckRequest(service="m").SerializeToString() == b"\x0a\x01m"
    assert HEALTH.HealthCheckResponse(status=1).SerializeToString() == b"\x08\x01"
    assert [method.path for method in HEALTH.methods()] == [
        "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
    ]  # fmt: skip


def test_a_proto_says_what_it_defines() -> None:
    assert HEALTH.defines("grpc.health.v1.Health")
    assert HEALTH.defines("grpc.health.v1.HealthCheckResponse.ServingStatus")
    assert HEALTH.defines("grpc.health.v1.Health.Check")
    assert not HEALTH.defines("grpc.health.v1.Other")
    assert not HEALTH.defines("inference.ModelInferRequest")
    assert REFLECTION_ALPHA.services == ("grpc.reflection.v1alpha.ServerReflection",)
    with pytest.raises(AttributeError):
        _ = HEALTH.Other
