"""Pages of other origins: who may call, at every door, and who may not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from wire import image, infer_json

from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, make_bundle, start_server, stop

GAME, OTHER = "https://game.example", "https://other.example"
HEADER = "access-control-allow-origin"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that a game's pages may call."""
    home: Path = tmp_path_factory.mktemp("shared")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    url, process = start_server(home, "--origins", f"http://localhost:1, {GAME}")
    yield url
    stop(process)
    registry.catalog.close()


DOORS = [
    ("POST", "/v2/models/linear/infer"), ("POST", "/v2/models/linear/infer?slow"),
    ("POST", "/predict/linear"), ("GET", "/api/models"), ("GET", "/client/numen.js"),
    ("GET", "/api/models/linear/bundle"), ("GET", "/v2/models/nobody"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_only_the_pages_that_are_named_may_read(shared: str, method: str, path: str) -> None:
    body = None
    if method == "POST":
        body = infer_json(image(1)) if "infer" in path else b"[]"
    for origin, expected in ((GAME, GAME), (OTHER, None), (None, None)):
        sent = {"content-type": "application/json", **({"origin": origin} if origin else {})}
        for _ in range(2):  # the second time, a head that is known
            reply = httpx.request(method, shared + path, content=body, headers=sent)
            assert reply.headers.get(HEADER) == expected
        if expected:
            assert "numen-served-by" in reply.headers["access-control-expose-headers"].lower()
            assert "origin" in reply.headers["vary"].lower()


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_a_browser_asks_first_and_hears_who_may(shared: str, method: str, path: str) -> None:
    wanted = "content-type, authorization, numen-deadline-ms, inference-header-content-length"

    def ask(origin: str, what: str) -> httpx.Response:
        return httpx.options(
            shared + path,
            headers={
                "origin": origin, "access-control-request-method": what,
                "access-control-request-headers": wanted,
            },
        )  # fmt: skip

    allowed = ask(GAME, method)
    assert allowed.status_code == 200
    assert allowed.headers[HEADER] == GAME
    assert HEADER not in ask(OTHER, method).headers
    assert ask(GAME, "PUT").status_code == 400  # managing is for the server's own pages


def test_sockets_know_the_same_pages(shared: str) -> None:
    url = f"{shared.replace('http', 'ws')}/ws/linear"
    with connect(url, origin=GAME):  # type: ignore[arg-type]
        pass
    with pytest.raises(InvalidStatus) as refused, connect(url, origin=OTHER):  # type: ignore[arg-type]
        pass
    assert refused.value.response.status_code == 403


def test_nobody_is_named_by_default(live: Live) -> None:
    body = infer_json(image(1))
    sent = {"content-type": "application/json", "origin": GAME}
    reply = httpx.post(f"{live.url}/v2/models/linear/infer", content=body, headers=sent)
    assert reply.status_code == 200
    assert HEADER not in reply.headers
    asked = httpx.options(
        f"{live.url}/predict/linear",
        headers={"origin": GAME, "access-control-request-method": "POST"},
    )
    assert HEADER not in asked.headers
