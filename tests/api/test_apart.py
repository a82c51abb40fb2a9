"""A server in a process of its own: it is up inside the block, and gone after it."""

from __future__ import annotations

import os
import socket

import httpx
import pytest

from numen.api.apart import serving, split_cores
from numen.core.errors import Internal
from parts import Live


def test_serves_inside_the_block_only(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(live.home))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving("linear", port=port) as server:
            assert not server.address.endswith(f":{port}")  # another one is free
            assert httpx.get(f"{server.address}/v2/models/linear/ready").status_code == 200
            assert server.process.poll() is None
            assert server.seconds > 0
    assert server.process.poll() is not None
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{server.address}/v2/health/ready")


def test_says_why_a_server_stopped(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(live.home))
    with pytest.raises(Internal, match=r"the server stopped: .*nobody"), serving("nobody"):
        raise AssertionError("it is not there")


def test_cores_are_kept_apart() -> None:
    server, load = split_cores()
    assert not set(server) & set(load)
    if hasattr(os, "sched_getaffinity"):
        mine = os.sched_getaffinity(0)
        assert set(server) | set(load) == (mine if len(mine) > 1 else set())
