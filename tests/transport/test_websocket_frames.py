"""WebSocket byte by byte: what is not a request is answered, what is not WebSocket is ended."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import pytest
from test_websocket import HANDSHAKE, binary, hear, opened, text
from websockets.frames import Frame, Opcode
from wire import Door, Wire, hot, image, infer_json, open_door, output, request

from numen.core.bundle import Bundle
from numen.registry import Registry
from parts import Live

HEAD = '{"inputs":[{"name":"image","shape":[1,28,28],"datatype":"FP32"'
SIZED = HEAD + ',"parameters":{"binary_data_size":3136}}]}'


def sized(head: str, tail: bytes) -> bytes:
    return struct.pack("<I", len(head.encode())) + head.encode() + tail


@pytest.mark.parametrize(
    ("frame", "id_", "field"),
    [
        ("", None, "frame"), ("{", None, "frame"), ("[]", None, "frame"), ("5", None, "frame"),
        ("null", None, "frame"), ("{}", None, "value"), ('{"id":"a"}', "a", "value"),
        ('{"id":"a",}', None, "frame"), ('{"value":1}{"value":1}', None, "frame"),
        ("[" * 5000, None, "frame"), ('{"value":' + "[" * 5000 + "]" * 5000 + "}", None, "frame"),
        ('{"id":5,"value":1}', 5, "id"), ('{"id":"","value":1}', "", "id"),
        ('{"id":"a","value":[1,2]}', "a", "image"), ('{"id":"a","value":"x"}', "a", "image"),
        ('{"id":"a","age":5}', "a", None), ('{"id":"a","value":null}', "a", "image"),
        ('{"id":"a","value":1,"parameters":5}', "a", "parameters"),
        ('{"id":"a","value":1,"parameters":{"deadline_ms":-1}}', "a", "deadline_ms"),
        ('{"id":"a","value":1,"parameters":{"deadline_ms":true}}', "a", "deadline_ms"),
        ('{"id":"a","value":1,"parameters":{"latest":1}}', "a", "latest"),
        ('{"id":"a","inputs":5}', "a", "inputs"), ('{"id":"a","inputs":[]}', "a", "image"),
        ('{"id":7,"inputs":[]}', 7, "id"), ('{"id":"a","inputs":[5]}', "a", "inputs"),
        (HEAD + ',"data":[1,2]}],"id":"a"}', "a", "image"),
        ('{"id":"a",' + HEAD[1:] + ',"data":[1,2]}]}', "a", "image"),
        ('{"id":"a","outputs":[{"name":"odd"}],' + HEAD[1:] + ',"data":' + str([0] * 784) + "}]}",
         "a", "odd"),
        (b"", None, None), (b"\1\0\0", None, None), (b"\0\0\0\0", None, None),
        (b"\xff\xff\xff\xff{}", None, None), (sized("{}", b""), None, "inputs"),
        (sized("nonsense", b""), None, "body"), (sized(SIZED, bytes(3135)), None, "image"),
        (sized(SIZED, bytes(3137)), None, "binary_data_size"),
        (sized('{"id":"a",' + SIZED[1:], b""), "a", "image"),
        (sized('{"id":"a","value":1}', b""), "a", "inputs"), (sized("[]", b""), None, "body"),
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_answered_by_name(
    house: Live, frame: str | bytes, id_: Any, field: str | None
) -> None:
    with opened(house) as ws:
        ws.send(frame)
        answer = hear(ws)
        assert answer["code"] == "invalid_input", answer
        assert (answer["id"], answer.get("field")) == (id_, field), answer
        ws.send(binary(image(1)))
        assert hear(ws)["y"].shape == (1, 10)


def test_a_value_that_is_no_number_fails_alone(house: Live) -> None:
    bad = image(1)
    bad[0, 0, 0] = float("nan")
    with opened(house) as ws:
        for n in range(20):
            ws.send(binary(bad if n % 5 == 0 else image(n), str(n)))
        answers = {answer["id"]: answer for answer in (hear(ws) for _ in range(20))}
    assert {id_ for id_, a in answers.items() if "code" in a} == {"0", "5", "10", "15"}


def close_code(wire: Wire) -> int:
    """The code of the server's close frame, after which it says no more."""
    wire.socket.settimeout(10)
    while data := wire.socket.recv(1 << 16):
        wire.left += data
    at = wire.left.rindex(b"\x88")
    return int(struct.unpack_from(">H", wire.left, at + 2)[0])


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Frame(Opcode.TEXT, b"{}").serialize(mask=False), 1002),
        (b"\x83\x80\0\0\0\0", 1002), (b"\xc1\x80\0\0\0\0", 1002), (b"\x8b\x80\0\0\0\0", 1002),
        (b"\x09\x80\0\0\0\0", 1002), (b"\x89\xfe\0\x7e" + bytes(130), 1002),
        (Frame(Opcode.CONT, b"x").serialize(mask=True), 1002),
        (Frame(Opcode.TEXT, b"{", fin=False).serialize(mask=True)
         + Frame(Opcode.TEXT, b"}").serialize(mask=True), 1002),
        (Frame(Opcode.CLOSE, b"\x03").serialize(mask=True), 1002),
        (Frame(Opcode.CLOSE, b"\x03\xec").serialize(mask=True), 1002),
        (Frame(Opcode.CLOSE, b"\x03\xe8bye").serialize(mask=True), 1000),
        (Frame(Opcode.TEXT, b'{"value":"\xff"}').serialize(mask=True), 1007),
        (b"\x82\xff" + struct.pack(">Q", 1 << 40) + bytes(4), 1009),
        (b"\x82\xff" + struct.pack(">Q", (1 << 20) + 1) + bytes(4), 1009),
        (Frame(Opcode.BINARY, bytes(600_000), fin=False).serialize(mask=True)
         + Frame(Opcode.CONT, bytes(600_000)).serialize(mask=True), 1009),
    ],
)  # fmt: skip
def test_what_is_not_websocket_ends_the_connection(door: Door, sent: bytes, code: int) -> None:
    with door.wire() as wire:
        wire.send(HANDSHAKE)
        assert wire.read("GET").status == 101
        wire.send(sent)
        assert close_code(wire) == code
    with opened(door) as ws:
        ws.send("{}")
        assert hear(ws)["code"] == "invalid_input"


def test_who_goes_on_sending_too_much_still_learns_why(door: Door) -> None:
    with door.wire() as wire:
        wire.send(HANDSHAKE)
        assert wire.read("GET").status == 101
        wire.send(b"\x82\xff" + struct.pack(">Q", 8 << 20) + bytes(4))
        for _ in range(8):
            wire.send(bytes(1 << 20))
        assert close_code(wire) == 1009


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bytes_may_come_in_any_pieces(house: Live, size: int) -> None:
    data = text(image(1), "a").encode()
    third = len(data) // 3
    frames = [
        Frame(Opcode.TEXT, data[:third], fin=False), Frame(Opcode.PING, b"there?"),
        Frame(Opcode.CONT, data[third : 2 * third], fin=False), Frame(Opcode.CONT, data[2 * third :]),
        Frame(Opcode.CLOSE, b""),
    ]  # fmt: skip
    stream = HANDSHAKE + b"".join(frame.serialize(mask=True) for frame in frames[:-1])
    with Wire(house.port) as wire:
        for at in range(0, len(stream), size):
            wire.send(stream[at : at + size])
        assert wire.read("GET").status == 101
        while b'"parameters"' not in wire.left:
            wire.left += wire.socket.recv(1 << 16)
        assert wire.left.startswith(b"\x8a\x06there?")
        wire.send(frames[-1].serialize(mask=True))
        while b"\x88\x00" not in wire.left:
            wire.left += wire.socket.recv(1 << 16)
        assert wire.socket.recv(1) == b""


def test_it_opens_on_a_connection_that_was_used_and_stays(
    bundle: Bundle, registry: Registry
) -> None:
    with open_door(bundle, registry, keep_alive=1) as door, door.wire() as wire:
        door.gate.open_.set()
        wire.send(hot(image(1)))
        output(wire.read())
        wire.send(HANDSHAKE, Frame(Opcode.TEXT, infer_json(image(1), "a")).serialize(mask=True))
        assert wire.read("GET").status == 101
        wire.socket.settimeout(2.5)
        with contextlib.suppress(TimeoutError):
            while True:
                data = wire.socket.recv(1 << 16)
                assert data, "the idle time of HTTP ended a WebSocket"
                wire.left += data
        assert b'"id":"a"' in wire.left


def test_it_does_not_open_before_what_was_asked_is_answered(door: Door) -> None:
    with door.wire() as wire:
        wire.send(hot(image(1)), HANDSHAKE)
        assert door.gate.entered.wait(10)
        door.gate.open_.set()
        output(wire.read())
        assert wire.read("GET").status == 404  # a GET like any other


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_websocket_key": "short", "sec_websocket_version": "13"},
        {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==", "sec_websocket_version": "8"},
        {"sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ=="},
    ],
)
def test_a_bad_opening_is_refused(house: Live, headers: dict[str, str]) -> None:
    with Wire(house.port) as wire:
        offer = {"connection": "Upgrade", "upgrade": "websocket"}
        wire.send(request("GET", "/ws/linear", **offer, **headers))
        reply = wire.read()
        assert (reply.status, json.loads(reply.body)["code"]) == (400, "invalid_input")
        assert wire.ended()
