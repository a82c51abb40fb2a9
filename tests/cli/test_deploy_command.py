"""`numen deploy …` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from cli.test_commands import Shell
from numen.api.deploy import targets
from numen.cli import EXIT
from numen.cli.deploy import app
from numen.core.plugins import load as kind
from numen.core.settings import Settings
from numen.registry import Registry
from parts import make_bundle


@pytest.fixture
def numen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    registry = Registry.of(Settings(home=str(tmp_path / "home")))
    registry.publish("linear", make_bundle(tmp_path / "make"))
    registry.catalog.close()
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "home")


def test_written_printed_and_told(numen: Shell, tmp_path: Path) -> None:
    said = numen.json("deploy", "docker", "linear", "--no-apply", "--port", "9000")
    assert said["folder"] == "deploy/docker"
    assert said["applied"] is None
    assert "Dockerfile" in said["files"]
    assert "EXPOSE 9000" in (tmp_path / "deploy/docker/Dockerfile").read_text()
    printed = numen("deploy", "docker", "linear", "--out", "-")
    assert "# Dockerfile\n" in printed
    assert "numen-0.1.0-py3-none-any.whl is not text" in printed
    files = numen.json("deploy", "docker", "linear", "--out", "-")["files"]
    assert files["Dockerfile"].startswith("# numen-linear:1, written by numen")
    assert files["models/catalog.db"] is None
    assert json.loads(files["image.json"])["tag"] == "numen-linear:1"
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["docker", "linear", "--port", "x"],
            "invalid_input",
            'port: expected a whole number, received "x"',
        ),
        (["ray", "--status"], "invalid_input", "no cluster is named"),
        (["ray"], "invalid_input", "expected at least one model"),
        (["docker", "absent"], "not_found", "is not published"),
        (["docker", "linear", "--out", "home"], "conflict", "numen did not write"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_written(
    numen: Shell, tmp_path: Path, arguments: list[str], code: str, said: str
) -> None:
    assert said in numen("deploy", *arguments, status=EXIT[code])
    assert not (tmp_path / "deploy").exists()


def test_what_is_no_target_is_no_command(numen: Shell) -> None:
    assert "the-moon" in numen("deploy", "the-moon", "linear", status=2)


@pytest.mark.parametrize("name", targets())
def test_every_target_is_a_command_with_its_options(name: str) -> None:
    group: Any = typer.main.get_command(app)
    flags = {flag for each in group.get_command(None, name).params for flag in each.opts}
    options = {field.name for field in msgspec.structs.fields(kind("numen.targets", name).options)}
    assert {f"--{option.replace('_', '-')}" for option in options} <= flags
    assert {"models", "--out", "--apply", "--json"} <= flags


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("numen deploy do", ["docker"]),
        ("numen deploy docker lin", ["linear@champion"]),
        ("numen deploy docker linear --tool ", ["docker", "podman", "buildah"]),
    ],
)
def test_the_tab_key_knows_targets_models_and_choices(
    numen: Shell, typed: str, wanted: list[str]
) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "numen")], capture_output=True, text=True,
        env={
            **os.environ, "NUMEN_HOME": str(numen.home), "_NUMEN_COMPLETE": "complete_bash",
            "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split(" ")) - 1),
        },
    )  # fmt: skip
    assert [word for word in wanted if word not in done.stdout.split()] == []
