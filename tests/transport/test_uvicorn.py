"""What FastProtocol leans on in uvicorn. When this fails, read `transport/fast.py` anew."""

from __future__ import annotations

import asyncio
import inspect
import tomllib
from pathlib import Path

import httptools
import uvicorn
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from numen.transport.fast import FastProtocol

ROOT = Path(__file__).parents[2]


def names(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_the_version_is_the_pinned_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"uvicorn=={uvicorn.__version__}" in project["dependencies"]


def test_the_callbacks_are_those_that_are_overridden() -> None:
    for name, parameters in {
        "__init__": ["self", "config", "server_state", "app_state", "_loop"],
        "connection_made": ["self", "transport"],
        "connection_lost": ["self", "exc"],
        "data_received": ["self", "data"],
        "on_headers_complete": ["self"],
        "on_body": ["self", "body"],
        "on_message_begin": ["self"],
        "on_message_complete": ["self"],
        "timeout_keep_alive_handler": ["self"],
        "on_response_complete": ["self"],
        "send_400_response": ["self", "msg"],
        "shutdown": ["self"],
        "pause_writing": ["self"],
        "resume_writing": ["self"],
        "handle_websocket_upgrade": ["self"],
        "_should_upgrade": ["self"],
        "_unset_keepalive_if_required": ["self"],
    }.items():
        assert names(getattr(HttpToolsProtocol, name)) == parameters, name
    # Nothing else of uvicorn's is replaced without being listed here.
    ours = {name for name in vars(FastProtocol) if name in vars(HttpToolsProtocol)}
    assert {name for name in ours if not name.startswith("__")} == {
        "connection_made", "connection_lost", "data_received", "on_headers_complete", "on_body",
        "on_message_begin", "on_message_complete", "on_response_complete", "send_400_response",
        "timeout_keep_alive_handler", "_should_upgrade", "shutdown",
    }  # fmt: skip


def test_a_cycle_is_what_the_fast_road_takes_it_for() -> None:
    assert names(RequestResponseCycle.__init__) == [
        "self", "scope", "transport", "flow", "logger", "access_logger", "access_log",
        "default_headers", "message_event", "expect_100_continue", "keep_alive", "on_response",
    ]  # fmt: skip
    cycle = RequestResponseCycle(*[None] * 11)  # type: ignore[arg-type]
    assert cycle.response_complete is False
    assert cycle.response_started is False
    assert cycle.disconnected is False
    assert cycle.more_body is True
    assert hasattr(cycle, "keep_alive")
    assert hasattr(cycle, "message_event")


def test_a_new_connection_has_what_the_fast_road_uses() -> None:
    async def look() -> HttpToolsProtocol:
        config = uvicorn.Config(lambda: None, http="httptools", ws="none", lifespan="off")
        return HttpToolsProtocol(config, uvicorn.server.ServerState(), {})

    protocol = asyncio.run(look())
    assert protocol.cycle is None
    assert not protocol.pipeline
    assert isinstance(protocol.parser, httptools.HttpRequestParser)
    assert protocol.expect_100_continue is False
    assert protocol.server_state.default_headers == []
    for name in ("headers", "flow", "transport", "tasks", "timeout_keep_alive_task"):
        assert hasattr(protocol, name), name
    for name in ("get_method", "get_http_version", "should_keep_alive", "should_upgrade"):
        assert callable(getattr(protocol.parser, name))


def test_queued_requests_are_taken_from_the_right_and_put_on_the_left() -> None:
    put = inspect.getsource(HttpToolsProtocol.on_headers_complete)
    take = inspect.getsource(HttpToolsProtocol.on_response_complete)
    assert "self.pipeline.appendleft((self.cycle, app))" in put
    assert "cycle, app = self.pipeline.pop()" in take
    assert "self.flow.resume_reading()" in take


def test_flow_control_is_what_the_fast_road_extends() -> None:
    for name in ("pause_reading", "resume_reading", "pause_writing", "resume_writing"):
        assert names(getattr(flow_control.FlowControl, name)) == ["self"]
    assert names(flow_control.FlowControl.__init__) == ["self", "transport"]
    state = vars(flow_control.FlowControl(None))  # type: ignore[arg-type]
    assert state.keys() >= {"read_paused", "write_paused"}


def test_what_follows_a_response_is_what_the_fast_road_does() -> None:
    base = inspect.getsource(HttpToolsProtocol.on_response_complete)
    for step in (
        "self.server_state.total_requests += 1", "if self.transport.is_closing():",
        "self.flow.resume_reading()", "self._start_asgi_task(cycle, app)",
        "self.timeout_keep_alive, self.timeout_keep_alive_handler",
    ):  # fmt: skip
        assert step in base


def test_status_lines_are_there() -> None:
    assert httptools_impl.STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"
    assert httptools_impl.STATUS_LINE[499] == b"HTTP/1.1 499 \r\n"
