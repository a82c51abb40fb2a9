"""A gRPC port in this process, frames by hand, and messages for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import hpack
import numpy as np
from wire import Gate

from numen.core.bundle import Bundle
from numen.core.loop import loop_factory
from numen.core.settings import Settings
from numen.serve.ladder import Ladder, Pace, Rung
from numen.serve.live import Cold, Table
from numen.serve.opening import Opened
from numen.serve.service import Service
from numen.transport.grpc_port import open_grpc
from numen.transport.proto import INFERENCE

SERVICE = "/inference.GRPCInferenceService/"
CARRIERS = ("numen", "grpcio")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)


@dataclass
class GrpcDoor:
    """A port whose only model `linear` waits for its gate."""

    port: int
    service: Service
    gate: Gate
    loop: asyncio.AbstractEventLoop
    handle: Any

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def channel(self, **options: Any) -> grpc.Channel:
        return grpc.insecure_channel(self.address, options=list(options.items()))

    def close(self, grace: float) -> Any:
        """Begins to close the port; a future."""
        return asyncio.run_coroutine_threadsafe(self.handle.close(grace), self.loop)

    def wire(self, *, greet: bool = True, **settings: int) -> Frames:
        return Frames(self.port, greet=greet, **settings)


@contextmanager
def open_grpc_door(
    bundle: Bundle,
    carrier: str = "numen",
    max_body: int = 1 << 20,
    *,
    open_gate: bool = False,
    slow: bool = False,
    opening: float | None = None,
) -> Iterator[GrpcDoor]:
    """Serves the bundle as `linear`, run by a Gate on a thread; where slow, with a worse variant.

    Where an opening time is given, it is opened when it is first asked.
    """
    gate = Gate(bundle.manifest.signature)
    if open_gate:
        gate.open_.set()
    started = threading.Event()
    stopping: list[asyncio.Event] = []
    found: list[GrpcDoor] = []

    async def serve() -> None:
        service = Service()
        rungs = [Rung("fp32", gate, Pace({1: 0.001, 8192: 0.002}))]
        if slow:
            rungs = [Rung("fp32", gate, Pace({1: 5.0})), Rung("int8", gate, Pace({1: 0.001}), True)]
        opened = Opened("linear", "1", bundle, Ladder(rungs))
        listed: Any = service.admit(opened) if opening is None else None
        if opening is not None:
            listed = Cold("linear", "1", lambda: time.sleep(opening) or opened)
        service.swap(Table({"linear": {"1": listed}}, {"linear": {"best": "1"}}, {"linear": "1"}))
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        settings = Settings(max_body=max_body, grpc_carrier=carrier)
        handle = await open_grpc(service, None, settings, listener)
        found.append(GrpcDoor(handle.address[1], service, gate, asyncio.get_running_loop(), handle))
        stopping.append(asyncio.Event())
        started.set()
        await stopping[0].wait()
        await handle.close(0.1)
        service.close()
        # What was cancelled ends before the loop does.
        await asyncio.sleep(0.05)

    def run() -> None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield found[0]
    finally:
        gate.open_.set()
        found[0].loop.call_soon_threadsafe(stopping[0].set)
        thread.join(20)
    assert not thread.is_alive()


def ask(channel: grpc.Channel, name: str, message: Any, answer: Any, **how: Any) -> Any:
    """One call of the inference service."""
    call = channel.unary_unary(
        f"{SERVICE}{name}", type(message).SerializeToString, answer.FromString
    )
    return call(message, timeout=how.pop("timeout", 20), **how)


def infer(channel: grpc.Channel, message: Any, **how: Any) -> Any:
    return ask(channel, "ModelInfer", message, INFERENCE.ModelInferResponse, **how)


def infer_message(x: np.ndarray, id_: str = "", model: str = "linear", name: str = "image") -> Any:
    """A message with one raw tensor."""
    message = INFERENCE.ModelInferRequest(model_name=model, id=id_)
    datatype = {"f4": "FP32", "i8": "INT64"}[x.dtype.str[1:]]
    message.inputs.add(name=name, datatype=datatype, shape=x.shape)
    message.raw_input_contents.append(x.tobytes())
    return message


def prefixed(message: Any) -> bytes:
    """A message as gRPC puts it into a body."""
    body = message if isinstance(message, bytes) else message.SerializeToString()
    return b"\x00" + struct.pack(">I", len(body)) + body


def until(true: Any, seconds: float = 10.0) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values: int) -> bytes:
    ids = {"table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "list": 6}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", ids[k], v) for k, v in values.items()))


class Closed(Exception):
    """The server closed the connection."""


class Frames:
    """A connection, frame by frame."""

    def __init__(self, port: int, *, greet: bool = True, **values: int):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.left = b""
        if greet:
            self.send(PREFACE, settings(**values))

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def head(self, path: str = f"{SERVICE}ModelInfer", **headers: str) -> bytes:
        """A request's header block; None takes a header away."""
        fields: dict[str, Any] = {
            ":method": "POST", ":scheme": "http", ":path": path, ":authority": "test",
            "te": "trailers", "content-type": "application/grpc",
        }  # fmt: skip
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.encoder.encode([(k, v) for k, v in fields.items() if v is not None])

    def call(
        self, stream: int, message: Any, path: str = f"{SERVICE}ModelInfer", **headers: str
    ) -> None:
        """A whole request, in frames that everybody takes."""
        self.send(frame(HEADERS, 4, stream, self.head(path, **headers)))
        body = prefixed(message)
        for at in range(0, len(body), 16_384):
            piece = body[at : at + 16_384]
            self.send(frame(DATA, at + 16_384 >= len(body), stream, piece))

    def read(self) -> tuple[int, int, int, bytes]:
        """The next frame: kind, flags, stream, payload."""
        head = self._take(9)
        length = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:], "big"), self._take(length)

    def until(self, kind: int, stream: int | None = None) -> tuple[int, int, int, bytes]:
        """The next frame of a kind, and of a stream; others are passed over."""
        while True:
            found = self.read()
            if found[0] == kind and stream in (None, found[2]):
                return found

    def answer(self, stream: int) -> tuple[dict[str, str], bytes]:
        """A whole answer: all its headers in one, and its body."""
        headers: dict[str, str] = {}
        body = b""
        while True:
            kind, flags, id_, payload = self.read()
            if kind == HEADERS:
                fields = self.decoder.decode(payload)
                if id_ == stream:
                    headers |= dict(fields)
            elif kind == DATA and id_ == stream:
                body += payload
            elif kind == RST and id_ == stream:
                raise Closed(int.from_bytes(payload, "big"))
            if id_ == stream and flags & 1:
                return headers, body

    def goaway(self) -> int:
        """The code with which the server goes away; the connection ends with it."""
        _, _, _, payload = self.until(GOAWAY)
        code = int.from_bytes(payload[4:8], "big")
        with contextlib.suppress(Closed, ConnectionError):
            while True:
                self.read()
        return code

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, size: int) -> bytes:
        while len(self.left) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Closed
            self.left += data
        taken, self.left = self.left[:size], self.left[size:]
        return taken
