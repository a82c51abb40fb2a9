"""`numen importance`, `train --select` and `change` as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


class Shell:
    def __init__(self, home: Path):
        self.home = home

    def __call__(self, *arguments: str, status: int = 0, given: str = "") -> str:
        run = subprocess.run(
            [sys.executable, "-m", "numen", *arguments],
            env={**os.environ, "NUMEN_HOME": str(self.home), "COLUMNS": "140", "NO_COLOR": "1"},
            cwd=self.home.parent,
            capture_output=True,
            input=given.encode(),
        )
        assert run.returncode == status, run.stdout.decode() + run.stderr.decode()
        return (run.stdout if status == 0 else run.stderr).decode()

    def json(self, *arguments: str) -> dict:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture(scope="module")
def numen(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("understanding-commands")
    random = np.random.default_rng(0)
    lines = ["width,height,idle,noise,colour,kind"]
    for _ in range(400):
        width, height, idle, noise = random.normal(size=4)
        colour = random.choice(["red", "blue"])
        kind = "big" if width + height + 2 * (colour == "red") > 1 else "small"
        lines.append(f"{width:.3f},{height:.3f},{idle:.3f},{noise:.3f},{colour},{kind}")
    (folder / "things.csv").write_text("\n".join(lines) + "\n")
    shell = Shell(folder / "home")
    said = shell("train", "few", "--data", "things.csv", "--model", "linear", "--select", "3")
    assert "kept aside" in said
    assert "chosen: " in said
    return shell


ROW = '{"width": -1, "height": -0.5, "colour": "blue", "idle": 3}'


def test_importance_is_shown_and_written(numen: Shell, tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    said = numen(
        "importance", "few", "--data", "things.csv", "--along", "width", "--out", str(page)
    )
    assert {line.split()[0] for line in said.splitlines()[1:4]} == {"width", "height", "colour"}
    assert "█" in said
    assert "along width: the mean of 80 rows" in said
    assert page.read_text().count("<svg") == 1
    numen("importance", "few", "--data", "things.csv", "--out", str(page), "--repeats", "1")
    assert page.read_text().count("<svg") == 3
    found = numen.json("importance", "few", "--data", "things.csv", "--along", "colour")
    assert len(found["importance"]["columns"]) == 3
    assert found["along"][0]["values"] == ["blue", "red"]
    assert 'received "hat"' in numen(
        "importance", "few", "--data", "things.csv", "--along", "hat", status=2
    )
    assert "expected one of" in numen(
        "importance", "few", "--data", "things.csv", "--split", "none", status=2
    )


def test_change_says_what_would_be_otherwise(numen: Shell) -> None:
    said = numen("change", "few", ROW, "--to", "big")
    assert "now: small" in said
    assert "not advice" in said
    found = numen.json("change", "few", ROW, "--to", "big", "--vary", "width,height", "--most", "1")
    assert found["now"]["label"] == "small"
    (only,) = found["changes"]
    assert {each["column"] for each in only["changes"]} <= {"width", "height"}
    assert only["answer"]["label"] == "big"
    piped = numen("change", "few", "-", "--to", "big", "--fix", "colour", given=ROW)
    assert "colour" not in piped
    bounded = ("change", "few", ROW, "--to", "big", "--vary", "height", "--bounds")
    assert "within what is allowed" in numen(*bounded, "height=-1:0", status=3)
    assert "LOW:HIGH" in numen(*bounded, "height", status=2)
    assert "LOW:HIGH" in numen(*bounded, "height=low:", status=2)
    assert "expected one object" in numen("change", "few", "[1, 2]", "--to", "big", status=2)
    assert "answers so already" in numen("change", "few", ROW, "--to", "small", status=2)


def test_a_quantity_is_wanted_in_a_range(numen: Shell) -> None:
    text = (numen.home.parent / "things.csv").read_text().splitlines()
    lines = [line.rpartition(",")[0].rpartition(",")[0] for line in text]
    (numen.home.parent / "noise.csv").write_text("\n".join(lines))
    numen("train", "noise", "--data", "noise.csv", "--model", "linear")
    row = '{"width": 0, "height": 0, "idle": 0}'
    now = numen.json("predict", "noise", row)["noise"]
    found = numen.json("change", "noise", row, "--to", f"{now + 0.01}:")
    assert found["changes"][0]["answer"]["noise"] > now + 0.01
    assert "LOW:HIGH" in numen("change", "noise", row, "--to", "big", status=2)
