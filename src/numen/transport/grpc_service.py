"""What is answered over gRPC, whatever carries it: inference, repository, health, reflection.

A carrier hands over the bytes of messages and what the caller said beside them, and gets bytes
and metadata, or a NumenError. `ModelInfer` goes straight to the Service and calls back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from google.protobuf.message import DecodeError

import numen
from numen.core.errors import Internal, InvalidInput, NotFound, NumenError
from numen.core.observe import logger
from numen.core.signature import TensorSpec
from numen.serve.admission import Action
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.serve.stats import Histogram
from numen.transport.grpc_infer import Caller, Infer, stream_infer
from numen.transport.grpc_reflection import reflect
from numen.transport.proto import HEALTH, INFERENCE, Method
from numen.transport.rest_v2 import Repository

_log = logger(__name__)
_SERVICE: Final = f"/{INFERENCE.services[0]}/"
INFER: Final = f"{_SERVICE}ModelInfer"
_PLATFORM: Final = "onnxruntime_onnx"
_WATCH: Final = 0.25  # seconds between looks at what is live
_SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = 1, 2, 3

Unary: TypeAlias = Callable[[Caller, Any], Awaitable[Any]]
Streaming: TypeAlias = Callable[[Caller, AsyncIterator[bytes]], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Call:
    """One of the calls.

    Attributes:
        method: Its path and its messages.
        unary: Answers one message, where one comes and one goes.
        streaming: Answers messages otherwise.
    """

    method: Method
    unary: Unary | None = None
    streaming: Streaming | None = None


class Servicer:
    """All calls by their paths.

    Args:
        service: The live models.
        repository: Who loads and unloads them; None where nobody does.
    """

    def __init__(self, service: Service, repository: Repository | None = None):
        self.service = service
        self.draining = False
        self._repository = repository
        self.calls: Final[dict[str, Call]] = {}
        for method in INFERENCE.methods():
            name = method.path.removeprefix(_SERVICE)
            if name == "ModelStreamInfer":
                self.calls[method.path] = Call(method, streaming=self._stream_infer)
            elif method.path == INFER:
                self.calls[method.path] = Call(method)
            else:
                self.calls[method.path] = Call(method, getattr(self, f"_{_snake(name)}"))
        check, watch = HEALTH.methods()
        self.calls[check.path] = Call(check, self._check_health)
        self.calls[watch.path] = Call(watch, streaming=self._watch_health)
        for method, streaming in reflect():
            self.calls[method.path] = Call(method, streaming=streaming)

    def infer(self, caller: Caller) -> Infer:
        """A `ModelInfer` that is to begin."""
        return Infer(self.service, caller)

    async def answer(self, call: Call, caller: Caller, body: bytes) -> bytes:
        """The answer to a call of one message, other than `ModelInfer`.

        Raises:
            NumenError: Whatever went wrong.
        """
        assert call.unary is not None
        try:
            message = await call.unary(caller, call.method.request.FromString(body))
        except NumenError:
            raise
        except DecodeError:
            name = call.method.request.DESCRIPTOR.name
            raise InvalidInput(f"the message is not a {name}", field="message") from None
        except Exception as error:
            _log.exception("a request failed")
            raise Internal("numen failed on this request") from error
        answer: bytes = message.SerializeToString()
        return answer

    def _allow(self, caller: Caller, model: str, action: Action) -> None:
        self.service.admission.check(caller.credential, model, action)

    # The inference service.

    def _stream_infer(self, caller: Caller, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return stream_infer(self.service, caller, messages)

    async def _server_live(self, _caller: Caller, _message: Any) -> Any:
        return INFERENCE.ServerLiveResponse(live=True)

    async def _server_ready(self, _caller: Caller, _message: Any) -> Any:
        return INFERENCE.ServerReadyResponse(ready=self._ready())

    async def _model_ready(self, _caller: Caller, message: Any) -> Any:
        try:
            self.service.find(message.name, message.version or None)
        except NumenError:
            return INFERENCE.ModelReadyResponse(ready=False)
        return INFERENCE.ModelReadyResponse(ready=True)

    async def _server_metadata(self, _caller: Caller, _message: Any) -> Any:
        return INFERENCE.ServerMetadataResponse(
            name="numen",
            version=numen.__version__,
            extensions=["model_repository", "model_configuration", "statistics"],
        )

    async def _model_metadata(self, caller: Caller, message: Any) -> Any:
        endpoint = await self._find(caller, message)
        answer = INFERENCE.ModelMetadataResponse(
            name=endpoint.name,
            versions=sorted(self.service.model(endpoint.name).versions, key=int),
            platform=_PLATFORM,
        )
        for specs, tensors in (
            (endpoint.signature.inputs, answer.inputs),
            (endpoint.signature.outputs, answer.outputs),
        ):
            for spec in specs:
                tensors.add(name=spec.name, datatype=spec.datatype, shape=_sizes(spec))
        return answer

    async def _model_config(self, caller: Caller, message: Any) -> Any:
        endpoint = await self._find(caller, message)
        batched = endpoint.manifest.batched
        answer = INFERENCE.ModelConfigResponse()
        config = answer.config
        config.name = endpoint.name
        config.platform = _PLATFORM
        config.backend = "onnxruntime"
        config.max_batch_size = self.service.max_rows if batched else 0
        for specs, tensors in (
            (endpoint.signature.inputs, config.input),
            (endpoint.signature.outputs, config.output),
        ):
            for spec in specs:
                kind = "STRING" if spec.dtype == "string" else spec.datatype
                # The batch is no dimension of a configuration where there is one.
                sizes = _sizes(spec)[1:] if batched else _sizes(spec)
                tensors.add(name=spec.name, data_type=f"TYPE_{kind}", dims=sizes)
        return answer

    async def _model_statistics(self, caller: Caller, message: Any) -> Any:
        if message.name:
            endpoints = [await self._find(caller, message)]
        else:
            self._allow(caller, "", "read")
            endpoints = self.service.endpoints()
        answer = INFERENCE.ModelStatisticsResponse()
        for endpoint in endpoints:
            _count(endpoint, answer.model_stats.add())
        return answer

    async def _find(self, caller: Caller, message: Any) -> Endpoint:
        self._allow(caller, message.name, "read")
        return await self.service.awake(message.name, message.version or None)

    async def _repository_index(self, caller: Caller, message: Any) -> Any:
        self._allow(caller, "", "read")
        rows = await self._models().index()
        answer = INFERENCE.RepositoryIndexResponse()
        for row in rows:
            if row["state"] == "READY" or not message.ready:
                answer.models.add(**row)
        return answer

    async def _repository_model_load(self, caller: Caller, message: Any) -> Any:
        self._allow(caller, message.model_name, "manage")
        await self._models().load(message.model_name)
        return INFERENCE.RepositoryModelLoadResponse()

    async def _repository_model_unload(self, caller: Caller, message: Any) -> Any:
        self._allow(caller, message.model_name, "manage")
        await self._models().unload(message.model_name)
        return INFERENCE.RepositoryModelUnloadResponse()

    def _models(self) -> Repository:
        if self._repository is None:
            raise NotFound("this server has no repository of models")
        return self._repository

    # Health.

    def _ready(self) -> bool:
        return self.service.ready and not self.draining

    def _health(self, name: str) -> int:
        if name in ("", *INFERENCE.services):
            return _SERVING if self._ready() else _NOT_SERVING
        model, _, version = name.partition("@")
        try:
            self.service.find(model, version or None)
        except NotFound:
            return _SERVICE_UNKNOWN
        except NumenError:
            return _NOT_SERVING
        return _SERVING if self._ready() else _NOT_SERVING

    async def _check_health(self, _caller: Caller, message: Any) -> Any:
        status = self._health(message.service)
        if status == _SERVICE_UNKNOWN:
            raise NotFound(
                f'service "{message.service[:64]}" is unknown',
                hint="ask for nothing, for a model, or for model@version",
            )
        return HEALTH.HealthCheckResponse(status=status)

    async def _watch_health(
        self, _caller: Caller, messages: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        name = None
        async for body in messages:
            name = HEALTH.HealthCheckRequest.FromString(body).service
            break
        before = None
        while name is not None:
            status = self._health(name)
            if status != before:
                yield HEALTH.HealthCheckResponse(status=status).SerializeToString()
                before = status
            if self.draining:
                return
            await asyncio.sleep(_WATCH)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _sizes(spec: TensorSpec) -> list[int]:
    return [-1 if size is None else size for size in spec.shape]


def _count(endpoint: Endpoint, row: Any) -> None:
    stats = endpoint.stats
    ran = stats.variants.values()
    row.name = endpoint.name
    row.version = endpoint.version
    row.inference_count = sum(variant.rows for variant in ran)
    row.execution_count = sum(variant.compute.count for variant in ran)

    def span(duration: Any, histograms: Iterable[Histogram]) -> None:
        known = list(histograms)
        duration.count = sum(histogram.count for histogram in known)
        duration.ns = int(sum(histogram.seconds for histogram in known) * 1e9)

    counted = row.inference_stats
    span(counted.success, (variant.total for variant in ran))
    span(counted.fail, stats.failures.values())
    span(counted.queue, (variant.queue for variant in ran))
    span(counted.compute_infer, (variant.compute for variant in ran))
