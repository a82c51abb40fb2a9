"""Keys at every door of a live server: none, wrong, good, another model's, expired, revoked."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from wire import Wire, hot, image, infer_json, request

from numen.control.app import build
from numen.control.gate import RULES, paths
from numen.core.errors import Unauthenticated
from numen.core.key import ACTIONS, Key
from numen.core.settings import Settings
from numen.registry import Registry
from numen.serve.admission import Admission
from numen.serve.service import Service
from numen.transport.caller import Head
from parts import Live, make_bundle, start_server, stop

V1 = {"instances": image(1).tolist()}
EXAMPLES = {"examples": [{"image": image(1).ravel().tolist()}]}
GRAPHQL = "/graphql?query=%7Bmodels%7Bname%7D%7D"
INFER = infer_json(image(1))
ROWS = {"rows": [{"value": "text", "label": "x"}]}

# Method, path, body, the action it takes, and whether it is for one model.
DOORS: list[tuple[str, str, Any, str, bool]] = [
    ("POST", "/v2/models/linear/infer", INFER, "predict", True),
    ("POST", "/v2/models/linear/versions/1/infer", INFER, "predict", True),
    ("POST", "/v2/models/linear/infer?slow", INFER, "predict", True),
    ("GET", "/v2/models/linear", None, "read", True),
    ("GET", "/v2/models/linear/versions/1", None, "read", True),
    ("GET", "/v2/models/linear/ready", None, "read", True),
    ("GET", "/v2/models/linear/versions/1/ready", None, "read", True),
    ("GET", "/v2/models/linear/stats", None, "read", True),
    ("GET", "/v2/models/linear/versions/1/stats", None, "read", True),
    ("GET", "/v2/models/stats", None, "read", False),
    ("POST", "/v2/repository/index", None, "read", False),
    ("POST", "/v2/repository/models/linear/load", None, "manage", True),
    ("POST", "/v2/models/linear/explain", INFER, "explain", True),
    ("POST", "/v2/models/linear/versions/1/explain", INFER, "explain", True),
    ("POST", "/v1/models/linear:predict", V1, "predict", True),
    ("POST", "/v1/models/linear/versions/1:predict", V1, "predict", True),
    ("POST", "/v1/models/linear/labels/champion:predict", V1, "predict", True),
    *(
        ("POST", f"/v1/models/linear{which}:explain", V1, "explain", True)
        for which in ("", "/versions/1", "/labels/champion")
    ),
    *(
        ("POST", f"/v1/models/linear{which}:{verb}", EXAMPLES, "predict", True)
        for which in ("", "/versions/1", "/labels/champion")
        for verb in ("classify", "regress")
    ),
    ("GET", "/v1/models/linear/labels/champion/metadata", None, "read", True),
    ("GET", "/v1/models/linear", None, "read", True),
    ("GET", "/v1/models/linear/versions/1", None, "read", True),
    ("GET", "/v1/models/linear/labels/champion", None, "read", True),
    ("GET", "/v1/models/linear/metadata", None, "read", True),
    ("GET", "/v1/models/linear/versions/1/metadata", None, "read", True),
    ("POST", "/predict/linear", image(1)[0].tolist(), "predict", True),
    ("POST", "/predict/linear@champion", image(1)[0].tolist(), "predict", True),
    ("POST", "/predict/linear/input", image(1)[0].tolist(), "predict", True),
    ("GET", "/api/models/linear", None, "read", True),
    ("GET", "/api/models/linear@champion/bundle", None, "predict", True),
    ("GET", "/api/models/linear@1/bundle/predict.onnx", None, "predict", True),
    ("PUT", "/api/models/linear/aliases/champion", {"version": 1}, "manage", True),
    ("POST", "/api/models/linear/aliases/fresh/rollback", None, "manage", True),
    ("GET", "/metrics", None, "read", False),
    ("GET", "/api/datasets", None, "read", False),
    ("POST", "/api/datasets/mnist/rows", ROWS, "manage", False),
    ("POST", "/api/models/linear/evaluate", {"data": "mnist"}, "manage", True),
    ("GET", "/api/keys", None, "manage", False),
    ("DELETE", "/api/keys/00000000", None, "manage", False),
    ("POST", "/api/keys", {"name": "x"}, "manage", False),
]
OPEN = ["/", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json", "/healthz", "/nothing",
        "/v2/health/live", "/v2/health/ready", "/play/digit-duel/"]  # fmt: skip
by_door = pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door[0]} {door[1]}")


class House:
    """A server with two models and keys of every kind."""

    def __init__(self, live: Live):
        self.live = live
        self.secrets: list[str] = []
        self._kinds: dict[str, str] = {}
        self.client = httpx.Client(base_url=live.url, timeout=20)

    def key(self, **how: Any) -> str:
        return self.made(**how)[1]

    def kind(self, **how: Any) -> str:
        """A key of a kind, made once, that the server knows."""
        if repr(how) not in self._kinds:
            self._kinds[repr(how)] = secret = self.key(**how)
            self.until(lambda: self.bearer(DOORS[0], secret).status_code != 401)
        return self._kinds[repr(how)]

    def made(self, **how: Any) -> tuple[Key, str]:
        found = self.live.registry.keys.create("test", **{"actions": ACTIONS, **how})
        self.secrets.append(found[1])
        return found

    def ask(self, door: tuple[str, str, Any, str, bool], *given: tuple[str, str]) -> httpx.Response:
        method, path, body = door[:3]
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.request(
            method, path, headers=list(given), **(content if body is not None else {})
        )

    def bearer(self, door: tuple[str, str, Any, str, bool], secret: str) -> httpx.Response:
        return self.ask(door, ("authorization", f"Bearer {secret}"))

    def known(self, secret: str) -> None:
        """Waits until the server knows the key, which it should within a second."""
        self.until(lambda: self.bearer(DOORS[3], secret).status_code == 200)

    def until(self, true: Callable[[], bool], seconds: float = 5) -> None:
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = tmp_path_factory.mktemp("keyed")
    registry = Registry.of(Settings(home=str(home)))
    bundle = make_bundle(home / "make")
    for name in ("linear", "kestrel"):
        registry.publish(name, bundle)
    registry.publish("linear", make_bundle(home / "make", 1), "fresh")
    registry.promote("linear@1", "fresh")
    url, process = start_server(home, "--log-level", "debug")
    found = House(Live(url, home, registry, process))
    found.key()
    found.until(lambda: found.ask(DOORS[0]).status_code == 401)
    yield found
    found.client.close()
    assert process.poll() is None
    stop(process)
    registry.catalog.close()


@pytest.fixture(scope="module")
def good(house: House) -> str:
    secret = house.key()
    house.known(secret)
    return secret


@by_door
def test_without_a_known_key_nothing_is_done(house: House, door: Any) -> None:
    wrong = "nm_" + "A" * 43
    for given in (
        (),
        (("authorization", f"Bearer {wrong}"),),
        (("x-api-key", wrong),),
        (("authorization", "Bearer"),),
        (("authorization", f"Basic {wrong}"),),
        (("authorization", house.secrets[0]),),
        (("authorization", f"Token {house.secrets[0]}"),),
    ):
        reply = house.ask(door, *given)
        assert reply.status_code == 401, given
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.json()["code"] == "unauthenticated"
        assert "kestrel" not in reply.text
        assert house.secrets[0] not in reply.text


@by_door
def test_a_good_key_is_let_in_however_it_is_sent(house: House, good: str, door: Any) -> None:
    for given in (
        (("authorization", f"Bearer {good}"),),
        (("authorization", f"bearer  {good}"),),
        (("x-api-key", good),),
        (("x-api-key", good), ("authorization", "Basic cHJveHk6cHJveHk=")),
    ):
        reply = house.ask(door, *given)
        # Let in, though this model gives nothing to regress, nothing explains it, and there is
        # nothing to roll back to.
        why = {"rollback": 409, "0000": 404, ":regress": 400, "explain": 404}
        why |= {"/rows": 404, "/evaluate": 404}  # of a data set that is not there
        also = {status for part, status in why.items() if part in door[1]}
        assert reply.status_code in {200} | also, (given, reply.text)


@by_door
def test_a_key_does_not_go_further_than_it_says(house: House, good: str, door: Any) -> None:
    _, _, _, action, of_one = door
    others = [other for other in ACTIONS if other != action]
    for how in ({"models": ["kestrel"]}, {"models": ["linea", "linear2"]}, {"actions": others}):
        secret = house.kind(**how)
        reply = house.bearer(door, secret)
        assert reply.status_code == 403, how
        assert reply.json()["code"] == "forbidden"
    mine = house.kind(models=["linear"], actions=[action])
    assert (house.bearer(door, mine).status_code == 403) != of_one


def test_a_key_ends_when_it_expires_and_when_it_is_revoked(house: House) -> None:
    key, revoked = house.made()
    house.known(revoked)
    house.live.registry.keys.revoke(key.id)
    begin = time.monotonic()
    house.until(lambda: house.bearer(DOORS[0], revoked).status_code == 401)
    assert time.monotonic() - begin < 3  # 0.25 s on a machine at rest
    expired = house.key(expires="2s")
    house.known(expired)
    house.until(lambda: house.bearer(DOORS[0], expired).status_code == 401)
    for door in DOORS:
        for secret, said in ((revoked, "not known, or was revoked"), (expired, "has expired")):
            reply = house.bearer(door, secret)
            assert reply.status_code == 401, door
            assert said in reply.json()["error"]


@pytest.mark.parametrize("path", OPEN)
def test_what_says_nothing_of_models_is_open(house: House, path: str) -> None:
    reply = house.client.get(path)
    assert reply.status_code == (404 if path == "/nothing" else 200)
    assert "kestrel" not in reply.text


def test_lists_leave_out_what_a_key_is_not_for(house: House, good: str) -> None:
    other = house.kind(models=["kestrel"], actions=["read"])
    both = ["kestrel", "linear"]
    for secret, names in ((good, both), (other, ["kestrel"])):
        key = {"authorization": f"Bearer {secret}"}
        listed = house.client.get("/api/models", headers=key).json()["models"]
        assert [model["name"] for model in listed] == names
        asked = house.client.get(GRAPHQL, headers=key).json()["data"]["models"]
        assert [model["name"] for model in asked] == names
    for path in ("/api/models", "/v2"):
        assert house.client.get(path).status_code == 401


def graphql(house: House, query: str, secret: str = "") -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return house.client.post("/graphql", json={"query": query}, headers=headers)


@pytest.mark.parametrize(
    ("query", "action"),
    [
        ('{ model(name: "linear") { name } }', "read"),
        ('{ predict(model: "linear", fields: {}) { label } }', "predict"),
        ('{ explain(model: "linear", fields: {}) { answer } }', "explain"),
        ('mutation { predict(model: "linear", fields: {}) { label } }', "predict"),
        ('mutation { promote(model: "linear", version: "1", alias: "a") { name } }', "manage"),
        ('mutation { rollback(model: "linear", alias: "none") { name } }', "manage"),
    ],
)
def test_every_field_of_graphql_is_a_door(house: House, good: str, query: str, action: str) -> None:
    for secret in ("", "nm_" + "A" * 43):
        reply = graphql(house, query, secret)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        assert reply.json()["errors"][0]["extensions"]["code"] == "unauthenticated"
    for how in ({"models": ["kestrel"]}, {"actions": [a for a in ACTIONS if a != action]}):
        secret = house.kind(**how)
        (error,) = graphql(house, query, secret).json()["errors"]
        assert error["extensions"]["code"] == "forbidden"
    errors = graphql(house, query, good).json().get("errors", [])
    assert {e["extensions"]["code"] for e in errors} <= {"invalid_input", "not_found"}
    assert graphql(house, "{ __typename }").status_code == 401


def test_what_is_live_is_said_to_those_who_may_read_it_all(house: House) -> None:
    missing = ("POST", "/v2/models/none/infer", INFER, "predict", True)
    for secret in ("nm_wrong", house.kind(models=["linear"])):
        for path in (missing[1], f"{missing[1]}?slow", "/predict/none", "/v2/models/none/ready"):
            method = "GET" if "ready" in path else "POST"
            reply = house.bearer((method, path, INFER, "", True), secret)
            assert reply.status_code in (401, 403)
            assert "kestrel" not in reply.text


def test_a_key_is_looked_at_before_the_body(house: House) -> None:
    with Wire(house.live.port) as wire:
        # The rest of the body never comes, and is not waited for.
        wire.send(request("PUT", "/api/models/linear/aliases/a", None, content_length="1000"), b"{")
        assert wire.read().status == 401


def test_answers_on_one_connection_keep_their_order(house: House, good: str) -> None:
    wrong = hot(image(1), authorization="Bearer nm_wrong")
    right = hot(image(1), authorization=f"Bearer {good}")
    with Wire(house.live.port) as wire:
        wire.send(right, wrong, right, hot(image(1)), right)
        assert [wire.read().status for _ in range(5)] == [200, 401, 200, 401, 200]


def test_so_many_at_once(house: House) -> None:
    secret = house.key(max_concurrency=2, actions=["predict"])
    call = hot(image(1), authorization=f"Bearer {secret}")
    with Wire(house.live.port) as wire:

        def known() -> bool:
            wire.send(call)
            return wire.read().status == 200

        house.until(known)
        wire.send(call * 6)  # one turn of the loop reads them all before any is run
        replies = [wire.read() for _ in range(6)]
        assert [reply.status for reply in replies].count(200) >= 2
        refused = [reply for reply in replies if reply.status != 200]
        assert refused
        assert {reply.status for reply in refused} == {429}
        assert int(refused[0].headers["retry-after"]) >= 1
        for _ in range(20):  # what was refused is not counted as being under way
            wire.send(call)
            assert wire.read().status == 200


def test_many_at_once_through_the_slow_doors(house: House) -> None:
    secret = house.key(max_concurrency=1, actions=["predict"])
    house.until(lambda: house.bearer(DOORS[0], secret).status_code == 200)
    statuses: list[int] = []

    def ask() -> None:
        with httpx.Client(base_url=house.live.url, timeout=20) as client:
            for _ in range(15):
                reply = client.post(
                    "/predict/linear",
                    json=np.zeros((28, 28)).tolist(),
                    headers={"x-api-key": secret},
                )
                statuses.append(reply.status_code)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 429}
    assert house.bearer(DOORS[0], secret).status_code == 200


def test_keys_are_managed_over_http_too(house: House, good: str) -> None:
    own = {"authorization": f"Bearer {good}"}
    wanted = {"name": "game", "models": ["linear"], "actions": ["predict"], "expires": "1h"}
    made = house.client.post("/api/keys", json=wanted, headers=own).json()
    secret = made.pop("key")
    house.secrets.append(secret)
    assert made["models"] == ["linear"]
    assert made["state"] == "valid"
    listed = house.client.get("/api/keys", headers=own)
    assert made in listed.json()["keys"]
    for each in house.secrets:
        assert each not in listed.text
    house.until(lambda: house.bearer(DOORS[0], secret).status_code == 200)
    gone = house.client.delete(f"/api/keys/{made['id']}", headers=own).json()
    assert gone["state"] == "revoked"
    house.until(lambda: house.bearer(DOORS[0], secret).status_code == 401)
    for bad in ({"name": "x", "expires": "soon"}, {"name": "x", "actions": ["rule"]}, {}):
        assert house.client.post("/api/keys", json=bad, headers=own).status_code == 400
    lesser = house.key(models=["linear"])
    house.known(lesser)
    reply = house.client.post("/api/keys", json={"name": "x"}, headers={"x-api-key": lesser})
    assert reply.status_code == 403, "a key for one model would make itself one for all"


def test_no_secret_is_ever_written(house: House, good: str) -> None:
    for path in (f"/{good}", f"/predict/{good}", f"/v2/models/{good}", f"/api/keys/{good}"):
        house.client.get(path, headers={"x-request-id": good})
        house.client.post(path, json={"a": good}, headers={"x-api-key": good, "x-request-id": good})
    with Wire(house.live.port) as wire:
        wire.send(f"GET / HTTP/1.1\r\nauthorization Bearer {good}\r\n\r\n".encode())
        assert wire.read().status == 400
    metrics = house.client.get("/metrics", headers={"x-api-key": good}).text
    assert "numen_model_live" in metrics
    log = (house.live.home / "server.log").read_text()
    assert "serving at" in log
    for secret in house.secrets:
        assert secret not in metrics
        assert secret not in log
    assert not re.search(r"nm_[A-Za-z0-9_-]{8}", log)


LOG = """
import logging, sys
from numen.core import observe
from numen.core.key import mint
key, secret = mint("k", now=0.0)
print(secret, flush=True)
log = observe.logger("numen.test")
for style in ("text", "json"):
    observe.setup("debug", style)
    log.warning("a line with %s", secret)
    log.warning("a field", extra={"header": f"Bearer {secret}"})
    try:
        raise ValueError(f"bad {secret}")
    except ValueError:
        log.exception("failed")
raise RuntimeError(f"{key!r}")
"""


def test_lines_fields_and_tracebacks_are_blotted() -> None:
    run = subprocess.run([sys.executable, "-c", LOG], capture_output=True, text=True)
    secret = run.stdout.strip()
    assert len(secret) == 46
    assert secret not in run.stderr
    assert run.stderr.count("nm_…") == 6
    assert "RuntimeError: Key(id=" in run.stderr


class _Repository:
    async def load(self, name: str) -> None: ...
    async def unload(self, name: str) -> None: ...
    async def index(self) -> list[dict[str, str]]:
        return []


def test_the_table_holds_every_route_and_no_other(registry: Registry) -> None:
    app = build(Service(), registry, Settings(), _Repository())
    assert {path for path, _ in paths(app.routes)} == RULES.keys()

    @app.get("/forgotten")
    def forgotten() -> None: ...

    with pytest.raises(KeyError, match="/forgotten"):
        app.build_middleware_stack()


def test_every_guarded_route_is_tried_above(registry: Registry) -> None:
    app = build(Service(), registry, Settings(), _Repository())
    tried = {(door[0], re.sub(r"\?.*", "", door[1])) for door in DOORS}
    for path, methods in paths(app.routes):
        if RULES[path] is None or path in ("/v2", "/v2/", "/api/models") or "unload" in path:
            continue  # tried by themselves; unload would end the tests
        if path.startswith("/api/jobs"):
            continue  # tried in control/test_jobs
        pattern = re.compile(re.sub(r"{[^}]+}", "[^/]+", path))
        assert any(m in methods and pattern.fullmatch(p) for m, p in tried), path


def test_keys_are_not_managed_where_there_is_none(live: Live) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/00000000")):
        reply = httpx.request(
            method, f"{live.url}/api/keys{path}", json={"name": "x"} if method == "POST" else None
        )
        assert reply.status_code == 401
        assert "numen keys create" in reply.json()["hint"]
    reply = httpx.patch(f"{live.url}/api/keys")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, POST")
    # Where no key is asked for, what was sent as one is nobody's business.
    for sent in ("Bearer nm_any", "Basic eDp5"):
        reply = httpx.get(f"{live.url}/api/models", headers={"authorization": sent})
        assert reply.status_code == 200


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([], b""),
        ([(b"authorization", b"Bearer nm_a")], b"nm_a"),
        ([(b"authorization", b"BEARER   nm_a  ")], b"nm_a"),
        ([(b"x-api-key", b" nm_a ")], b"nm_a"),
        ([(b"x-api-key", b"nm_a"), (b"authorization", b"Bearer nm_b")], b"nm_a"),
    ],
)
def test_where_a_key_is_read(headers: list[tuple[bytes, bytes]], credential: bytes) -> None:
    assert Head(headers).credential == credential


@pytest.mark.parametrize(
    "sent", [b"Bearer", b"Bearer ", b"nm_a", b"Basic nm_a", b"Bearernm_a", b"?"]
)
def test_what_is_no_bearer_is_no_key(sent: bytes, registry: Registry) -> None:
    registry.keys.create("k")
    admission = Admission()
    admission.replace(registry.keys.all())
    with pytest.raises(Unauthenticated, match="not known"):
        admission.check(Head([(b"authorization", sent)]).credential, "m", "predict")
