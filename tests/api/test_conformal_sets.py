"""Sets of labels and intervals of real small models, from their training to the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import numen
from numen.api.calibrate import calibrate
from numen.cli import app
from numen.core.bundle import Bundle
from numen.core.errors import InvalidInput
from numen.train.evaluate import page


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def data(target: str = "kind", rows: int = 2_000, seed: int = 0) -> numen.Dataset:
    """The side says the class, and the weight; of blurred things the class is a guess."""
    path = f"{target}-{rows}-{seed}.csv"
    table(Path(path), target, rows, seed)
    return numen.Dataset.open(path)


def table(path: Path, target: str, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    lines = [f"side,blurred,{target}"]
    for _ in range(rows):
        side, blurred = random.uniform(0, 3), random.random() < 0.4
        kind = "abc"[random.integers(3) if blurred else int(side)]
        weight = f"{side * 10 + random.normal():.3f}"
        lines.append(f"{side:.3f},{int(blurred)},{kind if target == 'kind' else weight}")
    path.write_text("\n".join(lines) + "\n")


def test_sets_hold_the_truth_and_are_larger_where_it_is_a_guess() -> None:
    model = numen.train(data(), "forest", epochs=30, min_samples_leaf=20, validation=0.3)
    how = model.manifest.postprocess.conformal
    assert (how.level, how.rows) == (0.9, round(len(data().train) * 0.3))
    report = model.evaluate(data().test)
    assert report.coverage.covered >= 0.85
    assert page.tables(report)["Coverage"][0][:2] == ["0.9", "480"]
    card = (model.bundle.path / "card.md").read_text()
    assert "## Coverage\n\nSets of labels are meant to hold the truth of 90 %" in card
    assert f"they hold that of {report.coverage.covered:.2%} of the test rows" in card
    assert f"A set has {report.coverage.size:.3g} labels" in card
    said = model.classify([{"side": s, "blurred": b} for b in (0, 1) for s in (0.5, 1.5, 2.5)])
    sizes = [len(row["set"]) for row in said]
    assert sizes[:3] == [1, 1, 1]
    assert min(sizes[3:]) >= 2
    assert all(row["set"][0] == row["label"] for row in said)
    again = Bundle.open(model.bundle.path).manifest
    assert again.postprocess.conformal == how
    same = numen.train(data(), "forest", epochs=30, min_samples_leaf=20, validation=0.3)
    assert same.bundle.digest == model.bundle.digest


def test_test_rows_set_nothing(tmp_path: Path) -> None:
    """Other test rows, the same rows kept aside: the same threshold."""
    found = []
    for seed in (1, 2):
        folder = tmp_path / f"things-{seed}"
        folder.mkdir()
        table(folder / "train.csv", "kind", 600, 0)
        table(folder / "test.csv", "kind", 300, seed)
        model = numen.train(folder, "linear", validation=0.3)
        found.append((model.manifest.postprocess.conformal, model.metrics["accuracy"]))
    assert found[0][0] == found[1][0]
    assert found[0][0].rows == 180
    assert found[0][1] != found[1][1]


def test_where_too_few_rows_are_kept_aside_there_are_none() -> None:
    for part in (0.0, 0.05):
        model = numen.train(data(), "linear", validation=part)
        assert b"conformal" not in (model.bundle.path / "manifest.json").read_bytes()
        assert "## Coverage" not in (model.bundle.path / "card.md").read_text()
        assert "coverage" not in json.loads((model.bundle.path / "evaluation.json").read_bytes())
        assert "set" not in model.classify({"side": 1, "blurred": 0})[0]
    with pytest.raises(InvalidInput, match="level: expected validation"):
        numen.train(data(), "linear", level=0.99)


def test_a_temperature_sets_them_anew() -> None:
    model = numen.train(
        data(), "boosting", epochs=60, learning_rate=0.5, extra_trees=False, lambda_l2=0.0,
        feature_fraction=1.0, validation=0.3, level=0.8, name="things",
    )  # fmt: skip
    made = calibrate(model, data())
    before, after = (m.manifest.postprocess.conformal for m in (model, made.model))
    assert (after.level, after.rows) == (0.8, before.rows)
    assert after.threshold > before.threshold
    assert made.after.coverage.covered >= 0.75
    # Of other data only test rows are at hand, and those set nothing.
    dropped = calibrate(model, data(seed=1)).model
    assert b"conformal" not in (dropped.bundle.path / "manifest.json").read_bytes()
    assert "## Coverage" not in (dropped.bundle.path / "card.md").read_text()


def test_a_quantity_has_an_interval_everywhere() -> None:
    model = numen.train(data("weight"), "boosting", epochs=100, validation=0.3, name="weights")
    report = model.evaluate(data("weight").test)
    assert report.coverage.covered >= 0.85
    (said,) = model.classify({"side": 1.5, "blurred": 0})
    low, high = said["interval"]
    assert low < said["weight"] < high
    assert high - low == pytest.approx(report.coverage.size)
    assert "An interval is " in (model.bundle.path / "card.md").read_text()
    shown = CliRunner().invoke(app, ["predict", "weights", '{"side": 1.5, "blurred": 0}']).output
    assert f"90 %: {low:.6g} to {high:.6g}" in shown


def test_the_terminal_says_it_in_a_line() -> None:
    numen.train(data(), "forest", epochs=30, min_samples_leaf=20, validation=0.3, name="things")
    for blurred in (0, 1):
        row = json.dumps({"side": 1.5, "blurred": blurred})
        (said,) = numen.load("things").classify(json.loads(row))
        *others, last = said["set"]
        assert bool(others) == bool(blurred)
        line = f"90 %: {', '.join(others)} or {last}" if others else f"90 %: {last}\n"
        assert line in CliRunner().invoke(app, ["predict", "things", row]).output
