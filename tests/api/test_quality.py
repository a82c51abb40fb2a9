"""Compressing, calibrating and watching real small models, published and loaded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import numen
from numen.api.calibrate import calibrate, held_aside
from numen.api.data import library
from numen.api.drift import drift
from numen.core.bundle import Bundle
from numen.core.errors import InvalidInput, NotFound
from numen.runtime.base import open_variant
from numen.serve.opening import open_model
from parts import make_bundle

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def table(path: Path, rows: int = 900, seed: int = 0, moved: float = 0.0) -> Path:
    """Two numbers and a category decide the class; of blue things it is a guess."""
    random = np.random.default_rng(seed)
    lines = ["width,height,colour,kind"]
    for _ in range(rows):
        width, height = random.normal(size=2) + moved
        colour = random.choice(["red", "green", "blue"])
        noise = random.normal() * (4 if colour == "blue" else 0.1)
        kind = "big" if width + height + noise > 0 else "small"
        lines.append(f"{width:.4f},{height:.4f},{colour},{kind}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def forest(tmp_path: Path) -> numen.Model:
    library().add("things", [table(tmp_path / "t.csv")])
    return numen.train("things", "forest", name="things", epochs=40)


def test_a_bundle_says_how_good_it_is_and_what_it_learnt_from(forest: numen.Model) -> None:
    files = {file.path for file in forest.manifest.files}
    assert {"evaluation.json", "reference.json", "slices.png", "confusion.png"} <= files
    card = (forest.bundle.path / "card.md").read_text()
    assert "## Intended use\n\n## Facts" in card
    assert "| colour = blue |" in card
    low, high = forest.evaluate(numen.Dataset.open("t.csv").test).intervals["accuracy"].low, 1
    assert f"| accuracy | {forest.metrics['accuracy']:.4f} | {low:.4f} to " in card
    assert low < forest.metrics["accuracy"] < high
    again = numen.train("things", "forest", epochs=40)
    assert again.bundle.digest == forest.bundle.digest


def test_a_forest_is_pruned_and_taught(forest: numen.Model) -> None:
    made = numen.compress("things", prune=True, distill="linear", tolerance=0.1, alias="small")
    assert made.model.version.version == 2
    assert {t.name for t in made.tried} == {"pruned", "student-linear"}
    variants = {v.name: v.metrics for v in made.model.manifest.variants}
    assert next(iter(variants)) == "fp32"
    for metrics in variants.values():
        assert {"accuracy", "agreement", "bytes", "ms_1", "ms_64"} == metrics.keys()
    for tried in made.tried:
        assert tried.refused == ""
        assert tried.bytes < 0.95 * made.exact.bytes
        assert tried.score >= made.exact.score - 0.1
    loaded = numen.load("things@small")
    assert "## Variants" in (loaded.bundle.path / "card.md").read_text()
    opened = open_model("things", "2", loaded.bundle)
    assert opened.ladder.rungs[0].variant == "fp32"
    # A second time the variants are made anew, not added again.
    again = numen.compress("things@2", prune=True, tolerance=0.1)
    assert [v.name for v in again.model.manifest.variants] == ["fp32", "student-linear", "pruned"]


def test_what_loses_too_much_is_refused_with_its_figures(forest: numen.Model) -> None:
    del forest
    with pytest.raises(InvalidInput, match=r"student-forest loses 0\.\d+ of accuracy .*bytes"):
        numen.compress("things", distill="forest", epochs=1, max_depth=1, tolerance=0.0)
    with pytest.raises(InvalidInput, match="neither faster nor smaller"):
        numen.compress("things", distill="forest", epochs=300, tolerance=0.5)
    assert [v.version for v in numen.models()[0].versions] == [1]


def test_what_does_not_suit_is_refused(forest: numen.Model) -> None:
    refused = [
        ({}, "at least one way"),
        ({"int8": True}, "found none"),
        ({"prune": True, "tolerance": 2}, "tolerance"),
        ({"prune": True, "epochs": 3}, "epochs: expected a student"),
        ({"int8": "half"}, 'received "half"'),
        ({"distill": "nobody"}, "nobody"),
    ]
    for asked, said in refused:
        with pytest.raises(InvalidInput, match=said):
            numen.compress(forest, **asked)


def test_the_data_it_learnt_from_is_found_or_asked_for(forest: numen.Model, tmp_path: Path) -> None:
    library().add("things", [table(tmp_path / "t2.csv", seed=7)])
    assert numen.compress(forest, prune=True, tolerance=0.1).rows == 90  # half of things@1's
    own = numen.train("t2.csv", "forest", epochs=5)
    with pytest.raises(InvalidInput, match=r"t2.*--data"):
        numen.compress(own, prune=True)
    stranger = numen.publish(make_bundle(tmp_path / "b").path, name="linear")
    with pytest.raises(InvalidInput, match="does not say what it was trained on"):
        numen.compress(stranger, int8=True)


def test_a_quantity_is_compressed_by_its_r2(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(900, 3))
    rows = "\n".join(f"{a},{b},{c},{a * 3 + b}" for a, b, c in x)
    (tmp_path / "q.csv").write_text("a,b,c,price\n" + rows + "\n")
    numen.train("q.csv", "boosting", name="price", epochs=60)
    made = numen.compress("price", data="q.csv", distill="linear", tolerance=0.05)
    assert made.metric == "r2"
    (student,) = made.tried
    assert student.score > 0.9
    runtime = open_variant(made.model.bundle, "student-linear")
    given = np.array([[1, 1, 0]], np.float32)
    assert next(iter(runtime.predict({"features": given}).values()))[0, 0] == pytest.approx(
        4, abs=0.5
    )


def test_too_sure_a_model_is_cooled(tmp_path: Path) -> None:
    model = numen.train(
        table(tmp_path / "t.csv"), "boosting", name="things", epochs=80, learning_rate=0.5,
        extra_trees=False, lambda_l2=0.0, feature_fraction=1.0,
    )  # fmt: skip
    data = numen.Dataset.open("t.csv")
    made = calibrate(model, data)
    assert made.temperature > 1.2
    assert made.after.ece < made.before.ece
    assert made.after.loss < made.before.loss
    assert made.after.accuracy == made.before.accuracy
    assert "half" in made.fitted_on
    loaded = numen.load("things@2")
    assert loaded.metrics["temperature"] == pytest.approx(made.temperature)
    assert "Scores are divided by" in (loaded.bundle.path / "card.md").read_text()
    open_model("things", "2", loaded.bundle)  # the recorded samples are the new graph's
    assert loaded.evaluate(data.test).loss < model.evaluate(data.test).loss
    with pytest.raises(InvalidInput, match="nothing is gained"):
        calibrate(made.model, data)


def test_rows_kept_aside_fit_the_temperature(tmp_path: Path) -> None:
    model = numen.train(
        table(tmp_path / "t.csv"), "boosting", epochs=5, validation=0.2
    )  # fmt: skip
    data = numen.Dataset.open("t.csv")
    aside, test, words = held_aside(model, data)
    assert len(aside) == round(len(data.train) * 0.2)
    assert len(test) == len(data.test)
    assert "kept aside" in words
    other = numen.Dataset.open(table(tmp_path / "u.csv", seed=1))
    aside, test, words = held_aside(model, other)
    assert len(aside) + len(test) == len(other.test)
    assert "half" in words


def test_drift_from_what_a_model_learnt(forest: numen.Model, tmp_path: Path) -> None:
    same, *_ = drift(table(tmp_path / "u.csv", 800, seed=1), against_model="things")
    assert same.verdict == "stable"
    assert {"said: label", "said: confidence"} <= {c.column for c in same.changes}
    moved, *_ = drift(table(tmp_path / "v.csv", 800, seed=2, moved=1.0), against_model="things")
    assert moved.verdict == "drifted"
    assert {c.column for c in moved.changes if c.verdict == "drifted"} >= {"width", "height"}
    between, *_ = drift("v.csv", against="t.csv")
    assert between.verdict == "drifted"
    with pytest.raises(InvalidInput, match="something to compare with"):
        drift("v.csv")
    numen.publish(make_bundle(tmp_path / "b").path, name="linear")
    with pytest.raises(NotFound, match=r"reference\.json"):
        drift("v.csv", against_model="linear")


def test_a_broken_reference_is_named(forest: numen.Model, tmp_path: Path) -> None:
    files = {f.path: forest.bundle.path / f.path for f in forest.manifest.files}
    files["reference.json"] = b"{"
    numen.publish(Bundle.write(tmp_path / "x", forest.manifest, files).path, name="broken")
    with pytest.raises(numen.NumenError, match=r"reference\.json"):
        drift("t.csv", against_model="broken")


def test_other_data_is_seen_as_the_model_would(forest: numen.Model, tmp_path: Path) -> None:
    """The same rows, whose categories and classes come in another order."""
    lines = table(tmp_path / "t.csv").read_text().splitlines()
    swapped = [lines[0], "0,0,green,small", *lines[:0:-1]]
    (tmp_path / "other.csv").write_text("\n".join(swapped) + "\n")
    other = forest.seeing(numen.Dataset.open("other.csv"))
    batch = other.train.arrays()
    assert other.labels == forest.manifest.postprocess.labels
    made = forest.predict(batch.inputs["features"]).argmax(1)
    assert (made == batch.target).mean() > 0.75
    (tmp_path / "third.csv").write_text("\n".join([*lines, "0,0,pink,tiny"]) + "\n")
    with pytest.raises(InvalidInput, match="the data have tiny"):
        forest.seeing(numen.Dataset.open("third.csv"))


@pytest.mark.slow
def test_a_network_is_taught_shares_and_quantized(forest: numen.Model) -> None:
    made = numen.compress("things", distill="mlp", epochs=8, units=16, tolerance=0.1)
    (student,) = made.tried
    assert student.agreement > 0.75
    network = numen.train("things", "mlp", name="network", epochs=3, units=512)
    found, *_ = drift("things", against_model="network")
    assert found.verdict == "stable"
    assert "seen: direction 1" in {change.column for change in found.changes}
    small = numen.compress(network, int8=True, tolerance=0.02)
    (int8,) = small.tried
    assert int8.bytes < 0.6 * small.exact.bytes
    assert int8.agreement > 0.97
    assert small.model.version.version == 2
