"""The perturb runtime: batches, memory, gaps and targets, of a graph of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from numen.core.errors import CorruptBundle, InvalidInput
from numen.explain.perturb import Plan
from numen.runtime import perturb
from numen.runtime.perturb import PerturbRuntime

WEIGHTS = np.array([[1.0, -1], [2, 0], [0, 3]], np.float32)


def graph(path: Path) -> None:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size])
        for name, size in (("x", 3), ("y", 2))
    ]
    nodes = [
        helper.make_node("IsNaN", ["x"], ["gap"]),
        helper.make_node("Where", ["gap", "nothing", "x"], ["there"]),
        helper.make_node("MatMul", ["there", "w"], ["y"]),
    ]
    held = [
        numpy_helper.from_array(WEIGHTS, "w"),
        numpy_helper.from_array(np.zeros(1, np.float32), "nothing"),
    ]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(made, opset_imports=opset, ir_version=8), path)


@pytest.fixture
def opened(tmp_path):
    graph(tmp_path / "perturb.onnx")

    def opened(method: str, evaluations: int, background) -> PerturbRuntime:
        plan = Plan(method, evaluations, np.array([0, 1, 1]), np.array(background, np.float32))
        path = tmp_path / f"perturb.{method}.npz"
        path.write_bytes(plan.pack())
        runtime = PerturbRuntime()
        runtime.open(path)
        return runtime

    return opened


def test_it_gives_what_each_column_adds_to_the_label_asked_about(opened) -> None:
    background = [[0, 0, 0], [2, 2, 2]]
    x = np.array([[3.0, 4, 5], [3, 4, np.nan], [0, 0, 0]], np.float32)
    there = np.nan_to_num(x)
    for method in ("kernel-shap", "permutation", "occlusion"):
        runtime = opened(method, 4, background)
        for asked in ([0, 0, 0], [1, 1, 1], [-1, -1, -1]):
            said = runtime.predict({"x": x, "target": np.array(asked)})
            place = np.where(np.array(asked) < 0, said["y"].argmax(1), asked)
            worth = (there - 1) * WEIGHTS[:, place].T
            worth[:, 1:] = worth[:, 1:].mean(1, keepdims=True)  # the two go together
            np.testing.assert_allclose(said["attribution:x"], worth, atol=1e-5)
            np.testing.assert_allclose(said["expected"], WEIGHTS[:, place].sum(0), atol=1e-5)
            assert (said["uncertainty:x"] < 1e-5).all()
        assert set(said) == {spec.name for spec in runtime.signature.outputs}


def test_rows_have_the_same_explanation_alone_and_in_parts(opened, monkeypatch) -> None:
    runtime = opened("kernel-shap", 4, [[0, 0, 0], [1, 2, 2]])
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    target = np.arange(9) % 2
    together = runtime.predict({"x": x, "target": target})
    runs = []
    run = runtime._graph.predict
    monkeypatch.setattr(runtime._graph, "predict", lambda given: runs.append(given) or run(given))
    for most in (1, 7, 25, 1000):
        monkeypatch.setattr(perturb, "NUMBERS", most)
        parts = runtime.predict({"x": x, "target": target})
        for name, array in together.items():
            np.testing.assert_allclose(parts[name], array, atol=1e-6)
        assert max(each["x"].size for each in runs[1:]) <= max(most, 6)  # a set is not parted
        runs.clear()
    for n in range(9):
        alone = runtime.predict({"x": x[n : n + 1], "target": target[n : n + 1]})
        np.testing.assert_allclose(
            alone["attribution:x"][0], together["attribution:x"][n], atol=1e-6
        )


def test_a_label_that_is_not_there_is_refused(opened) -> None:
    runtime = opened("occlusion", 0, [[0, 0, 0]])
    with pytest.raises(InvalidInput, match="one of 2 labels"):
        runtime.predict({"x": np.zeros((1, 3), np.float32), "target": np.array([2])})


def test_a_plan_without_its_graph_is_refused(opened, tmp_path) -> None:
    opened("occlusion", 0, [[0, 0, 0]])
    (tmp_path / "perturb.onnx").unlink()
    with pytest.raises(CorruptBundle):
        PerturbRuntime().open(tmp_path / "perturb.occlusion.npz")
