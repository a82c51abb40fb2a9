"""A new version comes while callers go on calling: not one request is lost."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import yaml
from cluster import Callers, Pod, Service
from typer.testing import CliRunner

from numen.api.deploy import target
from numen.cli.app import app
from numen.core.reference import Reference
from numen.core.settings import Settings
from numen.deploy.baked import CATALOG
from numen.deploy.base import Files, Shipped
from numen.registry import Registry
from parts import linear_graph, make_bundle

DRAIN = 1


class Release:
    """Two versions of a model, baked as an image bakes them, and a key that lets callers in."""

    def __init__(self, folder: Path):
        self._folder = folder
        registry = Registry.of(Settings(home=str(folder / "home")))
        for seed in (0, 1):
            registry.publish("digits", make_bundle(folder / "make", seed))
        versions = registry.model("digits").versions
        self.models = [Shipped(Reference.parse("digits"), v, registry.open(v)) for v in versions]
        registry.catalog.close()
        self.reference = {
            str(seed + 1): linear_graph(folder / f"{seed}.onnx", seed) for seed in (0, 1)
        }
        done = CliRunner().invoke(
            app,
            ["keys", "create", "all", "--action", "predict", "--action", "read", "--file",
             str(folder / "keys"), "--json"],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        self.key = {"authorization": f"Bearer {json.loads(done.stdout)['key']}"}

    def render(self, **options: Any) -> Files:
        return target("kubernetes", {"drain": DRAIN, **options}).render(self.models)

    def pod(self, version: int, **options: Any) -> Pod:
        """A pod as it is rendered, with what KServe would find at its storage as the image's own."""
        files = self.render(storage="s3://a/b", **options)
        home = self._folder / "baked"
        for path, content in files.items():
            if path.startswith("kserve/models/"):
                place = home / path.removeprefix("kserve/models/")
                place.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    place.write_bytes(content)
                elif not place.exists():
                    place.symlink_to(content)
        deployment = files["deployment.yaml"]
        assert isinstance(deployment, bytes)
        image = {
            "NUMEN_HOME": str(home), "NUMEN_CATALOG": CATALOG.format(home=home),
            "NUMEN_KEYS_FILE": str(self._folder / "keys"),
        }  # fmt: skip
        spec = yaml.safe_load(deployment)["spec"]["template"]["spec"]
        return Pod(spec, image, f"digits@{version}", self._folder / f"pod-{version}.log")

    def ask(self, connection: http.client.HTTPConnection, number: int) -> str:
        """Asks by one of two doors, and compares the answer with what NumPy says."""
        x = np.random.default_rng(number).random((1, 28, 28), np.float32)
        if number % 3:
            tensor = {"name": "image", "datatype": "FP32", "shape": [1, 28, 28]}
            body = {"inputs": [{**tensor, "data": x.ravel().tolist()}]}
            answer = self._post(connection, "/v2/models/digits/infer", body)
            version, y = answer["model_version"], answer["outputs"][0]["data"]
        else:
            body = {"instances": x.tolist()}
            answer = self._post(connection, "/v1/models/digits:predict", body)
            (y,) = answer["predictions"]
            version = "1" if np.allclose(y, self.reference["1"](x)[0], atol=1e-5) else "2"
        np.testing.assert_allclose(y, self.reference[version](x)[0], atol=1e-5)
        return str(version)

    def _post(self, connection: http.client.HTTPConnection, path: str, body: Any) -> Any:
        headers = {**self.key, "content-type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        reply = connection.getresponse()
        said = reply.read()
        assert reply.status == 200, said
        return json.loads(said)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return Release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def pods(release: Release) -> Iterator[list[Pod]]:
    """Version 1, which serves; version 2, which does not yet; and one that leaves at once."""
    found = [release.pod(1), release.pod(2, workers=2), release.pod(1, drain=0)]
    for pod in found:
        pod.start()
    try:
        for pod in found:
            pod.await_ready()
        yield found
    finally:
        for pod in found:
            pod.stop()


def test_a_new_version_comes_and_no_request_is_lost(release: Release, pods: list[Pod]) -> None:
    old, new, hasty = pods
    pauses = (0.002, 0.002, 0.002, None, None, 0.5, 0.7)
    with Service() as service:
        service.add(old)
        with Callers(service.port, release.ask, pauses).calling() as callers:
            # The new pod is there, and has its share; then the old one is told to end.
            assert new.connections == 0
            service.add(new)
            leaving = service.remove_later(old)
            assert old.end() == 0
            leaving.join()
            served = old.connections
            # Another one comes, and now a server of two processes ends without a word before.
            service.add(hasty)
            leaving = service.remove_later(new)
            assert new.end(pause=False) == 0
            leaving.join()
            assert callers.failed == []
            assert set(callers.answered) == {"1", "2"}
            assert old.connections == served
            assert len(callers.answered) > 100
            check_metrics(release, hasty)
            # What it would be like without: nobody has learnt yet that this one leaves.
            hasty.end(pause=False)
        assert callers.failed
    for pod in (old, new):
        assert pod.leaving == {"livenessProbe": 200, "readinessProbe": 503}
        assert set(pod.starting) <= {0, 503}


def check_metrics(release: Release, pod: Pod) -> None:
    """The series that pods are added by are there, for who may read them."""
    url = f"http://127.0.0.1:{pod.port}/metrics"
    assert httpx.get(url).status_code == 401
    said = httpx.get(url, headers=release.key).text
    rules = release.render()["prometheus-adapter.yaml"]
    assert isinstance(rules, bytes)
    (rule,) = yaml.safe_load(rules)["rules"]["custom"]
    series = set(re.findall(r"numen_\w+", rule["metricsQuery"] + rule["seriesQuery"]))
    assert series == {"numen_workers", "numen_queue_seconds_sum"}
    for name in series:
        assert re.search(rf"^{name}(\{{| )", said, re.MULTILINE), name
