"""Graphs parted behind their first layer explain as whole ones do, and others are left whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from numen.core.errors import CorruptBundle
from numen.explain.perturb import Plan
from numen.explain.perturb.head import parted
from numen.explain.perturb.players import groups_of
from numen.runtime import parted as running
from numen.runtime import perturb
from numen.runtime.perturb import PerturbRuntime

RANDOM = np.random.default_rng(0)
ML = "ai.onnx.ml"


def weights(*shape: int) -> np.ndarray:
    return (RANDOM.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)


def node(kind: str, inputs: str, outputs: str, **attributes) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def graph(nodes, held, row=(6,), out=(3,)) -> onnx.ModelProto:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", *shape])
        for name, shape in (("x", row), ("y", out))
    ]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in held.items()]
    opset = [helper.make_opsetid("", 17), helper.make_opsetid(ML, 3)]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(made, opset_imports=opset, ir_version=8)


REST = [node("Relu", "h", "a"), node("Gemm", "a w2 b2", "z"), node("Softmax", "z", "y")]
HELD = {"w": weights(6, 9), "b": weights(9), "w2": weights(9, 3), "b2": weights(3)}
FIRST = np.arange(2)
CHOSEN = np.array([1, 0, 5, 3])
LINEAR = {
    "coefficients": weights(18).tolist(),
    "intercepts": [0.5, 0.1, -1.0],
}
GRAPHS = {
    "gemm": graph([node("Gemm", "x w b", "h"), *REST], HELD),
    "turned": graph(
        [node("Gemm", "x w b", "h", transB=1, alpha=2.0), *REST], HELD | {"w": weights(9, 6)}
    ),
    "flat": graph(
        [node("Flatten", "x", "f"), node("Gemm", "f w b", "h"), *REST], HELD, row=(1, 2, 3)
    ),
    "scaled": graph(
        [
            node("Sub", "x mean", "c"),
            node("Mul", "c scale", "s"),
            node("MatMul", "s w", "m"),
            node("Add", "b m", "h"),
            *REST,
        ],
        HELD | {"mean": weights(6), "scale": weights(1)},
    ),
    # As Keras writes a table's columns: categories told apart, gaps filled, large numbers cut.
    "columns": graph(
        [
            node("Gather", "x chosen", "n", axis=1),
            node("Div", "n scale", "s"),
            node("IsNaN", "s", "gap"),
            node("Where", "gap nothing s", "t"),
            node("Clip", "t low high", "u"),
            node("Gather", "x first", "c", axis=1),
            node("Equal", "c kinds", "e"),
            node("Cast", "e", "k", to=TensorProto.FLOAT),
            node("Concat", "u k", "all", axis=1),
            node("Gemm", "all w b", "h"),
            *REST,
        ],
        HELD
        | {
            "chosen": CHOSEN, "scale": weights(4) + 2, "nothing": np.zeros(1, np.float32),
            "low": np.float32(-1), "high": np.float32(1), "first": FIRST,
            "kinds": np.ones((1, 2), np.float32),
        },
    ),
    "steps": graph(
        [
            node("MatMul", "x w", "h"),
            node("Tanh", "h", "a"),
            node("Flatten", "a", "f"),
            node("MatMul", "f w2", "y"),
        ],
        {"w": weights(2, 4), "w2": weights(12, 3)},
        row=(3, 2),
    ),
    "nothing behind": graph([node("MatMul", "x w", "y")], {"w": weights(6, 3)}),
    "linear classifier": graph(
        [
            node("Imputer", "x", "i", domain=ML, imputed_value_floats=[0.5], replaced_value_float=np.nan),
            node("Scaler", "i", "s", domain=ML, offset=[0.5] * 6, scale=[2.0] * 6),
            node(
                "LinearClassifier", "s", "label y", domain=ML, post_transform="SOFTMAX",
                classlabels_ints=[0, 1, 2], **LINEAR,
            ),
        ],
        {},
    ),
    "linear regressor": graph(
        [node("LinearRegressor", "x", "y", domain=ML, targets=3, **LINEAR)], {}
    ),
}  # fmt: skip

OTHERS = {
    "two numbers together": [
        node("Gather", "x turned", "t", axis=1), node("Mul", "x t", "p"),
        node("Gemm", "p w b", "h"), *REST,
    ],
    "all numbers together": [
        node("ReduceSum", "x", "t"), node("Div", "x t", "p"), node("Gemm", "p w b", "h"), *REST,
    ],
    "a way around": [
        node("Gemm", "x w b", "h"), node("Relu", "h", "a"), node("Gemm", "a w2 b2", "z"),
        node("Slice", "x zero three one", "o"), node("Add", "z o", "y"),
    ],
    "rows in another order": [
        node("Slice", "x last least zero back", "r"), node("Gemm", "r w b", "h"), *REST,
    ],
    "weights that change": [
        node("Transpose", "x", "t"), node("MatMul", "x t", "p"), node("MatMul", "p x", "q"),
        node("Gemm", "q w b", "h"), *REST,
    ],
    "no layer": [node("Slice", "x zero three one", "o"), node("Softmax", "o", "y")],
    "a layer of little weight": [
        node("Gemm", "x w b", "h"), node("Gemm", "h large", "g"), *REST[:1],
        node("Gemm", "g turn", "p"), node("Relu", "p", "y"),
    ],
}  # fmt: skip
MORE = {
    "turned": np.arange(6)[::-1].copy(), "zero": np.array([0]), "three": np.array([3]),
    "one": np.array([1]), "last": np.array([-1]), "least": np.array([-99]),
    "back": np.array([-1]), "large": weights(9, 99), "turn": weights(99, 3),
}  # fmt: skip


def rows(model: onnx.ModelProto, count: int) -> np.ndarray:
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    made = RANDOM.normal(size=(count, *shape)).astype(np.float32)
    return np.where(RANDOM.random(made.shape) < 0.3, np.float32(1), made)


def opened(folder: Path, model: onnx.ModelProto, background, evaluations: int) -> PerturbRuntime:
    onnx.save(model, folder / "perturb.onnx")
    plan = Plan("kernel-shap", evaluations, groups_of(background.shape[1:], None), background)
    path = folder / "perturb.kernel-shap.npz"
    path.write_bytes(plan.pack())
    runtime = PerturbRuntime()
    runtime.open(path)
    return runtime


@pytest.fixture
def both(tmp_path):
    def both(model, background, evaluations=60) -> list[PerturbRuntime]:
        two = parted(model, rows(model, 4))
        assert two is not None
        whole = opened(tmp_path, model, background, evaluations)
        for part, made in zip(("head", "tail"), two, strict=True):
            onnx.checker.check_model(made)
            (tmp_path / f"perturb.{part}.onnx").write_bytes(made)
        return [opened(tmp_path, model, background, evaluations), whole]

    return both


def same(one: dict, other: dict) -> None:
    assert set(one) == set(other)
    for name, array in other.items():
        np.testing.assert_allclose(one[name], array, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("copies", [1, 5])
def test_in_parts_is_the_same_as_whole(both, name, copies) -> None:
    model = GRAPHS[name]
    in_parts, whole = both(model, rows(model, copies))
    assert in_parts._parted is not None
    assert whole._parted is None
    given = {"x": rows(model, 3), "target": np.array([-1, 0, 2])}
    same(in_parts.predict(given), whole.predict(given))


def test_no_input_is_masked_but_to_ask_each_player_alone(both, monkeypatch) -> None:
    model = GRAPHS["columns"]
    in_parts, _ = both(model, rows(model, 2))
    asked = []
    run = in_parts._graph.predict
    monkeypatch.setattr(in_parts._graph, "predict", lambda given: asked.append(given) or run(given))
    in_parts.predict({"x": rows(model, 3), "target": np.full(3, -1)})
    assert [len(each["x"]) for each in asked] == [3]


@pytest.mark.parametrize("name", ["gemm", "columns", "linear classifier"])
@pytest.mark.parametrize("where", ["row", "background", "both"])
@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_gaps_are_as_they_are_whole(both, name, where, gap) -> None:
    model = GRAPHS[name]
    x, background = rows(model, 3), rows(model, 2)
    if where != "background":
        x[1, 2] = gap
    if where != "row":
        background[0, 3] = gap
    in_parts, whole = both(model, background)
    given = {"x": x, "target": np.array([0, 1, 2])}
    with np.errstate(all="ignore"):
        same(in_parts.predict(given), whole.predict(given))


def test_it_is_the_same_in_runs_of_any_size(both, monkeypatch) -> None:
    model = GRAPHS["flat"]
    in_parts, whole = both(model, rows(model, 3))
    given = {"x": rows(model, 4), "target": np.full(4, 1)}
    wanted = whole.predict(given)
    for most in (1, 70, 1000):
        monkeypatch.setattr(running, "NUMBERS", most)
        monkeypatch.setattr(perturb, "NUMBERS", most)
        same(in_parts.predict(given), wanted)


@pytest.mark.parametrize("name", OTHERS)
def test_graphs_that_do_not_begin_so_stay_whole(name) -> None:
    model = graph(OTHERS[name], HELD | MORE)
    assert parted(model, rows(model, 4)) is None


def test_a_plan_that_asks_little_needs_no_parts(both) -> None:
    model = GRAPHS["gemm"]
    in_parts, _ = both(model, rows(model, 1), evaluations=12)
    assert in_parts._parted is None


def test_half_of_a_graph_is_refused(both, tmp_path) -> None:
    model = GRAPHS["gemm"]
    both(model, rows(model, 1))
    tail = tmp_path / "perturb.tail.onnx"
    onnx.save(model, tail)
    with pytest.raises(CorruptBundle, match="what is added"):
        PerturbRuntime().open(tmp_path / "perturb.kernel-shap.npz")
    tail.unlink()
    with pytest.raises(CorruptBundle):
        PerturbRuntime().open(tmp_path / "perturb.kernel-shap.npz")
