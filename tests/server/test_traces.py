"""Traces, read as a collector reads them: which requests are traced, and what is said of each."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from asking import BODY, X, until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from websockets.sync.client import connect

from numen.core.settings import Settings
from numen.registry import Registry
from numen.transport.proto import INFERENCE
from parts import Live, free_port, make_bundle, start_server, stop

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
GRPC_BODY = INFERENCE.ModelInferRequest(
    model_name="linear",
    inputs=[
        INFERENCE.ModelInferRequest.InferInputTensor(
            name="image", datatype="FP32", shape=[1, 28, 28]
        )
    ],
    raw_input_contents=[X.tobytes()],
).SerializeToString()
INFER = "/inference.GRPCInferenceService/ModelInfer"


class Collector:
    """What an OpenTelemetry collector is sent."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.resources: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/v1/traces"
                for each in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.resources.append(named(each.resource.attributes))
                    for scope in each.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, request_id: str) -> dict[str, Span]:
        """The spans of one request by name, once they have come."""
        found: dict[str, Span] = {}

        def whole() -> bool:
            for top in list(self.spans):
                if named(top.attributes).get("numen.request_id") == request_id:
                    found.update(
                        {s.name: s for s in list(self.spans) if s.parent_span_id == top.span_id}
                    )
                    found["top"] = top
            return "top" in found

        until(whole, 20)
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def named(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    collector = Collector()
    with pytest.MonkeyPatch.context() as patch:
        # The library's own name for how long it gathers spans, in ms; servers here inherit it.
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector
    collector.close()


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module", params=["numen", "grpcio"])
def traced(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    collector: Collector,
    grpc_port: int,
) -> Iterator[Live]:
    """A server that speaks gRPC in either way, and traces whoever asks for it."""
    home = tmp_path_factory.mktemp("traced")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    os.environ["NUMEN_GRPC_CARRIER"] = request.param
    os.environ["NUMEN_TRACE_SHARE"] = "0"
    try:
        url, process = start_server(home, "--traces", collector.url, "--grpc-port", str(grpc_port))
    finally:
        del os.environ["NUMEN_GRPC_CARRIER"], os.environ["NUMEN_TRACE_SHARE"]
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()


def names(sampled: bool = True) -> dict[str, str]:
    return {
        "traceparent": f"00-{TRACE}-{PARENT}-{'01' if sampled else '00'}",
        "x-request-id": uuid.uuid4().hex,
    }


def post(live: Live, path: str, body: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request("POST", path, body, headers | {"content-type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()


def check(spans: dict[str, Span]) -> None:
    """A wait and a run below the request's own span, which is below the caller's."""
    top, queue, run = (spans[name] for name in ("top", "queue", "run"))
    assert top.name == "predict linear"
    assert top.kind == Span.SPAN_KIND_SERVER
    assert top.trace_id.hex() == queue.trace_id.hex() == run.trace_id.hex() == TRACE
    assert top.parent_span_id.hex() == PARENT
    assert top.start_time_unix_nano == queue.start_time_unix_nano
    assert queue.start_time_unix_nano <= queue.end_time_unix_nano == run.start_time_unix_nano
    assert run.start_time_unix_nano < run.end_time_unix_nano <= top.end_time_unix_nano
    assert abs(top.end_time_unix_nano / 1e9 - time.time()) < 60
    assert named(top.attributes)["numen.served_by"] == "linear@1/fp32"
    assert named(top.attributes)["numen.outcome"] == "met"
    assert named(run.attributes)["numen.variant"] == "fp32"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v2/models/linear/infer", BODY),
        ("/v1/models/linear:predict", json.dumps({"instances": X.tolist()})),
        ("/predict/linear", json.dumps(X[0].tolist())),
    ],
)
def test_a_request_is_traced_below_its_caller(
    traced: Live, collector: Collector, path: str, body: str
) -> None:
    headers = names()
    assert post(traced, path, body, headers) == 200
    check(collector.of(headers["x-request-id"]))
    assert collector.resources[-1]["service.name"] == "numen"


def test_a_call_over_grpc_is_traced_below_its_caller(
    traced: Live, collector: Collector, grpc_port: int
) -> None:
    headers = names()
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        channel.unary_unary(INFER)(GRPC_BODY, metadata=list(headers.items()), timeout=20)
    check(collector.of(headers["x-request-id"]))


def test_frames_on_a_websocket_are_traced_below_its_opening(
    traced: Live, collector: Collector
) -> None:
    headers = names()
    with connect(f"ws://127.0.0.1:{traced.port}/ws/linear", additional_headers=headers) as socket:
        socket.send(BODY)
        assert "outputs" in json.loads(socket.recv(10))
    check(collector.of(headers["x-request-id"]))


def test_a_failure_says_why(traced: Live, collector: Collector) -> None:
    headers = names() | {"numen-deadline-ms": "0"}
    assert post(traced, "/v2/models/linear/infer", BODY, headers) == 504
    spans = collector.of(headers["x-request-id"])
    assert set(spans) == {"top"}
    assert spans["top"].status.code == Status.STATUS_CODE_ERROR
    assert named(spans["top"].attributes)["numen.error"] == "deadline_exceeded"


def test_who_decided_not_to_be_traced_is_not_and_nor_is_who_says_nothing(
    traced: Live, collector: Collector
) -> None:
    no, nonsense, silent, last = names(sampled=False), names(), {"x-request-id": "silent"}, names()
    nonsense["traceparent"] = "00-0-0-01"
    for headers in (no, nonsense, silent, last):
        assert post(traced, "/v2/models/linear/infer", BODY, headers) == 200
    collector.of(last["x-request-id"])  # what came before it has come by now
    ids = {named(span.attributes).get("numen.request_id") for span in collector.spans}
    assert not ids & {each["x-request-id"] for each in (no, nonsense, silent)}


def test_a_share_of_who_says_nothing_is_traced(tmp_path: Path, collector: Collector) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    registry.catalog.close()
    os.environ["NUMEN_TRACE_SHARE"] = "1"
    try:
        url, process = start_server(tmp_path, "--traces", collector.url, "--workers", "2")
    finally:
        del os.environ["NUMEN_TRACE_SHARE"]
    try:
        live = Live(url, tmp_path, registry, process)
        assert post(live, "/v2/models/linear/infer", BODY, {"x-request-id": "shared"}) == 200
        spans = collector.of("shared")
        assert spans["top"].parent_span_id == b""
        assert collector.resources[-1]["service.instance.id"] in ("1", "2")
    finally:
        stop(process)


def test_no_more_is_traced_than_a_busy_server_affords(traced: Live, collector: Collector) -> None:
    asked = names()
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", traced.port, timeout=10)
    for number in range(1_000):
        headers = asked | {"x-request-id": f"busy-{number}", "content-type": "application/json"}
        connection.request("POST", "/v2/models/linear/infer", BODY, headers)
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200
    connection.close()
    took = time.monotonic() - began
    time.sleep(1)  # then there is room for another
    last = names()
    assert post(traced, "/v2/models/linear/infer", BODY, last) == 200
    check(collector.of(last["x-request-id"]))
    ids = [named(span.attributes).get("numen.request_id", "") for span in list(collector.spans)]
    busy = sum(each.startswith("busy-") for each in ids)
    assert 50 < busy <= min(100 * (1 + took), 999)
    collector.spans.clear()


def test_a_collector_that_is_away_costs_nobody_an_answer_and_ends_in_time(tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    registry.catalog.close()
    url, process = start_server(tmp_path, "--traces", f"http://127.0.0.1:{free_port()}")
    try:
        live = Live(url, tmp_path, registry, process)
        for _ in range(20):
            assert post(live, "/v2/models/linear/infer", BODY, names()) == 200
        process.terminate()
        assert process.wait(20) == 0
    finally:
        stop(process)
    assert "Traceback" not in (tmp_path / "server.log").read_text()
