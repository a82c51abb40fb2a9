"""Families on tables as they are: accuracy, windows, weights, rows read a part at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from sklearn import datasets

import numen
from numen.core.errors import InvalidInput
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.find import trainer_for
from numen.train.recipe import make
from numen.train.weights import class_weights


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))


class Told:
    """Listens, and says nothing."""

    def __init__(self) -> None:
        self.rounds = 0

    def begin(self, epochs, steps):
        self.epochs = epochs

    def step(self, metrics):
        self.rounds += 1

    def epoch(self, number, metrics):
        pass

    def note(self, message):
        pass


def fit(data, folder, family, told=None, **more):
    recipe = make({"family": family, "seed": 3, **more})
    return trainer_for(recipe).fit(data, recipe, Run(folder, told or Told()))


def test_breast_cancer_from_a_csv(tmp_path):
    found = datasets.load_breast_cancer(as_frame=True)
    frame = found.frame.assign(target=[str(found.target_names[c]) for c in found.target])
    frame.to_csv(tmp_path / "cancer.csv", index=False)
    model = numen.train(tmp_path / "cancer.csv", "boosting")
    assert model.metrics["accuracy"] >= 0.96


@pytest.fixture
def noisy(tmp_path):
    """A rare class, a category, holes, a date."""
    random = np.random.default_rng(2)
    lines = ["a,city,day,goal"]
    for n in range(500):
        a, city = random.normal(), random.integers(0, 3)
        goal = "rare" if a + (city == 1) + random.normal() > 2 else "usual"
        cells = [f"{a:.3f}", ["Bonn", "Rom", ""][city], f"2024-{n % 12 + 1:02}-11", goal]
        lines.append(",".join(cells if n % 9 else ["", *cells[1:]]))
    (tmp_path / "noisy.csv").write_text("\n".join(lines))
    return Dataset.open(tmp_path / "noisy.csv")


@pytest.mark.parametrize("family", ["boosting", "forest", "linear"])
def test_class_weights_make_a_rare_class_likelier(noisy, family, tmp_path):
    x = {"features": noisy.test.arrays().inputs["features"]}
    plain = fit(noisy, tmp_path / "a", family).predict(x)["probabilities"]
    for said in ("balanced", {"rare": 20.0}):
        weighed = fit(noisy, tmp_path / "b", family, class_weight=said)
        assert weighed.predict(x)["probabilities"][:, 0].mean() > plain[:, 0].mean() + 0.02
    with pytest.raises(InvalidInput, match=r"class_weight: expected a weight .* received odd"):
        fit(noisy, tmp_path / "c", family, class_weight={"odd": 2})


def test_balanced_weights_are_as_scikit_learn_has_them():
    recipe = make({"class_weight": "balanced"})
    found = class_weights(recipe, ("a", "b", "never"), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(found, [4 / 6, 4 / 2, 1])
    with pytest.raises(InvalidInput, match="the target is a quantity"):
        class_weights(recipe, None, np.zeros(3))


def test_patience_keeps_rows_aside(noisy, tmp_path):
    told = Told()
    trained = fit(noisy, tmp_path, "boosting", told, patience=3, epochs=500)
    assert trained.stopped == "early"
    assert told.rounds < 500
    assert "val_loss" in trained.history[0]


def test_a_category_never_seen_counts_as_missing(noisy, tmp_path):
    for family in ("boosting", "forest", "linear", "mlp"):
        more = {"epochs": 1} if family == "mlp" else {}
        trained = fit(noisy, tmp_path / family, family, **more)
        trained.export(tmp_path / "m.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
        row = np.full((1, *noisy.spec.row), np.nan, np.float32)
        (made,) = session.run(None, {"features": row})
        assert made.sum() == pytest.approx(1, abs=1e-5)


@pytest.fixture
def games(tmp_path):
    """Players of two kinds: who dies twice in a row gives up."""
    random = np.random.default_rng(4)
    with (tmp_path / "games.jsonl").open("w") as file:
        for player in range(150):
            kinds = [
                ["jump", "kill", "die"][k] for k in random.integers(0, 3, random.integers(3, 9))
            ]
            quits = kinds[-2:] == ["die", "die"] or kinds[-1] == "jump"
            for turn, kind in enumerate(kinds):
                row = {"player": player, "turn": turn, "kind": kind, "at": {"x": turn / 3}}
                if turn == len(kinds) - 1:
                    row["quits"] = quits
                file.write(json.dumps(row) + "\n")
    return Dataset.open(
        tmp_path / "games.jsonl", target="quits", group="player", order="turn", window=4
    )


@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("sequence", {"epochs": 25}),
        ("boosting", {"params": {"min_data_in_leaf": 5}}),
        ("linear", {}),
    ],
)
def test_windows_are_learnt(games, family, more, tmp_path):
    trained = fit(games, tmp_path, family, **more)
    batch = games.test.arrays()
    made = trained.predict(batch.inputs)["probabilities"]
    assert (made.argmax(1) == batch.target).mean() > 0.8
    trained.export(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    (received,) = session.run(None, batch.inputs)
    np.testing.assert_allclose(received, made, atol=1e-4)


def test_sequences_are_windows(noisy, tmp_path):
    with pytest.raises(InvalidInput, match=r'family "sequence": expected windows'):
        fit(noisy, tmp_path, "sequence")


def test_a_window_of_objects_is_one_input(games, tmp_path):
    model = numen.train(games, "boosting", epochs=5)
    events = [{"kind": "die", "at": {"x": 1}, "player": 7}, {"kind": "dance"}]
    (one,) = model.classify(events)
    assert one["label"] in ("false", "true")
    assert len(model.classify([events, events[:1]])) == 2
    with pytest.raises(InvalidInput, match="at least one object"):
        model.classify([events, []])
