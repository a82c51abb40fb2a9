"""`numen demo --exit`: the whole journey, from nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from numen.core.settings import Settings
from numen.registry import Registry


@pytest.mark.slow
def test_the_whole_journey(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "numen", "demo", "--exit", "--epochs", "2"],
        env={**os.environ, "NUMEN_HOME": str(tmp_path), "COLUMNS": "120", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    doors = re.findall(r"POST (/\S+) .* (\d) .* ([01]\.\d{6})", run.stdout)
    assert [door for door, _, _ in doors] == [
        "/v2/models/digits/infer", "/v1/models/digits:predict", "/predict/digits", "/graphql",
    ]  # fmt: skip
    assert {digit for _, digit, _ in doors} == {"7"}
    registry = Registry.of(Settings(home=str(tmp_path)))
    assert registry.resolve("digits@champion").version == 1
    registry.catalog.close()
