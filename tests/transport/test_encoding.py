"""Packed bodies in and out: as they were, within the limit, and by whom they were asked for."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import INFER, Door, Reply, Wire, image, infer_binary, infer_json, output, request

from numen.core.errors import InvalidInput, TooLarge
from numen.transport.encoding import MIN_PACKED, pack, unpack
from parts import Live, linear_graph

SLOW = INFER + "?road=slow"


def raw(body: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(body) + packing.flush()


PACKERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}


@given(st.binary(max_size=5000))
def test_what_was_packed_comes_out(body: bytes) -> None:
    for encoding, how in PACKERS.items():
        assert unpack(encoding.encode(), how(body), len(body)) == body
    assert unpack(b"deflate", raw(body), len(body)) == body
    assert unpack(b"", body, 0) == unpack(b"identity", body, 0) == body


@pytest.mark.parametrize("encoding", PACKERS)
def test_no_more_than_the_limit_is_unpacked(encoding: str) -> None:
    packed = PACKERS[encoding](bytes(1000))
    assert len(unpack(encoding.encode(), packed, 1000)) == 1000
    with pytest.raises(TooLarge):
        unpack(encoding.encode(), packed, 999)


@given(st.binary(max_size=300), st.sampled_from([b"gzip", b"deflate"]))
def test_anything_is_unpacked_or_refused(body: bytes, encoding: bytes) -> None:
    try:
        assert len(unpack(encoding, body, 1000)) <= 1000
    except (InvalidInput, TooLarge):
        return


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate, br", "gzip"), ("*", "gzip"),
        ("GZIP", "gzip"), ("gzip;q=0.5, deflate", "deflate"), ("gzip;q=0, *", "deflate"),
        ("gzip;q=0", None), ("gzip;q=0, *;q=0", None), ("br", None), ("identity", None), ("", None),
        ("gzip;q=odd", None), (";;,,q", None),
    ],
)  # fmt: skip
def test_an_answer_is_packed_as_it_is_accepted(accepted: str, encoding: str | None) -> None:
    body = b"0123456789" * 500
    packed, how = pack(accepted.encode(), body)
    assert how == (encoding.encode() if encoding else None)
    assert (unpack(how, packed, len(body)) if how else packed) == body
    assert bool(how) is (len(packed) < len(body))


def test_small_answers_go_as_they_are() -> None:
    assert pack(b"gzip", bytes(MIN_PACKED - 1)) == (bytes(MIN_PACKED - 1), None)
    assert pack(b"gzip", bytes(MIN_PACKED))[1] == b"gzip"


def unpacked(reply: Reply) -> Reply:
    encoding = reply.headers.pop("content-encoding").encode()
    return Reply(reply.status, reply.headers, unpack(encoding, reply.body, 1 << 24))


@pytest.mark.parametrize("path", [INFER, SLOW])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("encoding", PACKERS)
def test_both_roads_carry_packed_tensors(
    house: Live, path: str, binary: bool, encoding: str, tmp_path: Any
) -> None:
    x = image(2, 100)
    headers: dict[str, str] = {"content_encoding": encoding, "accept_encoding": "gzip"}
    body = infer_json(x)
    if binary:
        body, length = infer_binary(x, parameters={"binary_data_output": True})
        headers["inference_header_content_length"] = str(length)
        headers["content_type"] = "application/octet-stream"
    with Wire(house.port) as wire:
        wire.send(request("POST", path, PACKERS[encoding](body), **headers))
        said = output(unpacked(wire.read()))
        np.testing.assert_allclose(said, linear_graph(tmp_path / "l.onnx")(x), atol=1e-5)
        # A small answer, and one to who did not ask, go as they are.
        wire.send(request("POST", path, infer_json(x[:1]), accept_encoding="gzip"))
        assert output(wire.read()).shape == (1, 10)
        wire.send(request("POST", path, infer_json(x)))
        assert output(wire.read()).shape == (100, 10)


def test_the_other_doors_read_packed_bodies(house: Live) -> None:
    with httpx.Client(base_url=house.url) as http:
        for path, body, key in (
            ("/predict/linear", image(1, 30).tolist(), "rows"),
            ("/v1/models/linear:predict", {"instances": image(1, 30).tolist()}, "predictions"),
            ("/graphql", {"query": "{models{name}}"}, "data"),
        ):
            plain = http.post(path, json=body)
            packed = http.post(
                path, content=gzip.compress(json.dumps(body).encode()),
                headers={"content-encoding": "gzip", "content-type": "application/json"},
            )  # fmt: skip
            assert packed.status_code == 200, packed.text
            assert packed.json()[key] == plain.json()[key]
            if len(plain.content) > MIN_PACKED:
                assert plain.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    "path", [INFER, SLOW, "/v1/models/linear:predict", "/predict/linear", "/graphql"]
)
def test_a_bomb_is_refused(door: Door, path: str) -> None:
    bomb = gzip.compress(bytes(100 << 20))  # 100 KB; the door's limit is 1 MB
    assert len(bomb) < 1 << 20
    with door.wire() as wire:
        wire.send(
            request("POST", path, bomb, content_encoding="gzip", content_type="application/json")
        )
        reply = wire.read()
        assert (reply.status, reply.json["code"], reply.json["field"]) == (413, "too_large", "body")
