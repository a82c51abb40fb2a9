"""numen's `/ws/{model}` beside a WebSocket endpoint of FastAPI + onnxruntime: frames/s.

Both serve the same 784-128-10 network, one process pinned to core 0. From core 1, so many
connections each keep one binary frame of one row under way, every connection another row; one
answer in sixteen has its values checked. Rounds alternate between the servers; medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort
import uvloop
from rich.console import Console
from rich.table import Table

from networks import digits, write
from servers import free_ports

CHECKED = 16
PEER = """
import sys
import numpy as np, onnxruntime as ort, uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options)
app = FastAPI()

@app.websocket("/ws/mlp")
async def answer(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            x = np.frombuffer(await socket.receive_bytes(), np.float32).reshape(-1, 784)
            await socket.send_bytes(session.run(None, {"x": x})[0].tobytes())
    except WebSocketDisconnect:
        pass

uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", ws_per_message_deflate=False)
"""


def numen_message(x: np.ndarray, id_: int) -> bytes:
    tensor = {
        "name": "x", "shape": list(x.shape), "datatype": "FP32",
        "parameters": {"binary_data_size": x.nbytes},
    }  # fmt: skip
    head = json.dumps({"id": str(id_), "inputs": [tensor]}, separators=(",", ":")).encode()
    return struct.pack("<I", len(head)) + head + x.tobytes()


def as_frame(message: bytes) -> bytes:
    """A binary frame of a client; a mask of zeros leaves it as it is."""
    return struct.pack(">BBQ", 0x82, 0x80 | 127, len(message)) + bytes(4) + message


class Client(asyncio.Protocol):
    """Sends its frame again whenever the answer is there."""

    def __init__(self, port: int, frame: bytes, expected: bytes, latencies: list[float]):
        self.port = port
        self.frame = frame
        self.expected = np.frombuffer(expected, np.float32)
        self.latencies = latencies
        self.left = b""
        self.open = False
        self.stopped = False
        self.wrong = 0
        self.count = 0
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        transport.write(
            b"GET /ws/mlp HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % self.port
        )

    def data_received(self, data: bytes) -> None:
        self.left += data
        if not self.open:
            head, found, self.left = self.left.partition(b"\r\n\r\n")
            if not found:
                self.left = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.open = True
            self.send()
            return
        while len(self.left) >= 4:
            size, at = self.left[1], 2
            if size == 126:
                size, at = int.from_bytes(self.left[2:4], "big"), 4
            if len(self.left) < at + size:
                return
            opcode, answer = self.left[0] & 15, self.left[at : at + size]
            self.left = self.left[at + size :]
            if opcode != 2:
                self.wrong += opcode == 1
                continue
            self.latencies.append(time.perf_counter() - self.sent_at)
            self.count += 1
            if self.count % CHECKED == 0:
                gap = np.frombuffer(answer[-40:], np.float32) - self.expected
                self.wrong += bool(np.abs(gap).max() > 1e-5)
            self.send()

    def send(self) -> None:
        if not self.stopped:
            self.sent_at = time.perf_counter()
            self.transport.write(self.frame)


async def measure(port: int, pairs: list[tuple[bytes, bytes]], seconds: float) -> dict:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    clients = [Client(port, as_frame(message), y, latencies) for message, y in pairs]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)
    await asyncio.sleep(0.5)
    latencies.clear()
    begin = time.perf_counter()
    await asyncio.sleep(seconds)
    spent, count = time.perf_counter() - begin, len(latencies)
    for client in clients:
        client.stopped = True
        client.transport.close()
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e3
    wrong = sum(client.wrong for client in clients)
    return {"rps": count / spent, "p50": p50, "p99": p99, "wrong": wrong}


def start(command: list[str], port: int, env: dict[str, str]) -> subprocess.Popen:
    process = subprocess.Popen(
        ["taskset", "-c", "0", *command], env={**os.environ, **env}, stderr=subprocess.DEVNULL
    )

    async def reach() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    for _ in range(300):
        try:
            asyncio.run(reach())
            return process
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{command} did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as folder:
        rows = run(Path(folder), arguments)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("server", "connections", "frames/s", "p50 ms", "p99 ms", "wrong answers")
    for row in rows:
        table.add_row(
            row["server"], str(row["connections"]), f"{row['rps']:,.0f}", f"{row['p50']:.2f}",
            f"{row['p99']:.2f}", str(row["wrong"]),
        )  # fmt: skip
    Console().print(table)


def run(folder: Path, arguments: argparse.Namespace) -> list[dict]:
    model = write(folder)["mlp"]
    home = {"NUMEN_HOME": str(folder / "home")}
    numen = [sys.executable, "-m", "numen"]
    subprocess.run(
        [*numen, "publish", str(model), "--name", "mlp"],
        env={**os.environ, **home}, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "peer.py").write_text(PEER)
    session = ort.InferenceSession(str(model))
    source = np.random.default_rng(7)
    inputs = [digits("mlp", 1, source) for _ in range(max(arguments.connections))]
    answers = [session.run(None, {"x": x})[0].tobytes() for x in inputs]
    messages = {
        "numen": [numen_message(x, place) for place, x in enumerate(inputs)],
        "fastapi + onnxruntime": [x.tobytes() for x in inputs],
    }
    ports = dict(zip(messages, free_ports(len(messages)), strict=True))
    commands = {
        "numen": [*numen, "serve", "--port", str(ports["numen"])],
        "fastapi + onnxruntime": [
            sys.executable, str(folder / "peer.py"), str(model),
            str(ports["fastapi + onnxruntime"]),
        ],
    }  # fmt: skip
    servers = [start(commands[name], ports[name], home) for name in messages]
    measured: dict[tuple[str, int], list[dict]] = {}
    try:
        for _ in range(arguments.rounds):
            for connections in arguments.connections:
                for name, texts in messages.items():
                    pairs = list(zip(texts, answers, strict=True))[:connections]
                    figures = uvloop.run(measure(ports[name], pairs, arguments.seconds))
                    measured.setdefault((name, connections), []).append(figures)
    finally:
        for server in servers:
            server.terminate()
            server.wait(20)
    return [
        {
            "server": name,
            "connections": connections,
            **{key: statistics.median(r[key] for r in runs) for key in ("rps", "p50", "p99")},
            "wrong": sum(r["wrong"] for r in runs),
        }
        for (name, connections), runs in measured.items()
    ]


if __name__ == "__main__":
    main()
