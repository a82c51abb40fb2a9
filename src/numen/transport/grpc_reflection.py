"""gRPC's reflection: which services there are, and the files that describe them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from google.protobuf.message import DecodeError

from numen.core.errors import InvalidInput
from numen.transport.grpc_infer import Caller
from numen.transport.proto import HEALTH, INFERENCE, REFLECTION, REFLECTION_ALPHA, Method, Proto

_ALL: Final = (INFERENCE, HEALTH, REFLECTION, REFLECTION_ALPHA)
_NOT_FOUND: Final = 5
Streaming = Callable[[Caller, AsyncIterator[bytes]], AsyncIterator[bytes]]


def reflect() -> Iterator[tuple[Method, Streaming]]:
    """The reflection calls, and who answers them."""
    for proto in (REFLECTION, REFLECTION_ALPHA):
        for method in proto.methods():
            yield method, _answers(proto)


def _answers(proto: Proto) -> Streaming:
    async def stream(_caller: Caller, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for body in messages:
            try:
                asked = proto.ServerReflectionRequest.FromString(body)
            except DecodeError:
                raise InvalidInput("the message is not a ServerReflectionRequest") from None
            yield _answer(proto, asked).SerializeToString()

    return stream


def _answer(proto: Proto, asked: Any) -> Any:
    answer = proto.ServerReflectionResponse(valid_host=asked.host, original_request=asked)
    kind = asked.WhichOneof("message_request")
    if kind == "list_services":
        for one in _ALL:
            for name in one.services:
                answer.list_services_response.service.add(name=name)
        return answer
    found: Proto | None = None
    if kind == "file_by_filename":
        found = next((one for one in _ALL if one.name == asked.file_by_filename), None)
    elif kind == "file_containing_symbol":
        symbol = asked.file_containing_symbol
        found = next((one for one in _ALL if one.defines(symbol)), None)
    if found is None:
        answer.error_response.error_code = _NOT_FOUND
        answer.error_response.error_message = "numen knows nothing of that name"
    else:
        answer.file_descriptor_response.file_descriptor_proto.append(found.file)
    return answer
