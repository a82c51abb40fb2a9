"""Connections that drip, stall, or are very many leave the server to the others."""

from __future__ import annotations

import contextlib
import http.client
import resource
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from asking import BODY, infer

from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, make_bundle, start_server, stop

POST = b"POST /v2/models/linear/infer HTTP/1.1\r\nhost: x\r\n"
MANY = 10_000


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    home = tmp_path_factory.mktemp("one")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    assert process.poll() is None, "no test ended the server"
    stop(process)
    registry.catalog.close()


def connect(live: Live) -> socket.socket:
    return socket.create_connection(("127.0.0.1", live.port), 10)


def closed_within(sockets: Mapping[socket.socket, bytes], seconds: float) -> int:
    """How many the server closed, while each is sent its drip every moment."""
    end = time.monotonic() + seconds
    open_ = set(sockets)
    for each in open_:
        each.setblocking(False)
    while open_ and time.monotonic() < end:
        for each in list(open_):
            try:
                if sockets[each]:
                    each.send(sockets[each])
                if not each.recv(4096):
                    open_.discard(each)
            except BlockingIOError:
                continue
            except OSError:
                open_.discard(each)
        time.sleep(0.1)
    return len(sockets) - len(open_)


def test_who_never_says_anything_is_closed(one: Live) -> None:
    silent = {connect(one): b"" for _ in range(50)}
    assert infer(one, "linear") == 200
    assert closed_within(silent, 15) == 50
    for each in silent:
        each.close()


@pytest.mark.slow
def test_requests_that_drip_are_closed_and_others_are_served(one: Live) -> None:
    long = b"content-length: 100000\r\n\r\n"
    begun = {
        "request line": (b"POST /v2", b"x"),
        "headers": (POST, b"x"),
        "body": (POST + long, b"x"),
        "body on the slow road": (b"POST /predict/linear HTTP/1.1\r\nhost: x\r\n" + long, b"x"),
        "chunks": (POST + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    }
    dripping: dict[socket.socket, bytes] = {}
    for first, drip in begun.values():
        for _ in range(100):
            each = connect(one)
            each.sendall(first)
            dripping[each] = drip
    begin = time.monotonic()
    assert infer(one, "linear") == 200
    assert time.monotonic() - begin < 2
    assert closed_within(dripping, 45) == len(dripping)
    assert time.monotonic() - begin > 15, "they had their time"
    assert infer(one, "linear") == 200
    for each in dripping:
        each.close()


@pytest.mark.slow
def test_a_slow_but_steady_upload_is_not_cut(one: Live) -> None:
    with connect(one) as upload:
        body = BODY.encode()
        upload.sendall(POST + b"content-length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), len(body) // 12):
            upload.sendall(body[at : at + len(body) // 12])
            time.sleep(0.6)  # in all longer than an idle connection is kept
        assert upload.recv(12) == b"HTTP/1.1 200"


def test_who_leaves_half_way_costs_nothing(one: Live) -> None:
    for begun in (b"", b"POST /v2", POST, POST + b"content-length: 100\r\n\r\n{"):
        for how in (socket.SHUT_WR, socket.SHUT_RDWR):
            with connect(one) as leaving:
                leaving.sendall(begun)
                leaving.shutdown(how)
                if how == socket.SHUT_WR:
                    with contextlib.suppress(ConnectionResetError):
                        assert b"200" not in leaving.recv(4096)
    assert infer(one, "linear") == 200
    assert "Traceback" not in (one.home / "server.log").read_text()


def memory(pid: int) -> float:
    """Resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


HOLD = """
import resource, socket, sys, time
port, many = int(sys.argv[1]), int(sys.argv[2])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []
for _ in range(many):
    each = socket.create_connection(("127.0.0.1", port), 20)
    each.sendall(b"GET /v2/health/live HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
    held.append(each)
    if len(held) % 250 == 0:
        for one in held[-250:]:
            assert one.recv(12) == b"HTTP/1.1 200"
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < MANY + 500, reason="too few open files allowed"
)
def test_ten_thousand_connections_are_held_and_all_are_served(one: Live) -> None:
    before = memory(one.process.pid)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(one.port), str(MANY)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdin is not None
        assert holder.stdout is not None
        ready = selectors.DefaultSelector()
        ready.register(holder.stdout, selectors.EVENT_READ)
        begin = time.monotonic()
        while not ready.select(0.2):
            assert time.monotonic() - begin < 240
            assert infer(one, "linear") == 200
        assert holder.stdout.readline() == "held\n"
        grown = memory(one.process.pid) - before
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=10)
        for _ in range(50):
            connection.request("POST", "/v2/models/linear/infer", BODY)
            assert connection.getresponse().read()
        connection.close()
        holder.stdin.write("\n")
        holder.stdin.close()
    assert grown < 400, f"{grown:.0f} MB for {MANY} connections"
    assert infer(one, "linear") == 200
