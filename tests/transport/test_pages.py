"""Pages of other addresses: which may ask a model from a browser, and read what it answers."""

from __future__ import annotations

import httpx
import pytest

from numen.serve.admission import Admission
from numen.transport.pages import elsewhere, is_welcome
from parts import Live

MINE = "http://localhost:9000"
OTHERS = ("http://evil.example", "null", "http://127.0.0.1.evil.example", "file://", "http://[")
ROW = {"inputs": [{"name": "image", "shape": [1, 28, 28], "datatype": "FP32", "data": [0.5] * 784}]}
ASKED = "/v2/models/linear/infer"


def allowed(reply: httpx.Response) -> str | None:
    return reply.headers.get("access-control-allow-origin")


def ahead(live: Live, path: str, origin: str, method: str = "POST") -> httpx.Response:
    asks = {"Origin": origin, "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type,numen-deadline-ms"}  # fmt: skip
    return httpx.options(live.url + path, headers=asks)


def test_a_page_of_this_machine_asks_and_reads(live: Live) -> None:
    before = ahead(live, ASKED, MINE)
    assert (before.status_code, allowed(before)) == (204, MINE)
    assert "POST" in before.headers["access-control-allow-methods"]
    reply = httpx.post(live.url + ASKED, json=ROW, headers={"Origin": MINE})
    assert reply.json()["outputs"][0]["shape"] == [1, 10]
    assert (allowed(reply), reply.headers["vary"]) == (MINE, "origin")
    for path in ("/v2", "/v1/models/linear", "/api/models", "/v2/models/linear"):
        assert allowed(httpx.get(live.url + path, headers={"Origin": MINE})) == MINE
    wrong = httpx.post(f"{live.url}/predict/linear", content=b"?", headers={"Origin": MINE})
    assert wrong.is_error
    assert allowed(wrong) == MINE, "it may read why it was refused"


@pytest.mark.parametrize("origin", OTHERS)
def test_a_page_from_elsewhere_reads_nothing(live: Live, origin: str) -> None:
    assert allowed(ahead(live, ASKED, origin)) is None
    reply = httpx.post(live.url + ASKED, json=ROW, headers={"Origin": origin})
    assert allowed(reply) is None


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/jobs", "POST"), ("/api/jobs", "GET"), ("/api/keys", "GET"), ("/graphql", "POST"),
        ("/api/models/linear/aliases/champion", "PUT"), ("/metrics", "GET"),
        ("/api/models/linear/aliases/champion/rollback", "POST"),
        ("/v2/repository/models/linear/unload", "POST"),
    ],
)  # fmt: skip
def test_what_changes_something_is_for_no_page(live: Live, path: str, method: str) -> None:
    assert allowed(ahead(live, path, MINE, method)) is None


def test_the_servers_own_page_takes_the_fast_door(live: Live) -> None:
    own = {"Origin": live.url}
    reply = httpx.post(live.url + ASKED, json=ROW, headers=own)
    assert reply.is_success
    assert allowed(reply) is None
    assert not elsewhere([(b"origin", b"http://a:1"), (b"host", b"a:1")])
    assert elsewhere([(b"host", b"a:1"), (b"origin", b"http://a:2")]) == b"http://a:2"


def test_where_keys_are_asked_for_a_key_decides() -> None:
    host = [(b"host", b"numen.example")]
    admission = Admission(insecure=True)
    assert not is_welcome(b"https://game.example", host, admission)
    assert is_welcome(b"https://numen.example", host, admission)
    admission = Admission(local=False)
    assert not admission.open
    assert is_welcome(b"https://game.example", host, admission)
