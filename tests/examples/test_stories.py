"""The stories of medicine and finance: they run, and what they print is what they promise."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from parts import start_server, stop

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / script)],
        env={**os.environ, "NUMEN_HOME": str(folder / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_eight_measurements_tell_what_thirty_tell(tmp_path: Path) -> None:
    said = run("medicine.py", tmp_path)
    assert "569 patients, 30 measurements" in said
    every, few = map(float, re.findall(r"measurements: accuracy ([\d.]+)", said))
    assert every > 0.95
    assert every - few <= 0.01  # measured on test rows: each patient once
    assert re.search(r"chosen: .*worst_concave_points 5/5", said)
    assert "no medical device" in said
    r2 = [float(found) for found in re.findall(r": r2 (-?[\d.]+)", said)]
    assert len(r2) == 2
    assert min(r2) > 0.4
    with Image.open(tmp_path / "patient.png") as drawn:
        assert drawn.width == 640
    # The served door draws the same patient's answer.
    (tmp_path / "home").mkdir(exist_ok=True)
    url, process = start_server(tmp_path / "home", "biopsies")
    try:
        row = {"name": "features", "shape": [1, 8], "datatype": "FP32", "data": [0.1] * 8}
        found = httpx.post(
            f"{url}/v2/models/biopsies/explain", json={"inputs": [row]},
            headers={"accept": "image/png"},
        )  # fmt: skip
        assert found.status_code == 200
        assert found.content.startswith(b"\x89PNG")
        with (tmp_path / "biopsies/0/test.csv").open() as file:
            wide = next(csv.DictReader(file))  # what was left out may be sent, and the answer too
        told = httpx.post(f"{url}/predict/biopsies", json=wide).json()
        assert told["label"] in ("benign", "malignant")
        assert httpx.post(f"{url}/predict/biopsies", json={"hat": 1}).status_code == 400
    finally:
        stop(process)


def test_a_refused_loan_is_told_what_would_be_otherwise(tmp_path: Path) -> None:
    said = run("finance.py", tmp_path)
    assert re.search(r"late_payments +\+0\.0", said)  # the law that made the table
    assert "Refused: not paid back at" in said
    found = re.findall(r"^  (.*): paid back at (\d+)%$", said, re.MULTILINE)
    assert 1 <= len(found) <= 3
    assert all(int(share) >= 50 for _, share in found)
    assert not any("age " in changes or "late_payments" in changes for changes, _ in found)
    assert "By age alone: no change of age" in said
    assert "made up" in (EXAMPLES / "finance.py").read_text()
