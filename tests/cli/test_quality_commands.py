"""`numen evaluate`, `compress` and `data drift` as a person types them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numen.cli import EXIT

CHROMIUM = shutil.which("chromium")


class Shell:
    """Runs `numen …` with a home of its own."""

    def __init__(self, home: Path):
        self.home = home

    def __call__(self, *arguments: str, status: int = 0) -> str:
        run = subprocess.run(
            [sys.executable, "-m", "numen", *arguments],
            env={**os.environ, "NUMEN_HOME": str(self.home), "COLUMNS": "140", "NO_COLOR": "1"},
            cwd=self.home.parent,
            capture_output=True,
        )
        assert run.returncode == status, run.stdout.decode() + run.stderr.decode()
        return (run.stdout if status == 0 else run.stderr).decode()

    def json(self, *arguments: str) -> dict:
        return json.loads(self(*arguments, "--json"))


def write_table(path: Path, moved: float = 0.0) -> None:
    random = np.random.default_rng(int(moved * 10))
    lines = ["width,height,colour,kind"]
    for _ in range(700):
        width, height = random.normal(size=2) + moved
        colour = random.choice(["red", "blue"])
        noise = random.normal() * (5 if colour == "blue" else 0.1)
        kind = "big" if width + height + noise > moved else "small"
        lines.append(f"{width:.4f},{height:.4f},{colour},{kind}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def numen(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A home with a data set in two versions, and two models of the first."""
    folder = tmp_path_factory.mktemp("quality")
    shell = Shell(folder / "home")
    write_table(folder / "then.csv")
    write_table(folder / "now.csv", moved=1.0)
    shell("data", "add", "things", "then.csv")
    shell("train", "good", "--data", "things", "--model", "forest", "--set", "epochs=30")
    shell("train", "plain", "--data", "things", "--model", "linear")
    shell("data", "add", "things", "now.csv")
    return shell


def test_evaluate_says_how_sure_it_is_and_where_it_is_weak(numen: Shell, tmp_path: Path) -> None:
    out = tmp_path / "report"
    text = numen("evaluate", "good", "--data", "things@1", "--by", "colour", "--out", str(out))
    for said in ("95 % from", "colour = blue", "weak", "Wilson", "auc", "brier"):
        assert said in text
    assert {path.name for path in out.iterdir()} == {
        "report.json", "report.html", "report.md", "confusion.png", "calibration.png", "slices.png",
    }  # fmt: skip
    found = numen.json("evaluate", "good", "--data", "things@1", "--by", "colour")
    assert found == json.loads((out / "report.json").read_text())
    low, high = found["intervals"]["accuracy"].values()
    assert low < found["accuracy"] < high
    by = numen(
        "evaluate", "good", "--data", "things@1", "--by", "age", status=EXIT["invalid_input"]
    )
    assert "width, height, colour" in by


def test_calibrating_goes_alone_and_publishes(numen: Shell) -> None:
    alone = numen("evaluate", "good", "--data", "things@1", "--calibrate", "--by", "colour",
                  status=EXIT["invalid_input"])  # fmt: skip
    assert "--calibrate" in alone
    found = numen.json("evaluate", "good", "--data", "things@1", "--calibrate")
    assert found["after"]["loss"] < found["before"]["loss"]
    assert found["version"] > 1
    assert "half of the test rows" in found["fitted_on"]


def test_two_models_are_compared(numen: Shell) -> None:
    found = numen.json("evaluate", "good", "--data", "things@1", "--against", "plain")
    names = {d["metric"]: d for d in found["against"]["differences"]}
    assert names["accuracy"]["change"] == pytest.approx(
        names["accuracy"]["second"] - names["accuracy"]["first"]
    )
    assert "McNemar" in found["against"]["method"]


def test_compress_prints_what_each_variant_costs(numen: Shell) -> None:
    found = numen.json("compress", "good", "--prune", "--tolerance", "0.1")
    exact, pruned = found["variants"]
    assert exact["name"] == "fp32"
    assert pruned["bytes"] < exact["bytes"]
    assert exact["score"] - pruned["score"] <= 0.1
    refused = numen("compress", "good", "--distill", "forest", "--set", "epochs=1",
                    "--set", "max_depth=1", "--tolerance", "0", status=EXIT["invalid_input"])  # fmt: skip
    assert "loses" in refused
    assert "the exact model" in refused
    shown = numen("compress", "good", "--prune", "--tolerance", "0.1")
    assert "×" in shown
    assert "kept" in shown
    nothing = numen("compress", "good", status=EXIT["invalid_input"])
    assert "--int8" in nothing


def test_drift_between_versions_and_from_what_a_model_learnt(numen: Shell, tmp_path: Path) -> None:
    found = numen.json("data", "drift", "things", "--against", "things@1")
    assert found["verdict"] == "drifted"
    verdicts = {change["column"]: change["verdict"] for change in found["changes"]}
    assert verdicts["width"] == "drifted"
    assert verdicts["colour"] == "stable"
    picture = tmp_path / "drift.png"
    text = numen("data", "drift", "things", "--against-model", "good", "--out", str(picture))
    assert "PSI" in text
    assert "said: label" in text
    assert Image.open(io.BytesIO(picture.read_bytes())).width > 800
    same = numen("data", "drift", "things@1", "--against-model", "good")
    assert same.splitlines()[-1].startswith("stable  things@1 (140 rows)")
    either = numen("data", "drift", "things", status=EXIT["invalid_input"])
    assert "--against" in either


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_in_a_browser_by_itself(numen: Shell, tmp_path: Path, scheme: str) -> None:
    from playwright.sync_api import sync_playwright

    numen("evaluate", "good", "--data", "things@1", "--against", "plain", "--by", "colour",
          "--out", str(tmp_path))  # fmt: skip
    asked, failed = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(
            viewport={"width": 900, "height": 1200}, color_scheme=scheme
        ).new_page()
        page.on("request", lambda r: asked.append(r.url))
        page.on("console", lambda m: failed.append(m.text))
        page.goto((tmp_path / "report.html").as_uri())
        sizes = page.evaluate("[...document.images].map(i => i.naturalWidth)")
        pixel = page.evaluate(
            """() => { const i = document.images[0], c = document.createElement('canvas');
                 c.width = c.height = 1; const x = c.getContext('2d'); x.drawImage(i, 0, 0);
                 return x.getImageData(0, 0, 1, 1).data[0]; }"""
        )
        body = page.evaluate("getComputedStyle(document.body).backgroundColor")
        wide = page.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert len(sizes) == 3
    assert min(sizes) > 300
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert failed == []
    assert (pixel > 200) == (scheme == "light")
    assert body == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 29)")
    assert wide <= 900
