"""Deploying: what is refused, what is written, and what a crash at any moment leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from numen.api.deploy import deploy, render, target
from numen.core.errors import Conflict, InvalidInput, MissingExtra, NotFound, NotReady
from numen.core.settings import Settings
from numen.deploy.folder import MARKER
from numen.registry import Registry
from parts import make_bundle


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with `linear`, two versions; the newest is not the champion."""
    registry = Registry.of(Settings(home=str(tmp_path / "home")))
    for seed in (0, 1):
        registry.publish("linear", make_bundle(tmp_path / "make", seed))
    registry.catalog.close()
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("options", "field", "said"),
    [
        ({"colour": "red"}, "colour", 'docker: "colour" is no option; known: tag, base'),
        ({"port": "many"}, "port", 'docker: port: expected a whole number, received "many"'),
        (
            {"port": 70_000},
            "port",
            'docker: port: expected a whole number <= 65535, received "70000"',
        ),
        (
            {"fetch": "perhaps"},
            "fetch",
            'docker: fetch: expected true or false, received "perhaps"',
        ),
        (
            {"tool": "make"},
            "tool",
            'tool: expected one of docker, podman, buildah, received "make"',
        ),
        ({"python": "2.7"}, "python", "docker: python: expected text matching regex"),
    ],
)
def test_a_bad_option_is_named_with_what_it_may_be(
    options: dict[str, object], field: str, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        target("docker", options)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_what_cannot_be_rendered_writes_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"targets: expected one of \[.*'docker'"):
        deploy("the-moon", ["linear"])
    with pytest.raises(InvalidInput, match="expected at least one model"):
        deploy("docker", [])
    for reference in ("absent", "linear@7", "linear@shadow"):
        with pytest.raises(NotFound):
            deploy("docker", ["linear", reference])
    for option in ("base", "tag"):
        with pytest.raises(InvalidInput, match=f"{option}: expected a name"):
            deploy("docker", ["linear"], options={option: "debian\nRUN true"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "make"]


def test_a_rendering_replaces_the_one_before_and_nothing_else(home: Path, tmp_path: Path) -> None:
    done = deploy("docker", ["linear", "linear@2"], apply=False)
    assert done.folder == Path("deploy/docker")
    assert done.applied is None
    folder = tmp_path / "deploy/docker"
    assert {path.partition("/")[0] for path in done.files} | {MARKER} == {
        path.name for path in folder.iterdir()
    }
    assert len([*(folder / "models/blobs/bundles").iterdir()]) == 2
    (folder / "notes.txt").write_text("mine")
    (folder / "secrets").mkdir()
    (folder / "secrets/keys").write_text("mine too")
    deploy("docker", ["linear"], options={"fetch": True}, apply=False)
    assert not (folder / "models").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "secrets/keys").read_text() == "mine too"
    assert [path.name for path in folder.parent.iterdir()] == ["docker"]


def test_what_numen_did_not_write_is_not_overwritten(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "Dockerfile").write_text("mine")
    with pytest.raises(Conflict, match="holds files that numen did not write"):
        deploy("docker", ["linear"], folder, apply=False)
    assert [path.name for path in folder.iterdir()] == ["Dockerfile"]
    (folder / "Dockerfile").unlink()
    deploy("docker", ["linear"], folder, {"fetch": True}, apply=False)
    (folder / "models").mkdir()
    (folder / "models/mine").write_text("mine")
    with pytest.raises(Conflict, match="models is not numen's, and would be overwritten"):
        deploy("docker", ["linear"], folder, apply=False)
    assert (folder / "models/mine").read_text() == "mine"
    (folder / MARKER).write_text("nonsense")
    with pytest.raises(Conflict, match=r"deploy\.json cannot be read"):
        deploy("docker", ["linear"], folder, apply=False)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Conflict, match="is a file"):
        deploy("docker", ["linear"], tmp_path / "file", apply=False)
    with pytest.raises(Conflict, match="is being worked in"):
        deploy("docker", ["linear"], Path(), apply=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "home", "make", "out"]


def test_without_a_tool_it_is_said_what_would_build_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="looked for docker, podman, buildah"):
        deploy("docker", ["linear"])
    with pytest.raises(MissingExtra, match="podman cannot be run"):
        deploy("docker", ["linear"], options={"tool": "podman"})
    assert (tmp_path / "deploy/docker/Dockerfile").is_file()


def test_a_tool_that_fails_has_the_last_word_and_one_that_works_is_told_all(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs of our own by the tools' names; the real ones are driven in tests/deploy."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in {
        "docker": 'echo "no daemon here" >&2; exit 1',
        "podman": f'echo "$@" >> {tmp_path}/told',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    with pytest.raises(NotReady, match="docker build ended with 1: no daemon here"):
        deploy("docker", ["linear"], options={"tool": "docker"})
    steps: list[str] = []
    tag = "somewhere/linear:9"
    done = deploy("docker", ["linear"], options={"tag": tag, "push": True}, note=steps.append)
    assert done.applied == {"image": tag, "tool": "podman", "pushed": True}
    assert steps == [f"podman builds {tag}", f"podman pushes {tag}"]
    told = (tmp_path / "told").read_text().splitlines()
    assert told[-2].startswith(f"build --format docker -t {tag} -f deploy/docker/Dockerfile")
    assert told[-1] == f"push {tag}"


def test_models_go_with_the_numbers_and_aliases_they_have(home: Path, tmp_path: Path) -> None:
    registry = Registry.of(Settings(home=str(home)))
    registry.promote("linear@2", "shadow")
    deploy("docker", ["linear@shadow", "linear"], tmp_path / "out", apply=False)
    catalog = tmp_path / "out/models/catalog.db"
    url = f"sqlite:///file:{catalog}?mode=ro&immutable=1&uri=true"
    before = sorted(path for path in (tmp_path / "out").rglob("*"))
    baked = Registry.of(
        Settings(
            home=str(tmp_path / "nowhere"), catalog=url, blobs=str(tmp_path / "out/models/blobs")
        )
    )
    assert baked.model("linear") == registry.model("linear")
    assert baked.open(baked.resolve("linear@shadow")).digest == registry.resolve("linear@2").digest
    for change in (
        lambda: baked.promote("linear@2", "champion"),
        lambda: baked.rollback("linear"),
        lambda: baked.remove("linear@2"),
        lambda: baked.publish("other", registry.open(registry.resolve("linear"))),
        lambda: baked.keys.create("game"),
    ):
        with pytest.raises(Conflict, match="the catalog here is only read"):
            change()
    assert sorted(path for path in (tmp_path / "out").rglob("*")) == before
    assert not (tmp_path / "nowhere").exists()
    for each in (registry, baked):
        each.catalog.close()


def test_what_is_rendered_holds_no_secret_and_no_path_of_this_machine(
    home: Path, tmp_path: Path
) -> None:
    registry = Registry.of(Settings(home=str(home)))
    _, secret = registry.keys.create("game")
    registry.catalog.close()
    files = render(target("docker", {}), ["linear"])
    for path, content in files.items():
        if isinstance(content, bytes):
            assert secret.encode() not in content, path
            assert str(tmp_path).encode() not in content, path
