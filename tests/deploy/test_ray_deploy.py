"""Replicas on a Ray cluster: two nodes serve, one is killed, and what else may happen to them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import msgspec
import pytest

from numen.api.deploy import target
from numen.core.errors import InvalidInput
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.deploy.base import Shipped
from numen.deploy.ray.fleet import Fleet, Member
from numen.deploy.ray.plan import NAMESPACE, Orders, Plan, actor_name
from numen.deploy.ray.scale import Scale
from numen.deploy.ray.target import Options, RayTarget
from numen.registry import Registry
from parts import make_bundle

HAS_RAY = find_spec("ray") is not None
TESTS = Path(__file__).parents[1]


def end_all(mark: bytes) -> None:
    """Ends what a cluster leaves behind that did not come to its end."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of it all on one cluster."""
    if not HAS_RAY:
        pytest.skip("needs the extra ray")
    folder = tmp_path_factory.mktemp("cluster")
    script = Path(__file__).with_name("two_nodes_serving.py")
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "NUMEN_HOME": str(folder / "home")}
    try:
        run = subprocess.run(
            [sys.executable, str(script), str(folder)], capture_output=True, text=True, cwd=folder,
            env=environment,
        )  # fmt: skip
    finally:
        end_all(f"NUMEN_HOME={folder}".encode())
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    said = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("{")))
    for name, part in said.items():
        print(f"{name}: {part['seconds']:.1f} s")
    return {name: part["found"] for name, part in said.items()}


@pytest.mark.slow
def test_each_node_serves_one(told: dict[str, Any]) -> None:
    applied, status = told["deploy"]
    assert applied["models"] == "linear@1"
    assert applied["addresses"].split() == status["addresses"]
    assert len(set(status["addresses"])) == 2
    assert len({one["node"] for one in status["replicas"]}) == 2
    assert status["settled"]


@pytest.mark.slow
def test_another_version_goes_live_under_load_without_an_error(told: dict[str, Any]) -> None:
    update = told["update"]
    assert update["unanswered"] == []
    assert update["refused"] == 0
    assert update["kinds"] == 2
    assert update["answers"][0] != update["answers"][1]
    assert update["same"]  # nobody has to learn another address


@pytest.mark.slow
def test_a_version_that_answers_wrongly_is_refused_and_what_was_goes_on(told) -> None:
    refuse = told["refuse"]
    assert refuse["said"].startswith("not_ready: ray: replica 0: cannot serve linear@3")
    assert "differs by" in refuse["said"]
    assert refuse["models"] == ["linear@2"]
    assert refuse["same"]


@pytest.mark.slow
def test_who_dies_is_started_again_and_others_do_not_notice(told: dict[str, Any]) -> None:
    assert told["restart"]["same"]  # the supervisor: its replicas live on without it
    assert told["restart"]["restarts"] == 0
    assert told["crash"]["same"]  # a server: on the port it had
    assert told["crash"]["restarts"] == 1


@pytest.mark.slow
def test_who_is_silent_but_answers_callers_is_left_alone(told: dict[str, Any]) -> None:
    assert told["hush"] == {"hushed": 2, "answered": [True, True], "same": True}


@pytest.mark.slow
def test_the_load_is_followed_between_the_bounds(told: dict[str, Any]) -> None:
    assert told["scale"]["under_way"] > 6.6  # more than two are meant for
    assert told["scale"]["answer"] == [True, True]
    assert told["scale"]["unanswered"] == []
    assert told["scale"]["refused"] == 0  # who goes away says so, and takes requests for a while


@pytest.mark.slow
def test_a_node_is_killed_under_load(told: dict[str, Any]) -> None:
    lose = told["lose"]
    print(
        f"answered again after {lose['answered']:.2f} s, longest silence {lose['longest']:.2f} s, "
        f"both replicas after {lose['both']:.1f} s, the training after {lose['job_ended']:.1f} s"
    )
    assert lose["unanswered"] == []
    assert len(lose["nodes"]) == 2
    assert lose["lost"] not in lose["nodes"]


@pytest.mark.slow
def test_a_training_that_was_taken_in_is_done_though_its_node_is_killed(told) -> None:
    job = told["lose"]["job"]
    assert job["state"] == "finished"
    assert job["runs"] == 2
    assert job["result"]["version"] == 1
    assert told["published"] == 1  # in the catalog that all share


@pytest.mark.slow
def test_where_the_catalog_is_shared_a_promote_goes_live_everywhere(told: dict[str, Any]) -> None:
    assert told["shared"]["hosts"] == 2
    assert told["shared"]["took"] < 60


@pytest.mark.slow
def test_commands_mean_the_cluster_that_ray_address_names(told: dict[str, Any]) -> None:
    assert told["commands"]["status"]["addresses"]
    trials = told["commands"]["tune"]["trials"]
    assert [trial["state"] for trial in trials] == ["complete", "complete"]
    left = told["commands"]["status"]["replicas"][0]["node"][:6]
    assert {trial["where"].rpartition("/")[2] for trial in trials} == {left}
    assert told["down"] == []


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[list[Shipped]]:
    registry = Registry.of(Settings(home=str(tmp_path / "home")))
    version = registry.publish("linear", make_bundle(tmp_path / "make"))
    yield [Shipped(Reference("linear"), version, registry.open(version), ("champion",))]
    registry.catalog.close()


def plan_of(shipped: list[Shipped], **options: Any) -> Plan:
    files = target("ray", options).render(shipped)
    return msgspec.json.decode(files["deployment.json"], type=Plan)


def test_a_plan_says_what_runs_and_carries_it(shipped: list[Shipped]) -> None:
    plan = plan_of(shipped, min=2, max=5, memory="1.5GB", cpus=2)
    version = shipped[0].version
    assert (plan.least, plan.most, plan.need, plan.workers) == (2, 5, 1_500_000_000, 2)
    assert plan.digests == (version.digest,)
    held = plan.snapshot()
    assert held.versions == {"linear": [version]}
    assert held.aliases == {"linear": {"champion": 1}}
    assert plan_of(shipped, cpus=2).need > 2 * (256 << 20)


def test_where_the_catalog_is_shared_nothing_is_carried_and_no_secret_is_written(shipped) -> None:
    where = Settings(catalog="postgresql://me:secret@db/numen", blobs="s3://bucket")
    files = RayTarget(Options(), where).render(shipped)
    assert [*files] == ["deployment.json"]
    plan = msgspec.json.decode(files["deployment.json"], type=Plan)
    assert plan.shared
    assert plan.references == ("linear",)
    assert b"secret" not in files["deployment.json"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min": 3, "max": 2}, "max: expected 3 or more"),
        ({"memory": "much"}, "memory: expected such as 2GB"),
        ({"name": "No Name"}, "deployment name"),
        ({"min": 0}, "min"),
    ],
)
def test_what_cannot_be_is_refused(shipped: list[Shipped], options: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        target("ray", options).render(shipped)


def test_other_models_go_to_running_replicas_another_size_does_not(shipped) -> None:
    plan = plan_of(shipped)
    assert plan_of(shipped, min=2, load=5).fits(plan)
    assert not plan_of(shipped, cpus=2).fits(plan)
    assert not msgspec.structs.replace(plan, size=plan.size + (1 << 30)).fits(plan)
    shared = msgspec.structs.replace(plan, shared=True)
    assert not msgspec.structs.replace(shared, references=("linear@1",)).fits(shared)


def test_up_at_once_down_when_it_has_been_calm() -> None:
    plan = Plan("p", ("m",), least=1, most=4, load=10, calm=30)
    scale = Scale()
    assert scale.see(0, 0, plan) == 1
    assert scale.see(1, 10.5, plan) == 1  # no reason to start one more for half a request
    assert scale.see(2, 25, plan) == 3
    assert scale.see(3, 900, plan) == 4
    assert scale.see(20, 0, plan) == 4
    assert scale.see(34, 12, plan) == 2
    assert scale.see(65, 0, plan) == 1
    assert scale.see(66, 0, msgspec.structs.replace(plan, least=3)) == 3


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ray's module, on a cluster where no actor answers."""
    ray = pytest.importorskip("ray")

    def late(*_: object, **__: object) -> None:
        raise ray.exceptions.GetTimeoutError

    monkeypatch.setattr(ray, "wait", lambda *_, **__: ([], []))
    monkeypatch.setattr(ray, "get", late)
    monkeypatch.setattr(ray, "kill", lambda _: None)
    return ray


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize(
    ("ready", "listens", "times"), [(True, True, 20), (True, False, 1), (False, False, 20)]
)
def test_how_often_a_replica_may_say_nothing(ready: bool, listens: bool, times: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if listens:
            server.listen()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        fleet = Fleet("busy")
        state = {"ready": ready, "address": address, "node": "n"}
        fleet.members = [Member(0, MagicMock(), Orders(Plan("busy", ())), state)]
        looks = 0
        while fleet.members:
            fleet.look()
            looks += 1
    assert looks == times


def test_replicas_are_found_in_the_order_of_their_slots(
    silent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{actor_name('busy')}/{slot}/x" for slot in (2, 0, 1)]
    listed = [{"name": name, "namespace": NAMESPACE} for name in names]
    monkeypatch.setattr(silent.util, "list_named_actors", lambda **_: listed)
    monkeypatch.setattr(silent, "get_actor", lambda *_, **__: MagicMock())
    fleet = Fleet("busy")
    fleet.find(Orders(Plan("busy", ())))
    assert [member.slot for member in fleet.members] == [0, 1, 2]


@pytest.mark.skipif(not HAS_RAY, reason="needs the extra ray")
def test_a_deployment_needs_a_cluster_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(InvalidInput, match="no cluster is named"):
        target("ray", {}).status(lambda _: None)
