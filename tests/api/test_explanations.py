"""Which models are published with an explanation, and what that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import numen
from numen.core.errors import NotFound
from numen.serve.opening import open_model
from train.kinds import KINDS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))


def graph(path: Path, outputs: int = 2, rows: int | str = "rows", inputs: int = 1) -> Path:
    """A graph of steps, which has no slope anywhere."""
    width = outputs if outputs > 1 else 1
    names = [f"x{n}" for n in range(inputs)]
    nodes = [
        helper.make_node("Floor", ["x0"], ["low"]),
        helper.make_node("Mod", ["low", "two"], ["odd"], fmod=1),
        helper.make_node("MatMul", ["odd", "w"], ["y"]),
    ]
    if inputs > 1:
        nodes[0] = helper.make_node("Add", names, ["sum"])
        nodes.insert(1, helper.make_node("Floor", ["sum"], ["low"]))
    weights = np.random.default_rng(0).normal(size=(4, width)).astype(np.float32)
    made = helper.make_graph(
        nodes,
        "steps",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, 4]) for name in names],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, width])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.full(1, 2, np.float32), "two"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(made, opset_imports=opset, ir_version=8), path)
    return path


SAMPLE = np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32) * 3


@pytest.mark.parametrize(("outputs", "labels"), [(2, ["no", "yes"]), (1, None)])
def test_a_strangers_graph_is_explained_by_its_answers(tmp_path, outputs, labels) -> None:
    path = graph(tmp_path / "steps.onnx", outputs)
    model = numen.publish(path, "steps", sample=SAMPLE, labels=labels)
    beside = model.bundle.explanation()
    assert [(v.name, v.runtime) for v in beside.manifest.variants] == [
        ("kernel-shap", "perturb"),
        ("occlusion", "perturb"),
    ]
    opened = open_model("steps.explain", "1", beside)
    said = opened.ladder.best.runtime.predict({"x0": SAMPLE, "target": np.full(20, -1)})
    total = said["attribution:x0"].sum(1) + said["expected"]
    np.testing.assert_allclose(total, said["y"].max(1), atol=1e-5)
    usual = numen.load("steps").predict(SAMPLE[:16])
    assert len(np.asarray(usual)) == 16


@pytest.mark.parametrize("changed", [{"rows": 20}, {"inputs": 2}, {"outputs": 3}])
def test_what_cannot_be_explained_is_published_without(tmp_path, changed) -> None:
    path = graph(tmp_path / "steps.onnx", **changed)
    sample = {f"x{n}": SAMPLE for n in range(changed.get("inputs", 1))}
    model = numen.publish(path, "steps", sample=sample)
    with pytest.raises(NotFound, match="nothing explains"):
        model.bundle.explanation()


@pytest.mark.parametrize(
    ("kind", "family", "in_parts"),
    [
        ("columns", "linear", True),
        ("text", "words", False),
        ("windows", "linear", True),
    ],
)
def test_the_same_model_has_the_same_explanation(tmp_path, kind, family, in_parts) -> None:
    (tmp_path / kind).mkdir()
    data = KINDS[kind](tmp_path / kind)
    made = [numen.train(data, family, name=name).bundle.explanation() for name in ("a", "b")]
    assert made[0].manifest.variants[0].name == "kernel-shap"
    # The graph itself has a name made up by its exporter.
    same = [[f for f in each.manifest.files if f.path != "perturb.onnx"] for each in made]
    assert same[0] == same[1]
    parts = ["perturb.head.onnx", "perturb.tail.onnx"] if in_parts else []
    methods = ["perturb.kernel-shap.npz", "perturb.occlusion.npz"]
    assert sorted(f.path for f in same[0]) == sorted(["golden.npz", *methods, *parts])
