"""Support vector machines: what the kernel sees, quantities of any size, classes of few rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime
import pytest
from quiet import Quiet

import numen
from numen.core.errors import InvalidInput
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.recipe import make
from numen.train.sklearn import SklearnTrainer
from numen.train.svm import FEW


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))

    def write(head, lines, **said):
        (tmp_path / "t.csv").write_text("\n".join([head, *lines]))
        return Dataset.open(tmp_path / "t.csv", target="goal", **said)

    return write


def fit(data, folder, progress=None, **table):
    run = Run(folder, progress or Quiet())
    return SklearnTrainer().fit(data, make({"family": "svm", **table}), run)


def exported(trained, data, folder):
    """What the graph gives of the test rows, once it is what scikit-learn gives; and the target."""
    trained.export(folder / "m.onnx")
    batch = data.test.arrays()
    given = {data.spec.name: batch.inputs[data.spec.name].astype("float32")}
    (found,) = onnxruntime.InferenceSession(str(folder / "m.onnx")).run(None, given)
    (expected,) = trained.predict(given).values()
    np.testing.assert_allclose(found, expected, rtol=0, atol=trained.tolerance)
    return found, batch.target


def rings(count):
    x = np.random.default_rng(2).normal(0, 1, (count, 2))
    return [f"{a:.4f},{b:.4f},{'in' if a * a + b * b < 1.2 else 'out'}" for a, b in x]


def test_a_radial_kernel_sees_a_ring_and_a_line_does_not(written, tmp_path):
    data = written("a,b,goal", rings(300))
    right = {}
    for kernel in ("auto", "rbf", "linear"):
        trained = fit(data, tmp_path, params={"kernel": kernel})
        made, target = exported(trained, data, tmp_path)
        np.testing.assert_allclose(made.sum(1), 1, atol=1e-5)
        right[kernel] = float((made.argmax(1) == target).mean())
    assert right["auto"] == right["rbf"] > 0.9
    assert right["linear"] < 0.8


def test_many_rows_get_a_line_and_that_is_said(written, tmp_path):
    told = Quiet()
    data = written("a,b,goal", rings(FEW * 5 // 4 + 100))
    fit(data, tmp_path, told)
    assert any("linear kernel" in note for note in told.notes)
    told = Quiet()
    few = dataclasses.replace(data, splits={**data.splits, "train": data.train.take(range(FEW))})
    fit(few, tmp_path, told)
    assert not told.notes


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
def test_a_quantity_of_any_size_is_told_alike(written, tmp_path, kernel, size):
    x = np.random.default_rng(1).normal(0, 1, (200, 2))
    data = written("a,b,goal", [f"{a:.4f},{b:.4f},{size * (50 + 3 * a - b):.6g}" for a, b in x])
    trained = fit(data, tmp_path, params={"kernel": kernel, "C": 10.0})
    made, target = exported(trained, data, tmp_path)
    assert 1 - ((made[:, 0] - target) ** 2).mean() / target.var() > 0.95
    assert trained.signature.outputs[0].shape == (None, 1)


def test_categories_gaps_and_weights(written, tmp_path):
    source = np.random.default_rng(3)
    lines = []
    for i in range(240):
        kind = "xyz"[i % 3]
        a = "" if i % 11 == 0 else f"{source.normal():.3f}"
        lines.append(f"{a},{kind},{'yes' if kind == 'x' else 'no'}")
    data = written("a,kind,goal", lines)
    trained = fit(data, tmp_path, class_weight="balanced", validation=0.2)
    made, target = exported(trained, data, tmp_path)
    assert (made.argmax(1) == target).all()
    assert trained.history[0]["val_accuracy"] == 1


def test_classes_without_training_rows_and_with_one(written, tmp_path):
    lines = [f"{i % 3}.{i % 7},{'abc'[i % 3]}" for i in range(90)]
    data = written("x,goal", lines)
    (known,) = data.train.arrays().inputs.values()
    target = data.train.target
    assert len(known) == len(target)

    def of(places):
        return dataclasses.replace(data, splits={**data.splits, "train": data.train.take(places)})

    two = of(np.flatnonzero(target != 2))
    made, _ = exported(fit(two, tmp_path), two, tmp_path)
    assert (made[:, 2] == 0).all()
    lone = of(np.concatenate([np.flatnonzero(target != 2), np.flatnonzero(target == 2)[:1]]))
    with pytest.raises(InvalidInput, match="each of two training rows"):
        fit(lone, tmp_path)
    with pytest.raises(InvalidInput, match="each of two training rows"):
        fit(of(np.flatnonzero(target == 0)), tmp_path)


@pytest.mark.parametrize(
    ("params", "said"),
    [({"kernel": "poly"}, "kernel"), ({"C": 0}, "C"), ({"gamma": -1}, "gamma"), ({"c": 1}, "knows kernel")],
)  # fmt: skip
def test_what_it_has_not_is_refused(written, tmp_path, params, said):
    with pytest.raises(InvalidInput, match=said):
        fit(written("a,b,goal", rings(40)), tmp_path, params=params)


def test_it_is_tuned_and_published(written, tmp_path):
    found = numen.tune(written("a,b,goal", rings(300)), "svm", name="rings", trials=3, seed=1)
    assert set(found.best.values) == {"C"}
    assert found.model.version.name == "rings"
    assert found.model.metrics["accuracy"] > 0.85
