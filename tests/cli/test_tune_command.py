"""`numen tune` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from numen.cli import EXIT


def numen(folder: Path, *arguments: str, status: int = 0) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "numen", *arguments],
        env={**os.environ, "NUMEN_HOME": str(folder / "home"), "COLUMNS": "120", "NO_COLOR": "1"},
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == status, run.stdout + run.stderr
    return run.stdout if status == 0 else run.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = ["width,height,kind"] + [f"{i % 7},{i % 5},{'ab'[i % 7 > 3]}" for i in range(200)]
    (tmp_path / "shapes.csv").write_text("\n".join(rows))
    (tmp_path / "shapes.toml").write_text(
        'name = "shapes"\ndata = "shapes.csv"\nfamily = "linear"\n[tune]\nl2 = [0.001, 1000]\n'
    )
    return tmp_path


def test_searches_publishes_and_goes_on(folder: Path) -> None:
    said = numen(folder, "tune", "shapes.toml", "--trials", "4", "--out", "out")
    assert "4 complete" in said
    assert "shapes@1" in said
    kept = {path.name for path in (folder / "out").iterdir()}
    assert {"best.toml", "trials.json", "history.png", "history.svg"} <= kept
    found = json.loads(numen(folder, "tune", "shapes.toml", "--trials", "6", "--json"))
    assert found["states"] == {"complete": 6}
    assert found["study"] == found["model"]["name"] == "shapes"
    assert found["trials"][:4] == json.loads((folder / "out/trials.json").read_text())["trials"]
    trained = json.loads(numen(folder, "train", "out/best.toml", "--json"))
    assert trained["digest"].startswith("sha256:")


def test_says_what_to_do(folder: Path) -> None:
    wrong = ["tune", "shapes.toml", "--set", "l3=1", "--trials", "1"]
    assert "knows l2" in numen(folder, *wrong, status=EXIT["invalid_input"])
    numen(folder, "tune", "shapes.toml", "--trials", "1")
    other = numen(folder, "tune", "shapes.toml", "--metric", "val_loss", status=2)
    assert "another metric" in other
    assert "absent.toml" in numen(folder, "tune", "absent.toml", status=EXIT["not_found"])
