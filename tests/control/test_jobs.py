"""Jobs over the network: asked for, followed live, refused; over HTTP and as a subscription."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gql import Client, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from control.job_parts import end_all, serving_table, wait_for, write_table
from numen.core.settings import Settings
from numen.data.library import Library
from numen.registry import Registry
from parts import Live, start_server, stop

PROGRESS = """subscription ($id: String!, $after: String! = "0") {
  jobProgress(id: $id, after: $after) { id kind state epoch epochs metrics text }
}"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with a data set, `table`, and no model."""
    with serving_table(tmp_path_factory.mktemp("jobs")) as live:
        yield live


def events(url: str, id_: str, after: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Server-sent events, as they come."""
    headers = {"last-event-id": after} if after else {}
    with httpx.stream("GET", f"{url}/api/jobs/{id_}/events", headers=headers, timeout=60) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            key, _, value = line.partition(": ")
            if key == "id":
                name = value
            elif key == "data":
                yield name, json.loads(value)


@pytest.mark.slow
def test_asked_for_followed_live_and_stopped(own: Live) -> None:
    recipe = {"name": "net", "data": "table", "family": "mlp", "epochs": 10_000}
    asked = httpx.post(f"{own.url}/api/jobs", json=recipe)
    assert asked.status_code == 200, asked.text
    id_ = asked.json()["id"]
    seen = []
    for name, said in events(own.url, id_):
        seen.append((name, said))
        if said["kind"] == "epoch":
            # Its training goes on while this is read: the stream is live.
            assert httpx.get(f"{own.url}/api/jobs/{id_}").json()["state"] == "running"
            break
    kinds = [said["kind"] for _, said in seen]
    assert [kind for kind in kinds if kind not in ("step", "note")] == [
        "state",
        "state",
        "begin",
        "epoch",
    ]
    assert 0 <= seen[-1][1]["metrics"]["accuracy"] <= 1
    # Who was cut off goes on after the last event known.
    again = next(events(own.url, id_, seen[2][0]))
    assert again == seen[3]
    assert httpx.post(f"{own.url}/api/jobs/{id_}/cancel").json()["cancel"] is True
    begin = time.monotonic()
    *_, (last, said) = events(own.url, id_, seen[-1][0])
    assert said["state"] == "cancelled"
    assert time.monotonic() - begin < 60
    assert said["result"]["metrics"]["accuracy"] > 0.5
    found = wait_for(lambda: (j := httpx.get(f"{own.url}/api/jobs/{id_}").json())["ended"] and j)
    assert found["result"]["stopped"] == "interrupted"
    assert str(own.home) not in json.dumps(found) + json.dumps(said)
    after = {"last-event-id": last}
    assert httpx.get(f"{own.url}/api/jobs/{id_}/events", headers=after).status_code == 204
    assert httpx.post(f"{own.url}/api/jobs/{id_}/cancel").status_code == 409
    listed = httpx.get(f"{own.url}/api/jobs").json()["jobs"]
    assert [job["id"] for job in listed] == [id_]


@pytest.mark.slow
def test_a_subscription_follows_and_can_begin_in_the_middle(own: Live) -> None:
    ask = """mutation { train(data: "table", family: "boosting", name: "trees", epochs: 30) {
      id state recipe } }"""
    made = httpx.post(f"{own.url}/graphql", json={"query": ask}).json()["data"]["train"]
    assert made["recipe"]["epochs"] == 30
    url = own.url.replace("http", "ws") + "/graphql"

    async def follow(after: str = "0") -> list[dict[str, Any]]:
        variables = {"id": made["id"], "after": after}
        async with Client(transport=WebsocketsTransport(url=url)) as session:
            query = gql(PROGRESS)
            query.variable_values = variables
            return [said["jobProgress"] async for said in session.subscribe(query)]

    told = asyncio.run(follow())
    assert [said["state"] for said in told if said["kind"] == "state"] == [
        "queued", "running", "finished",
    ]  # fmt: skip
    assert [said["epoch"] for said in told if said["kind"] == "epoch"] == list(range(1, 31))
    assert asyncio.run(follow(told[-2]["id"])) == told[-1:]
    ask = f'{{ job(id: "{made["id"]}") {{ state result }} jobs {{ id }} }}'
    said = httpx.post(f"{own.url}/graphql", json={"query": ask}).json()["data"]
    assert said["job"]["state"] == "finished"
    assert said["job"]["result"]["name"] == "trees"
    wait_for(lambda: httpx.get(f"{own.url}/v2/models/trees/ready").status_code == 200)
    made["id"] = "00000000"
    with pytest.raises(TransportQueryError, match='job "00000000" does not exist'):
        asyncio.run(follow())


@pytest.mark.parametrize(
    ("recipe", "status", "said"),
    [
        ({"data": "table", "family": "my_models:build"}, 403, "family"),
        ({"data": "/etc/passwd"}, 403, "data"),
        ({"data": "./table.csv"}, 403, "data"),
        ({"data": "sample:../../secret"}, 403, "data"),
        ({"data": "https://example.org/x.csv"}, 403, "data"),
        ({"data": "table", "body": "/models/net.keras"}, 403, "body"),
        ({"data": "table", "on": "ray://elsewhere:10001"}, 403, "on"),
        ({"data": "table", "loss": "os:system"}, 403, "loss"),
        ({"data": "table", "params": {"weights": ["~/x"]}}, 403, "params.weights"),
        ({"data": "table", "augment": {"noise": {"from": "C:\\x"}}}, 403, "augment.noise.from"),
        ({"data": "elsewhere"}, 404, "elsewhere"),
        ({"data": "sample:nothing"}, 404, "sample:nothing"),
        ({"family": "mlp"}, 400, "data"),
        ({"data": "table", "epochs": 0}, 400, "epochs"),
        ({"data": "table", "colour": "red"}, 400, "colour"),
        ({"data": "table", "name": "No Name"}, 400, "name"),
    ],
)
def test_a_recipe_from_the_network_names_no_file_and_no_code(
    own: Live, recipe: dict[str, Any], status: int, said: str
) -> None:
    before = httpx.get(f"{own.url}/api/jobs").json()
    answer = httpx.post(f"{own.url}/api/jobs", json=recipe)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]
    assert httpx.get(f"{own.url}/api/jobs").json() == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ('data: "/etc/passwd"', "forbidden"),
        ('data: "table", family: "my_models:build"', "forbidden"),
        ('data: "table", recipe: {body: "../net.keras"}', "forbidden"),
        ('data: "table", recipe: {data: "/etc/passwd"}', "invalid_input"),
        ('data: "table", recipe: [1]', "invalid_input"),
        ('data: "elsewhere"', "not_found"),
    ],
)
def test_nor_does_one_in_graphql(own: Live, arguments: str, code: str) -> None:
    query = f"mutation {{ train({arguments}) {{ id }} }}"
    said = httpx.post(f"{own.url}/graphql", json={"query": query}).json()
    assert said["data"] is None
    assert said["errors"][0]["extensions"]["code"] == code


@pytest.mark.slow
def test_unless_the_server_was_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = write_table(tmp_path / "table.csv")
    monkeypatch.setenv("NUMEN_ANY_RECIPE", "true")
    url, process = start_server(tmp_path)
    try:
        recipe = {"data": str(table), "family": "boosting", "epochs": 3, "name": "trees"}
        made = httpx.post(f"{url}/api/jobs", json=recipe).json()
        assert made["recipe"]["data"] == "table.csv"  # where it lies is the machine's business
        *_, (_, said) = events(url, made["id"])
        assert (said["state"], said["result"]["name"]) == ("finished", "trees")
    finally:
        stop(process)


def test_another_sites_page_starts_and_stops_nothing(own: Live) -> None:
    there = {"origin": "https://elsewhere.example"}
    recipe = {"data": "table", "family": "boosting"}
    for path in ("", "/00000000/cancel", "/00000000/resume"):
        answer = httpx.post(f"{own.url}/api/jobs{path}", json=recipe, headers=there)
        assert answer.status_code == 403, answer.text
    plain = httpx.post(
        f"{own.url}/api/jobs", content=json.dumps(recipe), headers={"content-type": "text/plain"}
    )
    assert plain.status_code == 415
    url = own.url.replace("http", "ws") + "/graphql"
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, subprotocols=["graphql-transport-ws"], origin=there["origin"])
    with connect(url, subprotocols=["graphql-transport-ws"], origin=own.url) as page:
        page.send('{"type": "connection_init"}')
        assert json.loads(page.recv(10)) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (['{"type": "subscribe", "id": "1", "payload": {"query": "{ jobs { id } }"}}'], 4401),
        (["nonsense"], 4400),
        (['{"type": "connection_init"}', '{"type": "connection_init"}'], 4429),
        (['{"type": "connection_init"}', '{"type": "what"}'], 4400),
    ],
)
def test_what_is_not_the_protocol_ends_the_socket(own: Live, sent: list[str], code: int) -> None:
    url = own.url.replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=["graphql-transport-ws"]) as page:
        for message in sent:
            page.send(message)
        wait_for(lambda: ended(page))
        assert page.close_code == code


def test_queries_and_their_errors_come_over_the_socket_too(own: Live) -> None:
    url = own.url.replace("http", "ws") + "/graphql"
    with connect(url, subprotocols=["graphql-transport-ws"]) as page:
        page.send('{"type": "connection_init"}')
        assert json.loads(page.recv(10))["type"] == "connection_ack"

        def ask(query: str) -> list[dict[str, Any]]:
            message = {"type": "subscribe", "id": "1", "payload": {"query": query}}
            page.send(json.dumps(message))
            found = [json.loads(page.recv(10))]
            while found[-1]["type"] == "next":
                found.append(json.loads(page.recv(10)))
            return found

        said, end = ask("{ __typename }")
        assert said["payload"] == {"data": {"__typename": "Query"}}
        assert end == {"id": "1", "type": "complete"}
        (refused,) = ask("{ nothing }")
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "invalid_input"
        (refused,) = ask("")
        assert refused["type"] == "error"
        page.send('{"type": "ping"}')
        assert json.loads(page.recv(10)) == {"type": "pong"}


def test_a_subscription_over_plain_http_is_refused(own: Live) -> None:
    body = {"query": PROGRESS, "variables": {"id": "00000000"}}
    answer = httpx.post(f"{own.url}/graphql", json=body)
    assert answer.status_code == 405
    assert "WebSocket" in answer.text


@pytest.mark.slow
def test_keys_say_who_may_train_look_and_stop(tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(tmp_path)))
    Library(registry.catalog, registry.blobs, tmp_path).add(
        "table", [write_table(tmp_path / "table.csv")]
    )
    secrets = {
        name: registry.keys.create(name, models=models, actions=actions)[1]
        for name, models, actions in (
            ("owner", ["mine"], ["read", "manage"]),
            ("guest", ["mine"], ["read"]),
            ("other", ["theirs"], ["read", "manage"]),
        )
    }
    url, process = start_server(tmp_path)
    try:

        def post(who: str, path: str, body: Any = None) -> httpx.Response:
            headers = {"authorization": f"Bearer {secrets[who]}"} if who else {}
            return httpx.post(f"{url}/api/jobs{path}", json=body, headers=headers)

        recipe = {"data": "table", "family": "boosting", "epochs": 5, "name": "mine"}
        for who, status in (("", 401), ("guest", 403), ("other", 403)):
            assert post(who, "", recipe).status_code == status
        assert post("owner", "", {**recipe, "name": ""}).status_code == 403  # all models'
        id_ = post("owner", "", recipe).json()["id"]
        for who, status in (("", 401), ("guest", 200), ("other", 403)):
            headers = {"x-api-key": secrets[who]} if who else {}
            path = f"{url}/api/jobs/{id_}"
            assert httpx.get(path, headers=headers).status_code == status
            code = httpx.get(f"{path}/events", headers=headers, timeout=60).status_code
            assert code == status
        headers = {"x-api-key": secrets["other"]}
        assert httpx.get(f"{url}/api/jobs", headers=headers).json() == {"jobs": []}
        for who in ("guest", "other"):
            assert post(who, f"/{id_}/cancel").status_code == 403
            assert post(who, f"/{id_}/resume").status_code == 403
        assert post("owner", f"/{id_}/cancel").status_code == 409  # it has finished by now

        socket_url = url.replace("http", "ws") + "/graphql"

        async def follow(who: str) -> list[str]:
            init = {"Authorization": f"Bearer {secrets.get(who, '')}"}
            transport = WebsocketsTransport(url=socket_url, init_payload=init)
            async with Client(transport=transport) as session:
                query = gql(PROGRESS)
                query.variable_values = {"id": id_}
                return [s["jobProgress"]["kind"] async for s in session.subscribe(query)]

        assert "epoch" in asyncio.run(follow("guest"))
        with pytest.raises(TransportQueryError, match="not for read of model mine"):
            asyncio.run(follow("other"))
        with connect(socket_url, subprotocols=["graphql-transport-ws"]) as page:
            page.send('{"type": "connection_init"}')
            wait_for(lambda: ended(page))
            assert page.close_code == 4403
    finally:
        stop(process)
        registry.catalog.close()


def ended(socket: ClientConnection) -> bool:
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        socket.recv(1)
    return socket.close_code is not None


@pytest.mark.slow
def test_a_server_ends_although_somebody_follows(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv")
    registry = Registry.of(Settings(home=str(tmp_path)))
    Library(registry.catalog, registry.blobs, tmp_path).add("table", [tmp_path / "table.csv"])
    url, process = start_server(tmp_path)
    recipe = {"data": "table", "family": "mlp", "epochs": 10_000}
    id_ = httpx.post(f"{url}/api/jobs", json=recipe).json()["id"]
    following = events(url, id_)
    next(following)
    asked = {"query": PROGRESS, "variables": {"id": id_}}
    socket_url = f"{url}/graphql".replace("http", "ws")
    with connect(socket_url, subprotocols=["graphql-transport-ws"]) as socket:
        socket.send('{"type": "connection_init"}')
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked}))
        assert json.loads(socket.recv(10))["type"] == "connection_ack"
        assert json.loads(socket.recv(10))["type"] == "next"
        begin = time.monotonic()
        process.terminate()
        list(following)
        wait_for(lambda: ended(socket))
        assert socket.close_code == 1012
    assert process.wait(30) == 0
    assert "graceful shutdown exceeded" not in (tmp_path / "server.log").read_text()
    assert time.monotonic() - begin < 30
    # The job goes on without the server; the next one finds it.
    url, process = start_server(tmp_path)
    try:
        assert httpx.get(f"{url}/api/jobs/{id_}").json()["state"] in ("queued", "running")
        httpx.post(f"{url}/api/jobs/{id_}/cancel")
        wait_for(lambda: httpx.get(f"{url}/api/jobs/{id_}").json()["state"] == "cancelled")
    finally:
        stop(process)
        end_all(tmp_path)
        registry.catalog.close()
