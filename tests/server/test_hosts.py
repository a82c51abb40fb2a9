"""Two hosts on one Postgres and one S3: what one does the other follows, and stores may die."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from asking import Load, until, version_of

from control.job_parts import wait_for, write_table
from numen.core.bundle import Bundle
from numen.core.errors import NotReady
from numen.core.settings import Settings
from numen.data.library import Library
from numen.registry import Registry
from numen.store.jobs import Jobs
from parts import Live, make_bundle, start_server, stop
from stores import PASSWORD, Bucket, Postgres, Relay

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Hosts:
    """Two servers with homes of their own, and somebody who publishes from elsewhere."""

    both: tuple[Live, Live]
    registry: Registry
    settings: Settings
    way: Relay  # from the servers to the bucket

    def log(self) -> list[str]:
        """What each of them has logged so far."""
        return [(host.home / "server.log").read_text() for host in self.both]


@contextlib.contextmanager
def two_hosts(
    folder: Path, postgres: Postgres, bucket: Bucket, publish: bool, **settings: str
) -> Iterator[Hosts]:
    way = Relay(bucket.port)
    said = Settings(home=str(folder / "c"), catalog=postgres.new(), blobs=bucket.new())
    registry = Registry.of(said)
    if publish:
        registry.publish("linear", make_bundle(folder / "make"))
    environment = {
        **settings, "NUMEN_CATALOG": said.catalog, "NUMEN_BLOBS": said.blobs,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{way.port}",
    }  # fmt: skip

    def start(name: str) -> Live:
        home = folder / name
        home.mkdir()
        said = {**environment, "NUMEN_GRPC_PORT": "0"}
        url, process = start_server(home, environment=said, wait=180)
        ended.callback(stop, process)
        return Live(url, home, registry, process)

    with contextlib.ExitStack() as ended:
        ended.callback(registry.catalog.close)
        ended.callback(way.shut)
        with ThreadPoolExecutor() as pool:
            one, other = pool.map(start, "ab")
        yield Hosts((one, other), registry, said, way)


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, bucket: Bucket
) -> Iterator[Hosts]:
    with two_hosts(tmp_path_factory.mktemp("hosts"), postgres, bucket, True) as found:
        yield found
        for log in found.log():
            assert "Traceback" not in log
            assert PASSWORD not in log


def promote(host: Live, version: int) -> tuple[int, dict[str, str]]:
    answer = httpx.put(
        f"{host.url}/api/models/linear/aliases/champion", json={"version": version}, timeout=30
    )
    return answer.status_code, answer.json()


def serve(hosts: Hosts, version: str, seconds: float = 20) -> None:
    until(lambda: all(version_of(host, "linear") == version for host in hosts.both), seconds)


def test_a_promotion_on_one_host_is_live_on_both(hosts: Hosts, tmp_path: Path) -> None:
    published = hosts.registry.publish("linear", make_bundle(tmp_path, 1))
    assert promote(hosts.both[0], published.version)[0] == 200
    serve(hosts, str(published.version))
    assert promote(hosts.both[1], 1)[0] == 200
    serve(hosts, "1")


PUBLISHERS = """
import os, sys
from pathlib import Path
import msgspec
from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.registry import Registry, bundle_folder
home, source = sys.argv[1:]
template = Bundle.open(Path(source))
kept = {f.path: template.path / f.path for f in template.manifest.files}
children = []
for who in range(4):
    if (child := os.fork()):
        children.append(child)
        continue
    settings = Settings(
        home=f"{home}/{who}", catalog=os.environ["NUMEN_CATALOG"], blobs=os.environ["NUMEN_BLOBS"]
    )
    registry = Registry.of(settings)
    for number in range(5):
        manifest = msgspec.structs.replace(template.manifest, family=f"{who}-{number}")
        made = Bundle.write(bundle_folder(settings), manifest, kept)
        version = registry.publish("crowd", made, "champion")
        print(version.version, made.digest, flush=True)
    os._exit(0)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""


def test_many_publish_at_once_and_no_version_is_lost(
    hosts: Hosts, bundle: Bundle, tmp_path: Path
) -> None:
    said = {"NUMEN_CATALOG": hosts.settings.catalog, "NUMEN_BLOBS": hosts.settings.blobs}
    run = subprocess.run(
        [sys.executable, "-c", PUBLISHERS, str(tmp_path), str(bundle.path)],
        env={**os.environ, **said}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    told = dict(line.split() for line in run.stdout.splitlines())
    versions = hosts.registry.model("crowd").versions
    assert {str(v.version): v.digest for v in versions} == told
    assert [v.version for v in versions] == list(range(1, 21))
    until(lambda: all(version_of(host, "crowd") == "20" for host in hosts.both), 20)


def test_postgres_is_killed_under_load_and_comes_back(hosts: Hosts, postgres: Postgres) -> None:
    serve(hosts, "1")
    one, other = hosts.both
    with Load(one, "linear", 2) as here, Load(other, "linear", 2) as there:
        postgres.stop()
        try:
            until(lambda: all("the catalog is away" in log for log in hosts.log()))
            status, said = promote(one, 2)
            assert (status, said["code"]) == (503, "not_ready")
            assert "try again" in said["hint"]
            assert PASSWORD not in json.dumps(said)
            for host in hosts.both:
                assert httpx.get(f"{host.url}/v2/health/ready").status_code == 200
        finally:
            postgres.start()
        until(lambda: all("the catalog is back" in log for log in hosts.log()), 30)
        assert promote(other, 2)[0] == 200
        serve(hosts, "2")
    for load in (here, there):
        assert load.failures == []
        assert {said for _, _, said in load.answers} == {"1", "2"}
    for log in hosts.log():
        assert log.count("the catalog is away") == log.count("the catalog is back")


def test_a_postgres_that_hangs_holds_up_no_prediction(hosts: Hosts, postgres: Postgres) -> None:
    one = hosts.both[0]
    before = version_of(one, "linear")
    revision = hosts.registry.catalog.revision()
    with Load(one, "linear", 2) as load, ThreadPoolExecutor(13) as pool:
        with postgres.hanging():
            # More than one has threads for would be held up, were they not given up.
            asked = [pool.submit(promote, one, 1) for _ in range(12)]
            here = pool.submit(hosts.registry.promote, "linear@1", "champion")
            while not all(each.done() for each in asked):
                assert httpx.get(f"{one.url}/v2/health/ready").status_code == 200
                time.sleep(0.1)
            with pytest.raises(NotReady, match="timeout expired"):
                here.result()
        assert {each.result()[1].get("code") for each in asked} == {"not_ready"}
    assert load.failures == []
    assert {said for _, _, said in load.answers} == {before}
    assert hosts.registry.catalog.revision() == revision, "nothing was half done"
    until(
        lambda: (
            hosts.log()[0].count("the catalog is back")
            == hosts.log()[0].count("the catalog is away;")
        ),
        30,
    )


def test_a_version_that_cannot_be_fetched_is_awaited(hosts: Hosts, tmp_path: Path) -> None:
    before = version_of(hosts.both[0], "linear")
    hosts.way.shut()
    try:
        # Somebody else still reaches the bucket.
        published = hosts.registry.publish("linear", make_bundle(tmp_path, 5), "champion")
        said = f"cannot serve linear@{published.version}: blobs s3://"
        until(lambda: all(said in log for log in hosts.log()), 30)
        assert {version_of(host, "linear") for host in hosts.both} == {before}
    finally:
        hosts.way.open()
    serve(hosts, str(published.version), 30)
    assert all(log.count(said) == 1 for log in hosts.log())


def test_a_spoilt_object_is_never_served(hosts: Hosts, bucket: Bucket, tmp_path: Path) -> None:
    before = version_of(hosts.both[0], "linear")
    published = hosts.registry.publish("linear", make_bundle(tmp_path, 6))
    place = hosts.settings.blobs.removeprefix(f"s3://{Bucket.NAME}/")
    key = f"{place}/bundles/{published.digest.replace(':', '-')}/predict.onnx"
    found = bucket.client().get_object(Bucket=Bucket.NAME, Key=key)["Body"].read()
    bucket.client().put_object(Bucket=Bucket.NAME, Key=key, Body=found[:-1] + b"\0")
    status, said = promote(hosts.both[0], published.version)
    assert (status, said["code"]) == (500, "corrupt_bundle")
    move = 'mutation ($v: String!) { promote(model: "linear", version: $v, alias: "champion") { name } }'
    asked = {"query": move, "variables": {"v": str(published.version)}}
    answer = httpx.post(f"{hosts.both[1].url}/graphql", json=asked, timeout=30).json()
    assert answer["errors"][0]["extensions"]["code"] == "corrupt_bundle"
    # Nothing was moved.
    assert hosts.registry.resolve("linear@champion").version != published.version
    hosts.registry.promote(f"linear@{published.version}", "champion")
    said = f"cannot serve linear@{published.version}"
    until(lambda: all(said in log for log in hosts.log()))
    assert all("contents are not what was written" in log for log in hosts.log())
    assert {version_of(host, "linear") for host in hosts.both} == {before}
    for host in hosts.both:
        copies = host.home / "cache" / "copies" / "bundles"
        assert not (copies / published.digest.replace(":", "-")).exists()


@pytest.mark.timeout(600)
def test_a_killed_hosts_jobs_are_done_by_the_other_each_once(
    tmp_path: Path, postgres: Postgres, bucket: Bucket
) -> None:
    quick = {"NUMEN_JOBS": "1", "NUMEN_JOB_SILENCE": "5"}
    with two_hosts(tmp_path, postgres, bucket, False, **quick) as hosts:
        registry = hosts.registry
        library = Library(registry.catalog, registry.blobs, tmp_path / "c")
        library.add("table", [write_table(tmp_path / "table.csv")])
        jobs = Jobs(registry.catalog.database)
        one, other = hosts.both
        names = ["first", "second", "third"]
        for name in names:
            recipe = {"name": name, "data": "table", "family": "boosting", "epochs": 300}
            assert httpx.post(f"{one.url}/api/jobs", json=recipe).status_code == 200

        def busy() -> bool:
            """One runs where all were asked for, one waits."""
            place = one.home / "jobs" / "place"
            here = place.read_text() if place.exists() else ""
            return bool(jobs.all(("running",), here) and jobs.all(("queued",)))

        until(busy, 60)
        kill_all(one)
        (taken,) = jobs.all(("running",), (one.home / "jobs" / "place").read_text())
        try:
            wait_for(lambda: all(job.state == "finished" for job in jobs.all()), 250)
        finally:
            end(other.home)
        found = {job.id: job for job in jobs.all()}
        assert sorted(job.model for job in found.values()) == sorted(names)
        assert found[taken.id].runs == 2
        assert found[taken.id].place == (other.home / "jobs" / "place").read_text()
        assert all(job.runs == 1 for job in found.values() if job.id != taken.id)
        assert [len(registry.model(name).versions) for name in names] == [1, 1, 1]
        for name in names:
            until(lambda name=name: ready(other, name), 20)


def ready(host: Live, name: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", f"/v2/models/{name}/ready")
        return connection.getresponse().status == 200


def kill_all(host: Live) -> None:
    """As when its machine is gone: the server, the runner, and what it runs."""
    host.process.kill()
    host.process.wait()
    end(host.home)


def end(home: Path) -> None:
    """Kills what works on a home's jobs."""
    said = f"NUMEN_HOME={home}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if said in path.read_bytes().split(b"\0") and b"numen.control.jobs" in (
                path.with_name("cmdline").read_bytes()
            ):
                os.kill(int(path.parent.name), signal.SIGKILL)
