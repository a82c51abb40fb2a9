"""Bytes on a socket: requests written as they are, answers read one by one."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvicorn

from numen.control.app import build
from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.core.signature import Signature
from numen.registry import Registry
from numen.serve.ladder import Ladder, Pace, Rung
from numen.serve.live import Table
from numen.serve.opening import Opened
from numen.serve.service import Service
from numen.transport.fast import protocol_for
from parts import free_port

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
INFER = "/v2/models/linear/infer"


@dataclass
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Closed(Exception):
    """The server closed the connection."""


class Wire:
    """A connection, byte by byte."""

    def __init__(self, port: int, timeout: float = 10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.left = b""

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def read(self, method: str = "POST") -> Reply:
        while b"\r\n\r\n" not in self.left:
            self._more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value.strip()
        if int(status) < 200 or method == "HEAD":
            return Reply(int(status), headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while chunk := self._take(int(self._line(), 16)):
                body += chunk
                assert self._line() == b""
            assert self._line() == b""
        else:
            body = self._take(int(headers["content-length"]))
        return Reply(int(status), headers, body)

    def ended(self) -> bool:
        """Whether the server says no more."""
        try:
            return self.left == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise Closed
        self.left += data

    def _take(self, size: int) -> bytes:
        while len(self.left) < size:
            self._more()
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def _line(self) -> bytes:
        while b"\r\n" not in self.left:
            self._more()
        line, _, self.left = self.left.partition(b"\r\n")
        return line


def request(
    method: str, path: str, body: bytes | None = None, version: str = "1.1", **headers: str
) -> bytes:
    """A request's bytes; `content_type="…"` becomes `content-type: …`."""
    lines = [f"{method} {path} HTTP/{version}", "host: test"]
    if body is not None and "transfer_encoding" not in headers and "content_length" not in headers:
        lines.append(f"content-length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def image(seed: int, rows: int = 1) -> np.ndarray:
    """float32[rows, 28, 28], another one for every seed."""
    return np.random.default_rng(seed).random((rows, 28, 28), np.float32) * 255


def infer_json(x: np.ndarray, id_: str | None = None, **more: Any) -> bytes:
    """An infer body as JSON."""
    data = np.ascontiguousarray(x).reshape(-1)
    tensor = {"name": "image", "shape": list(x.shape), "datatype": "FP32", "data": data}
    message = {"inputs": [tensor], **more}
    return orjson.dumps({"id": id_, **message} if id_ else message, option=_NUMPY)


def infer_binary(x: np.ndarray, id_: str | None = None, **more: Any) -> tuple[bytes, int]:
    """An infer body with a binary tensor, and the length of its JSON."""
    tensor = {
        "name": "image", "shape": list(x.shape), "datatype": "FP32",
        "parameters": {"binary_data_size": x.nbytes},
    }  # fmt: skip
    message = {"inputs": [tensor], **more}
    head = json.dumps({"id": id_, **message} if id_ else message).encode()
    return head + x.tobytes(), len(head)


def hot(x: np.ndarray, id_: str | None = None, binary: bool = False, **headers: str) -> bytes:
    """A request that the fast door takes."""
    if binary:
        body, length = infer_binary(x, id_, parameters={"binary_data_output": True})
        headers |= {
            "content_type": "application/octet-stream",
            "inference_header_content_length": str(length),
        }
    else:
        body = infer_json(x, id_)
        headers.setdefault("content_type", "application/json")
    return request("POST", INFER, body, **headers)


def output(reply: Reply) -> np.ndarray:
    """An infer answer's only output, from JSON or binary."""
    assert reply.status == 200, reply.body
    length = int(reply.headers.get("inference-header-content-length", len(reply.body)))
    (tensor,) = json.loads(reply.body[:length])["outputs"]
    if length == len(reply.body):
        return np.array(tensor["data"], np.float32).reshape(tensor["shape"])
    return np.frombuffer(reply.body[length:], np.float32).reshape(tensor["shape"])


class Gate:
    """A runtime that answers `x + 1` when it is let go, and counts what it ran."""

    def __init__(self, signature: Signature):
        self.signature = signature
        self.open_ = threading.Event()
        self.entered = threading.Event()
        self.rows: list[int] = []

    def open(self, path: Path, *, threads: int = 1) -> None: ...

    def predict(self, inputs: Any) -> dict[str, np.ndarray]:
        self.entered.set()
        assert self.open_.wait(20)
        (x,) = inputs.values()
        self.rows.append(len(x))
        return {self.signature.outputs[0].name: x.reshape(len(x), -1)[:, :10] + 1}

    def close(self) -> None: ...


@dataclass
class Door:
    """A server in a thread of this process, whose Service tests may look into."""

    port: int
    service: Service
    gate: Gate
    protocols: set[Any] = field(default_factory=set)
    loop: Any = None
    server: Any = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, what: Callable[[], Any]) -> Any:
        """Runs something on the server's loop."""

        async def run() -> Any:
            return what()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def wire(self, timeout: float = 10.0) -> Wire:
        return Wire(self.port, timeout)


@contextmanager
def open_door(
    bundle: Bundle,
    registry: Registry,
    max_body: int = 1 << 20,
    keep_alive: int = 5,
    ping: float = 20.0,
) -> Iterator[Door]:
    """Serves the bundle as `linear`, run by a Gate on a thread, as `numen serve` would."""
    gate = Gate(bundle.manifest.signature)
    started = threading.Event()
    found: list[Door] = []
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        service = Service()
        opened = Opened("linear", "1", bundle, Ladder([Rung("fp32", gate, Pace({1: 1.0}))]))
        endpoint = service.admit(opened)
        service.swap(Table({"linear": {"1": endpoint}}, {}, {"linear": "1"}))
        app = build(service, registry, Settings(max_body=max_body))
        config = uvicorn.Config(
            app, "127.0.0.1", free_port(), http=protocol_for(service, max_body),
            ws="websockets-sansio",
            lifespan="off", log_config=None, access_log=False, server_header=False, timeout_keep_alive=keep_alive, ws_ping_interval=ping,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        server = uvicorn.Server(config)
        servers.append(server)
        watching = asyncio.create_task(_when(lambda: server.started, started.set))
        connections, loop = server.server_state.connections, asyncio.get_running_loop()
        found.append(Door(config.port, service, gate, connections, loop, server))
        await server.serve()
        await watching
        service.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(20)
    try:
        yield found[0]
    finally:
        gate.open_.set()
        servers[0].should_exit = True
        thread.join(20)
    assert not thread.is_alive()


async def _when(true: Callable[[], bool], then: Callable[[], object]) -> None:
    while not true():
        await asyncio.sleep(0.005)
    then()


def memory(pid: int) -> int:
    """A process's resident memory, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmRSS")
