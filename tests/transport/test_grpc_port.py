"""When the gRPC port opens, and what is said where it does not."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from numen.core.errors import InvalidInput
from numen.core.settings import Settings
from numen.serve.service import Service
from numen.transport.grpc_port import serving_grpc


def taken(host: str, port: int) -> socket.socket:
    raise InvalidInput(f"cannot listen on {host}:{port}", hint="choose another", field="port")


def free(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.bind((host, 0))
    return listener


def serve(settings: Settings, bind: object) -> bool:
    """Whether something answers while it is served."""
    asked: list[int] = []

    def bound(host: str, port: int) -> socket.socket:
        listener = bind(host, port)  # type: ignore[operator]
        asked.append(listener.getsockname()[1])
        return listener

    async def run() -> bool:
        async with serving_grpc(Service(), None, settings, bound):
            if not asked:
                return False
            reader, writer = await asyncio.open_connection(settings.host, asked[0])
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(9), 10)
            writer.close()
            return answer[3] == 4

    return asyncio.run(run())


@pytest.mark.parametrize("carrier", ["numen", "grpcio"])
def test_it_opens(carrier: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "numen"):
        assert serve(Settings(grpc_carrier=carrier), free)
    assert "serving gRPC at 127.0.0.1:" in caplog.text


def test_the_default_port_may_be_anothers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "numen"):
        assert not serve(Settings(), taken)
    assert "gRPC is off: cannot listen on 127.0.0.1:8001; choose another" in caplog.text


def test_a_port_that_was_chosen_must_be_free() -> None:
    with pytest.raises(InvalidInput):
        serve(Settings(grpc_port=8123), taken)


def test_serve_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = subprocess.run(
            [sys.executable, "-m", "numen", "serve", "--port", "0", "--grpc-port", str(port)],
            env={**os.environ, "NUMEN_HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert run.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in run.stderr
    assert "--grpc-port" in run.stderr


@pytest.mark.parametrize(
    ("missing", "carrier"), [("google", "numen"), ("hpack", "numen"), ("grpc", "grpcio")]
)
def test_without_the_packages_it_says_what_to_install(missing: str, carrier: str) -> None:
    code = f"""
import sys
sys.modules[{missing!r}] = None
sys.path.insert(0, {str(Path(__file__).parent)!r})
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import logging
logging.basicConfig(level=logging.INFO)
import asyncio
from test_grpc_port import free
from numen.core.settings import Settings
from numen.transport.grpc_port import serving_grpc
from numen.serve.service import Service
async def run():
    async with serving_grpc(Service(), None, Settings(grpc_carrier={carrier!r}), free):
        print("the rest goes on")
asyncio.run(run())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout == "the rest goes on\n", run.stderr
    assert 'gRPC is off: gRPC needs an optional package; pip install "numen[grpc]"' in run.stderr


def test_what_is_missing_is_an_error_to_who_opens_it_by_hand() -> None:
    code = """
import sys, asyncio, socket
sys.modules["hpack"] = None
from numen.core.errors import MissingExtra
from numen.core.settings import Settings
from numen.serve.service import Service
from numen.transport.grpc_port import open_grpc
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
async def run():
    try:
        await open_grpc(Service(), None, Settings(), listener)
    except MissingExtra:
        print(listener.fileno())
asyncio.run(run())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.stdout == "-1\n", run.stderr
