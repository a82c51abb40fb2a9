"""The image that `numen deploy docker` builds: what is in it, and that it serves on a read-only root.

Built once, with Debian's buildah; where that is not there, as on a laptop, this is skipped.
"""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import numen
from cli.test_commands import Shell
from deploy.containers import Container, Images, missing
from numen.core.settings import Settings
from numen.registry import Registry
from numen.store.keyfile import KeyFile
from parts import free_port, make_bundle, wait_ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())}"),
    pytest.mark.timeout(900),
]
TRAINING = (
    "jax", "keras", "sklearn", "lightgbm", "onnx", "pyarrow", "datasets", "pandas", "torch",
    "scipy", "matplotlib", "optuna", "pip", "setuptools",
)  # fmt: skip
PICTURE = [[0.0] * 28] * 28
FLOWER = {"width": 6, "height": 1}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return Images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def built(images: Images, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An image of a model that was trained, and of two versions of one that was published."""
    work = tmp_path_factory.mktemp("deploy")
    base = images.base()
    registry = Registry.of(Settings(home=str(work / "home")))
    for seed in (0, 1):
        registry.publish("linear", make_bundle(work / "make", seed))
    with (work / "shapes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["width", "height", "shape"])
        rows.writerows([[i % 7, i % 5, "b" if i % 7 > i % 5 else "a"] for i in range(210)])
    os.environ.update(images.env)
    shell = Shell(work / "home")
    shell("train", "shapes", "--data", str(work / "shapes.csv"), "--model", "linear")
    began = time.monotonic()
    with images.container(base) as container:
        python = sorted(p.name[6:] for p in (container.root / "usr/bin").glob("python3.*"))
    told = shell.json(
        "deploy", "docker", "linear@2", "linear@1", "shapes", "--base", base, "--tool", "buildah",
        "--python", python[0], "--tag", "localhost/models:7",
    )  # fmt: skip
    for name in images.env:
        del os.environ[name]
    above = images.megabytes("localhost/models:7") - images.megabytes(base)
    print(f"\nbuilt in {time.monotonic() - began:.0f} s, {above:.0f} MB on top of its base")
    digests = {
        f"{v.name}@{v.version}": v.digest for ref in ("linear@2", "linear@1", "shapes")
        for v in [registry.resolve(ref)]
    }  # fmt: skip
    registry.catalog.close()
    return {
        "told": told, "above": above, "digests": digests, "folder": work / "deploy/docker",
        "image": "localhost/models:7",
    }  # fmt: skip


@pytest.fixture(scope="module")
def container(images: Images, built: dict[str, Any]) -> Iterator[Container]:
    with images.container(built["image"]) as found:
        yield found


@pytest.fixture(scope="module")
def packages(container: Container) -> Path:
    (found,) = (container.root / "opt/numen/lib").glob("python3*/site-packages")
    return found


def test_it_says_what_it_is_and_how_it_is_run(container: Container, built: dict[str, Any]) -> None:
    assert built["told"]["applied"] == {
        "image": "localhost/models:7", "tool": "buildah", "pushed": False,
    }  # fmt: skip
    config = container.config
    labels = config["Labels"]
    assert json.loads(labels["numen.models"]) == built["digests"]
    assert labels["numen.version"] == numen.__version__
    assert labels["org.opencontainers.image.title"] == "models"
    assert labels["org.opencontainers.image.version"] == "7"
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == [
        "/opt/numen/bin/numen", "serve", "linear@2", "linear@1", "shapes@1",
    ]  # fmt: skip
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert "8000/tcp" in config["ExposedPorts"]


def test_only_what_serves_is_in_it(
    container: Container, packages: Path, built: dict[str, Any]
) -> None:
    there = {path.name for path in packages.iterdir()}
    assert sorted(there & set(TRAINING)) == []
    assert not list((container.root / "opt/numen/bin").glob("pip*"))
    assert not any((container.root / "usr/bin" / name).exists() for name in ("gcc", "cc", "pip3"))
    sources = set(packages.rglob("*.py"))
    compiled = set(packages.rglob("*.pyc"))
    assert len(sources) > 1000
    without = {p for p in sources if not list((p.parent / "__pycache__").glob(f"{p.stem}.*.pyc"))}
    assert without == set()
    assert len(compiled) == len(sources)
    # Nobody but root may change it.
    loose = [p for p in (container.root / "opt/numen").rglob("*")
             if not p.is_symlink() and (p.stat().st_mode & 0o022 or p.stat().st_uid)]  # fmt: skip
    assert loose == []
    assert built["above"] <= 250


def test_the_bill_of_materials_is_what_is_there(
    container: Container, packages: Path, built: dict[str, Any]
) -> None:
    inside = (container.root / "opt/numen/sbom.cdx.json").read_bytes()
    assert inside == (built["folder"] / "sbom.cdx.json").read_bytes()
    parts = json.loads(inside)["components"]
    said = {(p["name"], p["version"]) for p in parts if p.get("purl")}
    found = {
        (re.sub(r"[-_.]+", "-", path.name.removesuffix(".dist-info").rsplit("-", 1)[0]).lower(),
         path.name.removesuffix(".dist-info").rsplit("-", 1)[1])
        for path in packages.glob("*.dist-info")
    }  # fmt: skip
    assert said == found
    assert all(part["hashes"] and part["licenses"] for part in parts if part.get("purl"))
    models = {f"{p['name']}@{p['version']}": p["hashes"][0]["content"]
              for p in parts if p["type"] == "machine-learning-model"}  # fmt: skip
    assert models == {ref: d.removeprefix("sha256:") for ref, d in built["digests"].items()}


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Stops a server; its status, and all that it said."""
    process.send_signal(signal.SIGTERM)
    try:
        out, _ = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out.decode()


def test_buildah_runs_its_entry_point(container: Container) -> None:
    port = free_port()
    env = {"NUMEN_PORT": str(port), "NUMEN_GRPC_PORT": "0"}
    process = container.run_by_buildah("--insecure", env=env)
    try:
        url = wait_ready(port, process)
        answer = httpx.post(f"{url}/predict/linear", json=PICTURE).json()
        assert (answer["model"], answer["version"]) == ("linear", "2")
        assert httpx.post(f"{url}/predict/shapes", json=FLOWER).json()["label"] == "b"
    finally:
        subprocess.run(["pkill", "-TERM", "-P", str(process.pid)], check=False)
        process.terminate()
        process.communicate(timeout=60)


def test_it_serves_on_a_root_that_cannot_be_written(container: Container) -> None:
    keys = container.root / "run/secrets/numen"
    keys.mkdir(parents=True)
    _, secret = KeyFile(keys / "keys").create(
        "ops", actions=["predict", "explain", "read", "manage"]
    )
    os.chmod(keys / "keys", 0o644)
    port = free_port()
    env = {"NUMEN_PORT": str(port), "NUMEN_GRPC_PORT": "0"}
    began = time.monotonic()
    process = container.start(env=env)
    try:
        url = wait_ready(port, process)
        print(f"\nready {time.monotonic() - began:.2f} s after it was started")
        with httpx.Client(base_url=url, headers={"X-API-Key": secret}) as http:
            assert httpx.post(f"{url}/predict/shapes", json=FLOWER).status_code == 401
            assert http.post("/predict/shapes", json=FLOWER).json()["label"] == "b"
            assert http.get("/api/models/linear").json()["aliases"] == {"champion": "1"}
            old = http.post("/predict/linear@champion", json=PICTURE).json()
            assert old["version"] == "1"
            why = http.post(
                "/v2/models/linear/explain",
                json={"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 28, 28],
                                  "data": [0.0] * 784}]},
            )  # fmt: skip
            assert why.status_code == 404, why.text  # it was published without data
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Uid:\s+10001\s", status, re.MULTILINE)
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE)
            mounts = Path(f"/proc/{process.pid}/mountinfo").read_text()
            assert re.search(r" / ro,", mounts), mounts
            check = container.start(command=[*container.config["Healthcheck"]["Test"][1:]], env=env)
            said, _ = check.communicate(timeout=60)
            assert check.returncode == 0, said
            refused = [
                http.put("/api/models/linear/aliases/champion", json={"version": 2}),
                http.post("/api/models/linear/aliases/champion/rollback"),
                http.post("/api/keys", json={"name": "more"}),
            ]
            for answer in refused:
                assert (answer.status_code, answer.json()["code"]) == (409, "conflict"), answer.text
            assert http.post("/predict/linear", json=PICTURE).status_code == 200
    finally:
        status_, said = ended(process)
    assert status_ == 0
    lines = [json.loads(line) for line in said.splitlines()]
    # What is only in an image with --full.
    odd = [line for line in lines if line["level"] != "info" and "numen[grpc]" not in str(line)]
    assert odd == []


def test_without_a_key_it_refuses_to_start(container: Container) -> None:
    process = container.start(env={"NUMEN_PORT": "0", "NUMEN_KEYS_FILE": "/nowhere"})
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"reached from other machines, and there is no key" in out
