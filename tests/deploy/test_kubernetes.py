"""What is written for Kubernetes: the same every time, valid, and the same as Helm renders it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from rendering import CASES, GOLDEN, golden, rendered, shipped
from typer.testing import CliRunner

from numen.api.deploy import deploy, target
from numen.cli.app import app
from numen.core.errors import InvalidInput, MissingExtra, NotReady
from numen.deploy.base import Shipped
from numen.deploy.kubernetes.holes import camel
from numen.deploy.kubernetes.options import ELSEWHERE

TOOLS = Path(__file__).parents[2] / ".venv-helm"
KSERVE = Path(__file__).parents[2] / ".venv-kserve" / "bin" / "python"
VERSIONS = ["1.32", "1.33", "1.34", "1.35", "1.36", "1.37"]
with_helm = pytest.mark.skipif(
    not (TOOLS / "helm").exists(), reason="no .venv-helm: `make test` makes it"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Shipped]:
    return shipped(tmp_path_factory.mktemp("shipped"))


def documents(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """The objects at the top of a folder, which kubectl is given."""
    listed = yaml.safe_load(files["kustomization.yaml"])["resources"]
    return [yaml.safe_load(files[name]) for name in listed]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    assert len(found) == len(objects)
    return found


def write(files: dict[str, bytes], folder: Path) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def run(tool: str, *arguments: object, home: Path) -> str:
    done = subprocess.run(
        [TOOLS / tool, *map(str, arguments)],
        env={"HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_is_what_was_looked_at(models: list[Shipped], case: str) -> None:
    kept = {path.relative_to(GOLDEN).as_posix(): path.read_text() for path in files(GOLDEN / case)}
    assert golden(rendered(models, case), case) == kept, "tests/deploy/rendering.py writes it anew"


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_it(models: list[Shipped], version: str) -> None:
    kinds = set()
    for case in ("public", "store"):  # between them they have all there is
        for each in documents(rendered(models, case)):
            if each["kind"] != "PodMonitor":  # of Prometheus's operator
                kubernetes_validate.validate(each, version, strict=True)
            kinds.add(each["kind"])
    assert kinds >= {
        "Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget",
        "NetworkPolicy", "ServiceAccount", "PodMonitor",
    }  # fmt: skip


def test_the_validator_refuses_what_is_wrong(models: list[Shipped]) -> None:
    (deployment,) = (d for d in documents(rendered(models, "plain")) if d["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]["preStop"]["nap"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)


@with_helm
@pytest.mark.parametrize("case", CASES)
def test_helm_renders_what_plain_yaml_says(
    models: list[Shipped], case: str, tmp_path: Path
) -> None:
    plain = rendered(models, case)
    # The chart of no options at all, told this case's options as a user would tell them.
    chart = write(rendered(models, "plain"), tmp_path / "plain") / "chart"
    options = {camel(k): v for k, v in CASES[case].items() if k not in ELSEWHERE}
    (tmp_path / "values.json").write_text(json.dumps(options))
    name = CASES[case].get("name", "digits")
    template = ("template", name, "--namespace", "games", "--kube-version", "1.37")
    said = run("helm", *template, chart, "-f", tmp_path / "values.json", home=tmp_path)
    expected = by_name(documents(plain))
    assert by_name([each for each in yaml.safe_load_all(said) if each]) == expected
    # The chart of the case's options, told nothing; and told so that numbers are whole ones.
    own = write(plain, tmp_path / "own") / "chart"
    drain = ("--set", f"drain={CASES[case].get('drain', 5)}")
    said = run("helm", *template, own, *drain, home=tmp_path)
    assert by_name([each for each in yaml.safe_load_all(said) if each]) == expected
    run("helm", "lint", "--strict", own, home=tmp_path)


@with_helm
def test_the_chart_refuses_what_the_command_refuses(models: list[Shipped], tmp_path: Path) -> None:
    chart = write(rendered(models, "plain"), tmp_path) / "chart"
    for wrong in ("replicas=0", "replicas=two", "replica=3", "tlsSecret=UPPER", "memory=much"):
        done = subprocess.run(
            [TOOLS / "helm", "template", "digits", chart, "--set", wrong],
            env={"HOME": str(tmp_path)}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode != 0, wrong
        assert wrong.partition("=")[0] in done.stderr
        name, _, value = wrong.partition("=")
        with pytest.raises(InvalidInput):
            target("kubernetes", {"tls_secret" if name == "tlsSecret" else name: value})


@with_helm
def test_kubectl_reads_the_folder(models: list[Shipped], tmp_path: Path) -> None:
    written = rendered(models, "public")
    write(written, tmp_path / "out")
    said = run("kubectl", "kustomize", tmp_path / "out", home=tmp_path)
    expected = documents(written)
    for each in expected:
        each["metadata"]["namespace"] = "games"
    assert by_name(list(yaml.safe_load_all(said))) == by_name(expected)
    said = run("kubectl", "kustomize", tmp_path / "out" / "kserve", home=tmp_path)
    assert {each["kind"] for each in yaml.safe_load_all(said)} == {
        "ClusterServingRuntime", "InferenceService",
    }  # fmt: skip


@pytest.mark.skipif(not KSERVE.exists(), reason="no .venv-kserve: `make test` makes it")
def test_kserve_takes_it(models: list[Shipped], tmp_path: Path) -> None:
    for case in CASES:
        write(rendered(models, case), tmp_path / case)
    script = Path(__file__).with_name("kserve_types.py")
    paths = [tmp_path / case / "kserve" / f"{name}.yaml" for case in CASES
             for name in ("runtime", "service")]  # fmt: skip
    wrong = yaml.safe_load(paths[0].read_text())
    wrong["spec"]["containers"][0]["imagePullPolice"] = "Always"
    paths.append(tmp_path / "wrong.yaml")
    paths[-1].write_text(yaml.safe_dump(wrong))
    done = subprocess.run([KSERVE, script, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (said,) = done.stdout.splitlines()
    assert "imagePullPolice" in said


@pytest.mark.parametrize("case", CASES)
def test_a_pod_is_shut_in_and_holds_no_secret(models: list[Shipped], case: str) -> None:
    found = by_name(documents(rendered(models, case)))
    ((_, name),) = (key for key in found if key[0] == "Deployment")
    spec = found["Deployment", name]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert found["ServiceAccount", name]["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    environment = {each["name"]: each for each in container["env"]}
    drain = int(environment["NUMEN_DRAIN"]["value"])
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert pause == drain
    # Ten seconds for connections, five for workers: as long as numen itself may take.
    assert pod["terminationGracePeriodSeconds"] > pause + drain + 15
    for secret in ("NUMEN_CATALOG", "NUMEN_BLOBS", "AWS_SECRET_ACCESS_KEY"):
        if secret in environment:
            assert environment[secret]["valueFrom"]["secretKeyRef"]["name"] == "numen-store"
    scaled = ("HorizontalPodAutoscaler", name) in found
    assert scaled != ("replicas" in spec)  # or applying it again would undo the autoscaler's work


def test_the_autoscaler_asks_for_what_the_adapter_gives(models: list[Shipped]) -> None:
    written = rendered(models, "plain")
    (rule,) = yaml.safe_load(written["prometheus-adapter.yaml"])["rules"]["custom"]
    first, second = by_name(documents(written))["HorizontalPodAutoscaler", "digits"]["spec"][
        "metrics"
    ]
    assert first["pods"]["metric"]["name"] == rule["name"]["as"]
    assert second["resource"]["name"] == "cpu"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tls_secret": "t"}, "--host"),
        ({"name": "Digits"}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"callers": "a,,b"}, "callers"),
        ({"memory": "-1Gi"}, 'memory: expected such as 500m or 1.5 or 2Gi, received "-1Gi"'),
        ({"drain": 301}, "drain"),
        ({"image": "two words"}, "image"),
    ],
    ids=str,
)
def test_a_wrong_option_is_refused(
    models: list[Shipped], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        target("kubernetes", options).render(models)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    shipped(tmp_path)
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_and_prints(home: Path) -> None:
    done = CliRunner().invoke(app, ["deploy", "kubernetes", "digits", "--replicas", "3", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    folder = home / said["folder"]
    assert said["folder"] == "deploy/kubernetes"
    assert {"deployment.yaml", "chart/values.yaml", "kserve/runtime.yaml"} <= set(said["files"])
    assert yaml.safe_load((folder / "chart/values.yaml").read_text())["replicas"] == 3
    assert "8001" not in (folder / "service.yaml").read_text()
    printed = CliRunner().invoke(app, ["deploy", "kubernetes", "digits", "--grpc", "--out", "-"])
    assert "# service.yaml\n" in printed.stdout
    assert "8001" in printed.stdout


KUBECTL = """#!/bin/sh
printf '%s\\n' "$*" >> "{log}"
case "$*" in
  apply*) printf 'service/digits\\ndeployment.apps/digits\\n' ;;
  *rollout*) {then} ;;
esac
"""


def test_applying_is_kubectls(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingExtra, match="kubectl apply -k"):
        deploy("kubernetes", ["digits"], apply=True)
    assert (home / "deploy/kubernetes/deployment.yaml").exists()  # to be handed to who has it
    tool = home / "bin" / "kubectl"
    tool.parent.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(tool.parent), "/bin", "/usr/bin"]))

    def stand_in(then: str) -> None:
        tool.write_text(KUBECTL.format(log=home / "log", then=then))
        tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    stand_in("exit 0")
    steps: list[str] = []
    done = deploy(
        "kubernetes", ["digits"], options={"namespace": "games"}, apply=True, note=steps.append
    )
    assert done.applied == {"objects": 2, "deployment": "digits"}
    assert (home / "log").read_text().splitlines() == [
        "apply -k deploy/kubernetes -o name",
        "-n games rollout status deployment.apps/digits --timeout=10m",
    ]
    assert steps == ["applying", "waiting for the pods"]
    stand_in("echo no such image >&2; exit 1")
    with pytest.raises(NotReady, match="no such image"):
        deploy("kubernetes", ["digits"], apply=True)
