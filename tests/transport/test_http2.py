"""HTTP/2 by hand: what every client may do is done, what none may do is refused, nothing hangs."""

from __future__ import annotations

import contextlib
import gc
import gzip
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import numpy as np
import pytest
from grpc_parts import (
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH,
    RST,
    SERVICE,
    SETTINGS,
    WINDOW,
    Closed,
    Frames,
    GrpcDoor,
    frame,
    infer_message,
    open_grpc_door,
    prefixed,
    settings,
    until,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from wire import image, memory

from numen.core.bundle import Bundle
from numen.transport.proto import INFERENCE, REFLECTION
from parts import make_bundle

LIVE = f"{SERVICE}ServerLive"
ENDED = 1


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrpcDoor]:
    """A port whose model answers at once."""
    bundle = make_bundle(tmp_path_factory.mktemp("http2"))
    with open_grpc_door(bundle, max_body=32 << 20, open_gate=True) as found:
        yield found


@pytest.fixture
def gated(bundle: Bundle) -> Iterator[GrpcDoor]:
    with open_grpc_door(bundle) as found:
        yield found


def well(answer: tuple[dict[str, str], bytes], x: np.ndarray) -> None:
    """The answer is to `x`."""
    headers, body = answer
    assert headers[":status"] == "200"
    assert headers["content-type"] == "application/grpc"
    assert headers["grpc-status"] == "0", headers
    assert int.from_bytes(body[1:5], "big") == len(body) - 5
    message = INFERENCE.ModelInferResponse.FromString(body[5:])
    found = np.frombuffer(message.raw_output_contents[0], np.float32).reshape(len(x), 10)
    np.testing.assert_array_equal(found, x.reshape(len(x), -1)[:, :10] + 1)


def still_well(door: GrpcDoor) -> None:
    with door.wire() as wire:
        x = image(9)
        wire.call(1, infer_message(x))
        well(wire.answer(1), x)


def refused(answer: tuple[dict[str, str], bytes], status: int, says: str) -> None:
    headers, body = answer
    assert body == b""
    assert (headers["grpc-status"], headers[":status"]) == (str(status), "200")
    assert says in headers["grpc-message"]


# What may be done.


def test_it_greets_and_acknowledges(served: GrpcDoor) -> None:
    with served.wire(window=100_000, table=0) as wire:
        kind, flags, stream, payload = wire.read()
        assert (kind, flags, stream) == (SETTINGS, 0, 0)
        said = dict(struct.iter_unpack(">HI", payload))
        assert said == {3: 256, 4: 1 << 20, 6: 1 << 14}
        assert wire.until(SETTINGS)[1] == ENDED  # an acknowledgement
        wire.send(frame(PING, 0, 0, b"12345678"))
        assert wire.until(PING) == (PING, ENDED, 0, b"12345678")


def test_bytes_may_come_one_by_one(served: GrpcDoor) -> None:
    x = image(1)
    with served.wire(greet=False) as wire:
        body = prefixed(infer_message(x))
        sent = PREFACE + settings() + frame(HEADERS, 4, 1, wire.head())
        sent += frame(DATA, 0, 1, body[:700]) + frame(DATA, ENDED, 1, body[700:])
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(200):
            wire.send(sent[at : at + 1])
        for at in range(200, len(sent), 97):
            wire.send(sent[at : at + 97])
        well(wire.answer(1), x)


def test_padding_priority_continuation_and_the_unknown(served: GrpcDoor) -> None:
    x = image(2)
    with served.wire() as wire:
        block = wire.head()
        wire.send(frame(PRIORITY, 0, 1, bytes(5)), frame(0x77, 0xFF, 9, b"what"))
        wire.send(frame(HEADERS, 0x28, 1, b"\x03" + bytes(5) + block[:9] + bytes(3)))
        wire.send(frame(CONTINUATION, 0, 1, block[9:20]), frame(CONTINUATION, 0, 1))
        wire.send(frame(CONTINUATION, 4, 1, block[20:]))
        body = prefixed(infer_message(x))
        wire.send(frame(DATA, 8, 1, b"\xff" + body[:100] + bytes(255)))
        wire.send(frame(DATA, 0, 1), frame(DATA, 8, 1, b"\x00" + body[100:]))
        # Trailers end a request as well.
        wire.send(frame(HEADERS, 5, 1, wire.encoder.encode([("x-more", "1")])))
        well(wire.answer(1), x)


def test_header_blocks_are_known_only_while_the_table_stays(served: GrpcDoor) -> None:
    """Blocks of the same bytes, but of another meaning after the table moved."""
    with served.wire() as wire:
        paths = [f"{SERVICE}ServerLive", f"{SERVICE}ServerReady", "/no/such", LIVE, LIVE, LIVE]
        for number, path in enumerate(paths * 3):
            stream = 2 * number + 1
            block = wire.head(path, x_filler=str(number % 5) * 900)
            wire.send(frame(HEADERS, 4, stream, block))
            wire.send(frame(DATA, ENDED, stream, prefixed(b"")))
            headers, _ = wire.answer(stream)
            assert headers["grpc-status"] == ("12" if path == "/no/such" else "0")


def test_indexed_blocks_change_their_meaning(served: GrpcDoor) -> None:
    """0xbe is the newest entry of the table: first one path, then another."""
    fixed = b"\x83\x86\x10\x02te\x08trailers\x10\x0ccontent-type\x10application/grpc"
    with served.wire() as wire:
        said = []
        for number, path in enumerate((LIVE, "/no/such", LIVE)):
            new = b"\x44" + bytes((len(path),)) + path.encode()
            for again, block in enumerate((new, b"\xbe", b"\xbe")):
                stream = 6 * number + 2 * again + 1
                wire.send(frame(HEADERS, 4, stream, fixed[:2] + block + fixed[2:]))
                wire.send(frame(DATA, ENDED, stream, prefixed(b"")))
                said.append(wire.answer(stream)[0]["grpc-status"])
    assert said == ["0"] * 3 + ["12"] * 3 + ["0"] * 3


def test_many_streams_of_one_connection(served: GrpcDoor) -> None:
    batches = {2 * n + 1: image(n, 1 + n % 3) for n in range(100)}
    with served.wire() as wire:
        for stream, x in batches.items():
            wire.call(stream, infer_message(x))
        bodies = dict.fromkeys(batches, b"")
        ends = 0
        while ends < len(batches):
            kind, flags, stream, payload = wire.read()
            if kind == DATA:
                bodies[stream] += payload
            ends += kind == HEADERS and flags & 1
        for stream, x in batches.items():
            well(
                (
                    {":status": "200", "content-type": "application/grpc", "grpc-status": "0"},
                    bodies[stream],
                ),
                x,
            )


def test_answers_stay_within_the_windows(served: GrpcDoor) -> None:
    x = image(1, 5000)  # 15 MB there, 200 kB back
    with served.wire(window=0) as wire:
        wire.call(1, infer_message(x))
        wire.until(HEADERS, 1)
        wire.send(frame(PING, 0, 0, b"no data."))
        assert wire.read()[0] == PING
        body = b""
        wire.send(frame(WINDOW, 0, 1, struct.pack(">I", 10)))
        body += wire.until(DATA)[3]
        assert len(body) == 10
        # Another initial window counts for streams that are open.
        wire.send(settings(window=7))
        body += wire.until(DATA)[3]
        assert len(body) == 17
        wire.send(settings(window=3), frame(WINDOW, 0, 1, struct.pack(">I", 4)))
        wire.send(frame(PING, 0, 0, b"no data."))
        while (found := wire.read())[0] != PING:
            assert found[0] == SETTINGS
        wire.send(frame(WINDOW, 0, 1, struct.pack(">I", 1 << 20)))
        while len(body) < 65_535:
            _, _, _, payload = wire.until(DATA)
            assert len(payload) <= 16_384
            body += payload
        assert len(body) == 65_535  # the connection's own window
        wire.send(frame(PING, 0, 0, b"no data."))
        assert wire.read()[0] == PING
        wire.send(settings(frame=40_000), frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)))
        sizes = []
        while True:
            kind, flags, _, payload = wire.read()
            if kind == DATA:
                sizes.append(len(payload))
                body += payload
            if kind == HEADERS and flags & 1:
                break
        assert max(sizes) == 40_000 or max(sizes) == 16_384
        well(({":status": "200", "content-type": "application/grpc", "grpc-status": "0"}, body), x)


def test_streams_that_wait_take_turns(served: GrpcDoor) -> None:
    x = image(1, 2000)
    with served.wire(window=1 << 20) as wire:
        for stream in (1, 3):
            wire.call(stream, infer_message(x))
        size = 0
        while size < 65_535:
            size += len(wire.until(DATA)[3])
        wire.send(frame(WINDOW, 0, 0, struct.pack(">I", 1 << 20)))
        order = []
        ends = 0
        while ends < 2:
            kind, flags, stream, _ = wire.read()
            if kind == DATA:
                order.append(stream)
            ends += kind == HEADERS and flags & 1
        assert {1, 3} <= set(order[:4])


def test_another_library_agrees(served: GrpcDoor) -> None:
    """h2 checks every frame that it gets."""
    x = image(3, 4000)
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    line = socket.create_connection(("127.0.0.1", served.port), 20)
    headers = [
        (":method", "POST"), (":scheme", "http"), (":authority", "test"),
        (":path", f"{SERVICE}ModelInfer"), ("te", "trailers"), ("content-type", "application/grpc"),
    ]  # fmt: skip
    bodies = dict.fromkeys((1, 3, 5), b"")
    unsent = dict.fromkeys(bodies, prefixed(infer_message(x)))
    for stream in bodies:
        client.send_headers(stream, headers)
    ended = set()
    with line:
        while ended != set(bodies):
            for stream, left in unsent.items():
                while left and (room := min(client.local_flow_control_window(stream), 16_384)):
                    client.send_data(stream, left[:room], end_stream=len(left) <= room)
                    left = left[room:]
                unsent[stream] = left
            line.sendall(client.data_to_send())
            for event in client.receive_data(line.recv(1 << 16)):
                assert not isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated)
                if isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
    for body in bodies.values():
        well(({":status": "200", "content-type": "application/grpc", "grpc-status": "0"}, body), x)


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
@pytest.mark.parametrize(("connections", "streams"), [(8, 1), (2, 50)])
def test_a_load_generator_is_served(
    served: GrpcDoor, tmp_path: Path, connections: int, streams: int
) -> None:
    body = tmp_path / "body"
    body.write_bytes(prefixed(infer_message(image(1))))
    run = subprocess.run(
        [
            "h2load", "-n2000", f"-c{connections}", f"-m{streams}", "-d", str(body),
            "-H", "content-type: application/grpc", "-H", "te: trailers",
            f"http://127.0.0.1:{served.port}{SERVICE}ModelInfer",
        ],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in run.stdout, run.stdout


def test_requests_leave_nothing_to_the_collector(served: GrpcDoor) -> None:
    with served.wire() as wire:
        x = image(1)
        wire.call(1, infer_message(x))
        well(wire.answer(1), x)
        gc.collect()
        gc.disable()
        try:
            for number in range(1, 301):
                wire.call(2 * number + 1, infer_message(x))
                well(wire.answer(2 * number + 1), x)
            assert gc.collect() < 300
        finally:
            gc.enable()


# What may not be done.

PROTOCOL, FLOW, CLOSED, SIZE, REFUSED, CALM = 1, 3, 5, 6, 7, 11


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(DATA, 0, 0, b"x"), PROTOCOL),
        (frame(DATA, 0, 5, b"x"), PROTOCOL),
        (frame(HEADERS, 4, 2, b"\x82"), PROTOCOL),
        (frame(HEADERS, 4, 0, b"\x82"), PROTOCOL),
        (frame(HEADERS, 0x24, 1, b"\x82"), SIZE),
        (frame(HEADERS, 0x0C, 1, b"\x09\x82"), PROTOCOL),
        (frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\x0f"), 9),
        (frame(HEADERS, 4, 1, b"\x40"), 9),
        (frame(CONTINUATION, 4, 1, b"\x82"), PROTOCOL),
        (frame(HEADERS, 0, 1, b"\x82") + frame(PING, 0, 0, bytes(8)), PROTOCOL),
        (frame(HEADERS, 0, 1, b"\x82") + frame(CONTINUATION, 4, 3, b"\x82"), PROTOCOL),
        (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
        (frame(PRIORITY, 0, 1, bytes(4)), SIZE),
        (frame(RST, 0, 0, bytes(4)), PROTOCOL),
        (frame(RST, 0, 9, bytes(4)), PROTOCOL),
        (frame(SETTINGS, 0, 1), PROTOCOL),
        (frame(SETTINGS, 0, 0, bytes(5)), SIZE),
        (frame(SETTINGS, 1, 0, bytes(6)), SIZE),
        (settings(push=2), PROTOCOL),
        (settings(window=1 << 31), FLOW),
        (settings(frame=16_383), PROTOCOL),
        (settings(frame=1 << 24), PROTOCOL),
        (frame(PUSH, 4, 1, bytes(4)), PROTOCOL),
        (frame(PING, 0, 1, bytes(8)), PROTOCOL),
        (frame(PING, 0, 0, bytes(7)), SIZE),
        (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
        (frame(GOAWAY, 0, 0, bytes(7)), SIZE),
        (frame(WINDOW, 0, 0, bytes(4)), PROTOCOL),
        (frame(WINDOW, 0, 0, bytes(3)), SIZE),
        (frame(WINDOW, 0, 7, b"\0\0\0\1"), PROTOCOL),
        (frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), FLOW),
        (b"\x00\x40\x01\x00\x00\x00\x00\x00\x01", SIZE),
    ],
)  # fmt: skip
def test_broken_rules_end_the_connection(served: GrpcDoor, sent: bytes, code: int) -> None:
    with served.wire() as wire:
        wire.send(sent)
        assert wire.goaway() == code
    still_well(served)


def test_settings_come_first(served: GrpcDoor) -> None:
    with served.wire(greet=False) as wire:
        wire.send(PREFACE, frame(PING, 0, 0, bytes(8)))
        assert wire.goaway() == PROTOCOL


def test_who_speaks_another_protocol_is_told(served: GrpcDoor) -> None:
    with served.wire(greet=False) as wire:
        wire.send(b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        reply = b""
        while data := wire.socket.recv(1000):
            reply += data
        head, _, body = reply.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"content-length: %d\r\n" % len(body) in head
        assert b"gRPC" in body


@pytest.mark.parametrize(
    "headers",
    [
        {":path": None}, {":method": None}, {":scheme": None}, {"te": "gzip"},
        {"connection": "close"}, {"transfer-encoding": "chunked"}, {":odd": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_malformed_requests_are_reset(served: GrpcDoor, headers: dict[str, Any]) -> None:
    with served.wire() as wire:
        wire.send(frame(HEADERS, 5, 1, wire.head(**headers)))
        assert wire.until(RST, 1)[3] == b"\0\0\0\1"
        upper = b"\x00\x02TE\x08trailers"
        wire.send(frame(HEADERS, 5, 3, wire.head() + upper))
        assert wire.until(RST, 3)[3] == b"\0\0\0\1"
        wire.send(frame(HEADERS, 5, 5, wire.head() + b"\x82"))  # a second :method
        assert wire.until(RST, 5)[3] == b"\0\0\0\1"
        x = image(1)
        wire.call(7, infer_message(x))
        well(wire.answer(7), x)


def test_one_stream_breaks_and_the_rest_go_on(gated: GrpcDoor) -> None:
    x = image(1)
    with gated.wire() as wire:
        wire.call(1, infer_message(x))
        wire.call(3, infer_message(x))
        wire.send(frame(DATA, 0, 3, b"after its end"))
        assert wire.until(RST, 3)[3] == struct.pack(">I", CLOSED)
        wire.send(frame(HEADERS, 4, 5, wire.head()), frame(HEADERS, 4, 5, wire.head()))
        assert wire.until(RST, 5)[3] == struct.pack(">I", PROTOCOL)
        wire.send(frame(HEADERS, 4, 7, wire.head()), frame(WINDOW, 0, 7, bytes(4)))
        assert wire.until(RST, 7)[3] == struct.pack(">I", PROTOCOL)
        wire.send(frame(HEADERS, 4, 9, wire.head()), frame(WINDOW, 0, 9, b"\x7f\xff\xff\xff"))
        assert wire.until(RST, 9)[3] == struct.pack(">I", FLOW)
        # Late frames of what is closed are nobody's fault.
        wire.send(frame(DATA, 0, 9, b"late"), frame(WINDOW, 0, 9, b"\0\0\0\1"))
        gated.gate.open_.set()
        well(wire.answer(1), x)


def test_more_data_than_its_window_breaks_a_stream(gated: GrpcDoor) -> None:
    """A stream whose messages are not taken gets no more window."""
    with gated.wire() as wire:
        wire.send(frame(HEADERS, 4, 1, wire.head(f"{SERVICE}ModelStreamInfer")))
        body = prefixed(infer_message(image(0, 8)))
        assert len(body) > 16_384
        for _ in range(150):
            wire.send(frame(DATA, 0, 1, body[:16_384]), frame(DATA, 0, 1, body[16_384:]))
        assert wire.until(RST, 1)[3] == struct.pack(">I", FLOW)
    gated.gate.open_.set()
    still_well(gated)


def test_too_many_streams_are_refused(gated: GrpcDoor) -> None:
    x = image(1)
    with gated.wire() as wire:
        for number in range(256):
            wire.send(frame(HEADERS, 4, 2 * number + 1, wire.head()))
        wire.call(513, infer_message(x))
        assert wire.until(RST, 513)[3] == struct.pack(">I", REFUSED)
        wire.send(frame(RST, 0, 1, bytes(4)))
        wire.call(515, infer_message(x))
        gated.gate.open_.set()
        well(wire.answer(515), x)


def test_headers_without_end(served: GrpcDoor) -> None:
    with served.wire() as wire:
        wire.send(frame(HEADERS, 0, 1, wire.head()))
        with contextlib.suppress(ConnectionError):
            for _ in range(8):
                wire.send(frame(CONTINUATION, 0, 1, bytes(16_384)))
            assert wire.goaway() == CALM
    with served.wire() as wire:
        # One large header of the table, named again and again.
        wire.send(frame(HEADERS, 5, 1, wire.head(x_large="v" * 3900)))
        wire.answer(1)
        block = wire.head(x_large="v" * 3900)
        wire.send(frame(HEADERS, 5, 3, block + b"\xbe" * 200))
        assert wire.goaway() == CALM
    still_well(served)


@pytest.mark.parametrize(
    "annoying",
    [
        lambda wire, n: frame(PING, 0, 0, bytes(8)),
        lambda wire, n: settings(),
        lambda wire, n: frame(PRIORITY, 0, 1, bytes(5)),
        lambda wire, n: frame(0x99, 0, 0),
        lambda wire, n: frame(WINDOW, 0, 0, b"\0\0\0\1"),
        lambda wire, n: frame(HEADERS, 4, 2 * n + 1, wire.head()) + frame(RST, 0, 2 * n + 1, bytes(4)),
        lambda wire, n: frame(HEADERS, 4, 2 * n + 1, wire.head()) + frame(DATA, 0, 2 * n + 1, b"1")
        + frame(RST, 0, 2 * n + 1, bytes(4)),
        lambda wire, n: frame(HEADERS, 5, 2 * n + 1, wire.head(te="no")),
    ],
    ids=["ping", "settings", "priority", "unknown", "window", "reset", "reset after data", "malformed"],
)  # fmt: skip
def test_who_does_things_to_no_purpose_is_sent_away(served: GrpcDoor, annoying: Any) -> None:
    with served.wire() as wire:
        flood = b"".join(annoying(wire, n) for n in range(6000))
        wire.socket.settimeout(0.05)
        try:
            while flood:
                flood = flood[wire.socket.send(flood[:65_536]) :]
        except (TimeoutError, ConnectionError):
            pass  # it reads no more
        wire.socket.settimeout(10)
        with contextlib.suppress(ConnectionError):  # what was not read took the words away
            assert wire.goaway() == CALM
    still_well(served)


def test_a_client_that_reads_nothing_is_not_read(served: GrpcDoor) -> None:
    """It asks for much and takes nothing: what it is to get does not pile up."""
    asked = prefixed(REFLECTION.ServerReflectionRequest(file_by_filename="inference.proto"))
    with served.wire(window=(1 << 31) - 1) as wire:
        wire.send(frame(WINDOW, 0, 0, struct.pack(">I", (1 << 31) - 1 - 65_535)))
        path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        wire.send(frame(HEADERS, 4, 1, wire.head(path)))
        wire.socket.settimeout(1)
        before = memory(os.getpid())
        many = frame(DATA, 0, 1, asked) * 1000

        def send_for_ever() -> None:
            for _ in range(1000):  # 5 GB of answers
                wire.send(many)

        with pytest.raises(TimeoutError):
            send_for_ever()
        assert memory(os.getpid()) - before < 64 << 20
        still_well(served)


def test_late_data_of_answered_requests_is_forgiven(gated: GrpcDoor) -> None:
    gated.gate.open_.set()
    with gated.wire() as wire:
        for stream in range(1, 101, 2):
            wire.send(frame(HEADERS, 4, stream, wire.head()))
            wire.send(frame(DATA, 0, stream, b"\x00\x7f\xff\xff\xff"))  # too large: refused
            wire.send(*[frame(DATA, 0, stream, bytes(1000))] * 60)
        wire.call(101, infer_message(image(1)))
        well(wire.answer(101), image(1))


def test_half_messages_are_kept_only_so_far(bundle: Bundle) -> None:
    """What one connection keeps is bounded, whatever the number of its streams."""
    with open_grpc_door(bundle, max_body=1 << 20, open_gate=True) as door, door.wire() as wire:
        start = b"\x00" + struct.pack(">I", 1 << 20)
        seen = None
        for number in range(8):
            stream = 2 * number + 1
            wire.send(frame(HEADERS, 4, stream, wire.head()), frame(DATA, 0, stream, start))
            for _ in range(40):
                wire.send(frame(DATA, 0, stream, bytes(16_384)))
        while seen is None:
            kind, _, _, payload = wire.read()
            if kind == HEADERS:
                seen = dict(wire.decoder.decode(payload))
        assert seen["grpc-status"] == "8"
        assert "keeps" in seen["grpc-message"]


# gRPC on it.


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, "415"), ({"content-type": None}, "415"),
        ({"content-type": "application/grpc-web"}, "415"), ({":method": "GET"}, "405"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_grpc_is_refused_as_http_does(
    served: GrpcDoor, headers: dict[str, Any], status: str
) -> None:
    with served.wire() as wire:
        wire.send(frame(HEADERS, 5, 1, wire.head(**headers)))
        found, body = wire.answer(1)
        assert (found[":status"], body) == (status, b"")
        assert "grpc-status" not in found


def test_what_is_grpc_is_refused_as_grpc_does(served: GrpcDoor) -> None:
    message = infer_message(image(1))
    with served.wire() as wire:
        wire.call(1, message, "/no/such")
        refused(wire.answer(1), 12, "/no/such")
        wire.call(3, message, grpc_encoding="snappy")
        answer = wire.answer(3)
        refused(answer, 12, "snappy")
        assert answer[0]["grpc-accept-encoding"] == "identity,gzip,deflate"
        wire.call(5, message, grpc_timeout="soon")
        refused(wire.answer(5), 3, "grpc-timeout")
        wire.call(7, message, grpc_timeout="0n")
        refused(wire.answer(7), 4, "deadline")
        wire.call(9, infer_message(image(1), model="größer %"))
        headers, _ = wire.answer(9)
        assert "gr%C3%B6%C3%9Fer %25" in headers["grpc-message"]
        wire.send(frame(HEADERS, 5, 11, wire.head()))
        refused(wire.answer(11), 3, "received none")
        wire.send(frame(HEADERS, 4, 13, wire.head()), frame(DATA, ENDED, 13, prefixed(message) * 2))
        refused(wire.answer(13), 3, "more than one")
        wire.send(
            frame(HEADERS, 4, 15, wire.head()), frame(DATA, ENDED, 15, prefixed(message)[:-1])
        )
        refused(wire.answer(15), 3, "a part of one")
        wire.send(frame(HEADERS, 4, 17, wire.head()), frame(DATA, ENDED, 17, b"\x01" + bytes(4)))
        refused(wire.answer(17), 13, "grpc-encoding")
        for stream, timeout in ((19, "20S"), (21, "99999999u"), (23, "1H")):
            wire.call(stream, message, grpc_timeout=timeout)
            well(wire.answer(stream), image(1))


def test_compressed_messages(served: GrpcDoor) -> None:
    def packed(data: bytes) -> bytes:
        return b"\x01" + struct.pack(">I", len(data)) + data

    x = image(1)
    plain = infer_message(x).SerializeToString()
    bomb = gzip.compress(bytes(40 << 20))
    assert len(bomb) < 65_536
    with served.wire() as wire:
        for stream, body, status in (
            (1, packed(gzip.compress(plain)), "0"),
            (3, prefixed(plain), "0"),
            (5, packed(b"what"), "3"),
            (7, packed(gzip.compress(plain)[:-9]), "3"),
            (9, packed(bomb), "8"),
        ):
            wire.send(frame(HEADERS, 4, stream, wire.head(grpc_encoding="gzip")))
            pieces = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]
            for piece in pieces[:-1]:
                wire.send(frame(DATA, 0, stream, piece))
            wire.send(frame(DATA, ENDED, stream, pieces[-1]))
            answer = wire.answer(stream)
            assert answer[0]["grpc-status"] == status
            if status == "0":
                well(answer, x)


def test_small_messages_that_become_large_are_bounded(bundle: Bundle) -> None:
    """What is kept counts as it is unpacked."""
    large = gzip.compress(infer_message(np.zeros((300, 28, 28), np.float32)).SerializeToString())
    with open_grpc_door(bundle) as door, door.wire() as wire:
        for number in range(12):
            body = b"\x01" + struct.pack(">I", len(large)) + large
            wire.send(frame(HEADERS, 4, 2 * number + 1, wire.head(grpc_encoding="gzip")))
            wire.send(frame(DATA, ENDED, 2 * number + 1, body))
        kind, _, _, payload = wire.until(HEADERS)
        seen = dict(wire.decoder.decode(payload))
        assert (kind, seen["grpc-status"]) == (HEADERS, "8")
        (endpoint,) = door.service.endpoints()
        assert endpoint.batcher.waiting <= 4 * 300


def test_a_message_that_says_it_is_too_large(gated: GrpcDoor) -> None:
    gated.gate.open_.set()
    with gated.wire() as wire:
        wire.send(frame(HEADERS, 4, 1, wire.head()), frame(DATA, 0, 1, b"\x00\x7f"))
        wire.send(frame(DATA, 0, 1, b"\xff\xff\xff" + b"more"))
        answer = wire.answer(1)
        refused(answer, 8, "at most 1048576 bytes")
        assert wire.until(RST, 1)[3] == bytes(4)  # no more of it, please
        wire.send(frame(DATA, 0, 1, bytes(100)))
        wire.call(3, infer_message(image(1)))
        well(wire.answer(3), image(1))
        wire.send(frame(HEADERS, 4, 5, wire.head(f"{SERVICE}ModelStreamInfer")))
        wire.send(frame(DATA, 0, 5, b"\x00\x7f\xff\xff\xff"))
        headers, _ = wire.answer(5)
        assert headers["grpc-status"] == "8"


def test_a_stream_of_messages_in_any_pieces(served: GrpcDoor) -> None:
    batches = [image(seed, 1 + seed % 4) for seed in range(12)]
    sent = b"".join(prefixed(infer_message(x, str(n))) for n, x in enumerate(batches))
    with served.wire() as wire:
        wire.send(frame(HEADERS, 4, 1, wire.head(f"{SERVICE}ModelStreamInfer")))
        for at in range(0, len(sent), 777):
            wire.send(frame(DATA, 0, 1, sent[at : at + 777]))
        wire.send(frame(DATA, ENDED, 1))
        headers, body = wire.answer(1)
        assert headers["grpc-status"] == "0"
        seen = set()
        while body:
            size = int.from_bytes(body[1:5], "big")
            message = INFERENCE.ModelStreamInferResponse.FromString(body[5 : 5 + size])
            seen.add(message.infer_response.id)
            body = body[5 + size :]
        assert seen == {str(n) for n in range(12)}
        wire.send(frame(HEADERS, 4, 3, wire.head(f"{SERVICE}ModelStreamInfer")))
        wire.send(frame(DATA, ENDED, 3, sent[:50]))
        headers, _ = wire.answer(3)
        assert (headers["grpc-status"], "cut short" in headers["grpc-message"]) == ("3", True)


# Ends.


def test_what_was_asked_is_answered_before_the_end(gated: GrpcDoor) -> None:
    x = image(1)
    with gated.wire() as wire:
        wire.call(1, infer_message(x))
        assert gated.gate.entered.wait(10)
        closing = gated.close(20)
        assert wire.until(GOAWAY)[3] == b"\x7f\xff\xff\xff\0\0\0\0"
        _, flags, _, payload = wire.until(PING)
        assert flags == 0
        wire.call(3, infer_message(x))  # it was on its way
        wire.send(frame(PING, ENDED, 0, payload))
        assert wire.until(GOAWAY)[3] == b"\0\0\0\3\0\0\0\0"
        wire.call(5, infer_message(x))
        assert wire.until(RST, 5)[3] == struct.pack(">I", REFUSED)
        assert not closing.done()
        gated.gate.open_.set()
        well(wire.answer(1), x)
        well(wire.answer(3), x)
        closing.result(10)
        with pytest.raises(Closed):
            wire.read()
    with pytest.raises(ConnectionError):
        gated.wire()


def test_who_does_not_go_is_made_to(gated: GrpcDoor) -> None:
    with gated.wire() as wire:
        wire.call(1, infer_message(image(1)))
        assert gated.gate.entered.wait(10)
        begin = time.monotonic()
        gated.close(0.3).result(10)
        assert time.monotonic() - begin < 5
        with pytest.raises((Closed, ConnectionError)):
            wire.until(HEADERS)


def test_a_client_that_goes_gets_its_answers(gated: GrpcDoor) -> None:
    x = image(1)
    with gated.wire() as wire:
        wire.call(1, infer_message(x))
        wire.send(frame(GOAWAY, 0, 0, bytes(8)))
        gated.gate.open_.set()
        well(wire.answer(1), x)
        with pytest.raises(Closed):
            wire.until(PING)


def test_a_client_that_is_gone_is_not_worked_for(gated: GrpcDoor) -> None:
    (endpoint,) = gated.service.endpoints()
    with gated.wire() as first, gated.wire() as second:
        first.call(1, infer_message(image(1)))
        assert gated.gate.entered.wait(10)
        second.call(1, infer_message(image(1, 2)))
        second.call(3, infer_message(image(1, 3)))
        until(lambda: endpoint.batcher.waiting == 5)
        second.send(frame(RST, 0, 3, struct.pack(">I", 8)))
        second.close()
        until(lambda: len(gated.handle._carrier._home.connections) == 1)
        gated.gate.open_.set()
        well(first.answer(1), image(1))
        first.call(3, infer_message(image(1, 4)))
        well(first.answer(3), image(1, 4))
    assert gated.gate.rows == [1, 4]


def test_silent_connections_are_asked_and_then_ended(served: GrpcDoor) -> None:
    def look(later: float) -> None:
        def do() -> None:
            for connection in list(served.handle._carrier._home.connections):
                connection.look(time.monotonic() + later)

        served.loop.call_soon_threadsafe(do)

    until(lambda: not served.handle._carrier._home.connections)
    with served.wire() as wire, served.wire(greet=False) as silent:
        wire.call(1, infer_message(image(1)))
        well(wire.answer(1), image(1))
        until(lambda: len(served.handle._carrier._home.connections) == 2)
        look(0)
        look(30)
        with pytest.raises((Closed, ConnectionError)):  # it never said anything
            silent.read()
        look(61)
        _, _, _, payload = wire.until(PING)
        wire.send(frame(PING, 1, 0, payload))
        time.sleep(0.1)
        look(62)
        look(100)  # it answered, so it is not ended
        wire.call(3, infer_message(image(1)))
        well(wire.answer(3), image(1))
        look(101)
        look(162)
        wire.until(PING)
        look(190)
        with pytest.raises((Closed, ConnectionError)):
            wire.read()


# Whatever comes.

KINDS = st.integers(0, 11)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Frames of any kind, most of them nearly right."""
    kind = draw(KINDS)
    flags = draw(st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]))
    stream = draw(st.sampled_from([0, 1, 2, 3, 5, 7, 0x7FFFFFFF]))
    payload = draw(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([bytes(4), bytes(5), bytes(8), b"\0\0\0\1", b"\x7f\xff\xff\xff"]),
            st.just(Frames.head.__get__(_Encoding())()),
            st.just(prefixed(infer_message(image(1)))),
            st.just(prefixed(infer_message(image(1)))[:200]),
        )
    )
    return frame(kind, flags, stream, payload)


class _Encoding:
    """Only what makes header blocks, of a connection that is not there."""

    def __init__(self) -> None:
        import hpack

        self.encoder = hpack.Encoder()


def good_bytes() -> bytes:
    head = Frames.head.__get__(_Encoding())()
    body = prefixed(infer_message(image(1)))
    return b"".join(
        [
            frame(HEADERS, 4, 1, head), frame(DATA, 1, 1, body), frame(PING, 0, 0, bytes(8)),
            frame(HEADERS, 0, 3, head[:7]), frame(CONTINUATION, 4, 3, head[7:]),
            frame(DATA, 0, 3, body[:99]), frame(DATA, 1, 3, body[99:]),
            settings(window=5), frame(WINDOW, 0, 0, b"\0\0\1\0"),
        ]
    )  # fmt: skip


GOOD = good_bytes()


def shown_to(door: GrpcDoor, sent: bytes, cut: int) -> None:
    """Sends it in two pieces, reads what comes, and sees that others are served meanwhile."""
    with door.wire() as wire:
        wire.socket.settimeout(0.02)
        try:
            wire.send(sent[:cut])
            wire.send(sent[cut:])
            while True:
                wire.read()
        except (Closed, TimeoutError, ConnectionError):
            pass
        still_well(door)


@hypothesis_settings(max_examples=150, deadline=None)
@given(parts=st.lists(frames(), max_size=12), cut=st.integers(0, 300))
def test_any_frames_do_no_harm(served: GrpcDoor, parts: list[bytes], cut: int) -> None:
    shown_to(served, b"".join(parts), cut)


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, len(GOOD)),
    end=st.integers(0, len(GOOD)),
)
def test_mutated_frames_do_no_harm(
    served: GrpcDoor, changes: list[tuple[int, int]], cut: int, end: int
) -> None:
    sent = bytearray(GOOD)
    for at, value in changes:
        # Heads of frames matter most, and the first ones most of all.
        sent[at % 400 if value % 2 else at] = value
    shown_to(served, bytes(sent[: max(end, 50)]), cut)


@hypothesis_settings(max_examples=50, deadline=None)
@given(sent=st.binary(max_size=400))
def test_any_bytes_do_no_harm(served: GrpcDoor, sent: bytes) -> None:
    shown_to(served, sent, 10)
