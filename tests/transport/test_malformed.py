"""Malformed requests are refused by name, and cost the server nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from malformed import TABLE, Case
from wire import Reply, Wire, hot, image, memory, output

from parts import Live


@pytest.fixture(scope="module")
def wire(house: Live) -> Iterator[Wire]:
    with Wire(house.port) as found:
        yield found


def send(wire: Wire, case: Case) -> Reply:
    lines = [f"{case.method} {case.path} HTTP/1.1", "host: test"]
    lines += [f"{name}: {value}" for name, value in case.headers.items()]
    lines += [f"content-length: {len(case.body)}", "x-request-id: a-1", "", ""]
    wire.send("\r\n".join(lines).encode(), case.body)
    return wire.read()


def test_the_table_is_as_long_as_promised() -> None:
    assert len({case.name for case in TABLE}) == len(TABLE)
    distinct = {
        (case.method, case.path, case.body, *sorted(case.headers.items())) for case in TABLE
    }
    assert len(distinct) == len(TABLE) > 200


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_malformed_request_is_refused_by_name(wire: Wire, case: Case) -> None:
    reply = send(wire, case)
    assert reply.status == case.status, reply.body[:500]
    assert 400 <= reply.status < 500
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.headers["x-request-id"] == "a-1"
    body = reply.json
    if case.path == "/graphql":
        (entry,) = body["errors"]
        body = {"error": entry["message"], **entry["extensions"]}
    assert body["error"]
    assert body["code"] in ("invalid_input", "not_found", "too_large", "unsupported_media")
    if case.field is not None:
        assert body["field"] == case.field, body
        assert case.field in body["error"]
    # The server answers on, on the same connection.
    x = image(1)
    wire.send(hot(x))
    assert output(wire.read()).shape == (1, 10)


def test_the_whole_table_many_times_leaves_memory_flat(house: Live) -> None:
    with Wire(house.port) as wire:
        wire.send(hot(image(1)))
        good = output(wire.read())
        sizes = []
        for _ in range(20):
            for case in TABLE:
                assert send(wire, case).status == case.status
            sizes.append(memory(house.process.pid))
        wire.send(hot(image(1)))
        np.testing.assert_array_equal(output(wire.read()), good)
    assert max(sizes[5:]) - sizes[4] < 10 << 20, [size >> 20 for size in sizes]
