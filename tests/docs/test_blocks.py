"""Every Python block of README and docs/ runs; every TOML block is a recipe that is read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from numen.train.recipe import make

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[pytest.param]:
    return [
        pytest.param(match[2], id=f"{page.relative_to(ROOT)}:{number}")
        for page in PAGES
        for number, match in enumerate(FENCE.finditer(page.read_text()), 1)
        if match[1] == language
    ]


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "NUMEN_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("text", blocks("toml"))
def test_recipe_is_read(text: str) -> None:
    assert make(tomllib.loads(text)).family


def test_there_is_something_to_run() -> None:
    assert blocks("python")
    assert blocks("toml")


def test_every_setting_and_command_is_documented() -> None:
    import msgspec

    from numen.core.settings import Settings

    text = (ROOT / "docs/interfaces.md").read_text()
    for field in msgspec.structs.fields(Settings):
        assert f"`{field.name}`" in text
    listed = subprocess.run(
        [sys.executable, "-m", "numen", "--help"], capture_output=True, text=True
    )
    commands = re.findall(r"^│ ([a-z]+) ", listed.stdout, re.MULTILINE)
    assert len(commands) >= 8
    for command in commands:
        assert f"numen {command}" in text
