"""Graphs made lesser: what comes out is what it must be, not only something."""

from __future__ import annotations

from pathlib import Path

import lightgbm
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from numen.core.errors import InvalidInput
from numen.core.manifest import ImageInput
from numen.core.signature import TensorSpec
from numen.runtime.onnx import OnnxRuntime
from numen.train import compress
from numen.train.embedding import EMBEDDING, with_embedding
from numen.train.sklearn import SklearnExporter
from numen.train.trees import LightGBMExporter
from parts import linear_graph

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def run(path: Path, **inputs: np.ndarray) -> np.ndarray:
    runtime = OnnxRuntime()
    runtime.open(path)
    (made,) = runtime.predict(inputs).values()
    return made


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 4)).astype(np.float32)
    return x, np.digitize(x[:, 0] + x[:, 1], (-0.5, 0.5))


@pytest.mark.parametrize("classes", [2, 3])
def test_boosted_trees_are_cut_after_a_round(tmp_path: Path, rows, classes: int) -> None:
    x, y = rows
    own = lightgbm.LGBMClassifier(n_estimators=12, verbose=-1, num_leaves=6)
    own.fit(x, np.minimum(y, classes - 1))
    LightGBMExporter().wrap(own, x[:8]).export(tmp_path / "m.onnx")
    assert compress.rounds(tmp_path / "m.onnx") == 12
    compress.keep_rounds(tmp_path / "m.onnx", tmp_path / "cut.onnx", 5, mean=False)
    assert compress.rounds(tmp_path / "cut.onnx") == 5
    expected = own.predict_proba(x, num_iteration=5)
    np.testing.assert_allclose(run(tmp_path / "cut.onnx", input=x), expected, atol=1e-5)
    assert (tmp_path / "cut.onnx").stat().st_size < (tmp_path / "m.onnx").stat().st_size


def test_the_rest_of_a_forest_counts_for_more(tmp_path: Path, rows) -> None:
    x, y = rows
    forest = RandomForestClassifier(10, max_depth=4, random_state=0).fit(x, y)
    SklearnExporter().wrap(forest, x[:8]).export(tmp_path / "m.onnx")
    compress.keep_rounds(tmp_path / "m.onnx", tmp_path / "cut.onnx", 4, mean=True)
    expected = np.mean([tree.predict_proba(x) for tree in forest.estimators_[:4]], axis=0)
    np.testing.assert_allclose(run(tmp_path / "cut.onnx", input=x), expected, atol=1e-5)
    many = RandomForestRegressor(8, max_depth=4, random_state=0).fit(x, x[:, 0])
    SklearnExporter().wrap(many, x[:8]).export(tmp_path / "r.onnx")
    compress.keep_rounds(tmp_path / "r.onnx", tmp_path / "cut.onnx", 2, mean=True)
    expected = np.mean([tree.predict(x) for tree in many.estimators_[:2]], axis=0)
    np.testing.assert_allclose(run(tmp_path / "cut.onnx", input=x)[:, 0], expected, atol=1e-5)


def convolution(path: Path) -> None:
    """relu(conv(image)) flattened through a matrix."""
    random = np.random.default_rng(0)
    weights = {
        "w": random.normal(size=(8, 1, 3, 3)).astype(np.float32),
        "m": random.normal(0, 0.1, (8 * 36, 4)).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "w"], ["c"]),
            helper.make_node("Relu", ["c"], ["r"]),
            helper.make_node("Flatten", ["r"], ["f"]),
            helper.make_node("MatMul", ["f", "m"], ["y"]),
        ],
        "conv",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


def kinds(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node}


def test_static_int8_is_close_and_dynamic_leaves_convolutions(tmp_path: Path) -> None:
    graph = tmp_path / "m.onnx"
    convolution(graph)
    random = np.random.default_rng(1)
    rows = [{"image": random.random((16, 1, 8, 8), np.float32)} for _ in range(4)]
    compress.quantize_static(graph, tmp_path / "static.onnx", rows)
    assert "QuantizeLinear" in kinds(tmp_path / "static.onnx")
    x = random.random((64, 1, 8, 8), np.float32)
    exact, received = run(graph, image=x), run(tmp_path / "static.onnx", image=x)
    assert 0 < np.abs(received - exact).max() < 0.1 * np.abs(exact).max()
    compress.quantize_dynamic(graph, tmp_path / "dynamic.onnx")
    made = kinds(tmp_path / "dynamic.onnx")
    assert "Conv" in made
    assert "MatMulInteger" in made
    assert "ConvInteger" not in made


def test_what_has_no_such_layer_is_refused(tmp_path: Path, rows) -> None:
    x, y = rows
    forest = RandomForestClassifier(3, max_depth=2).fit(x, y)
    SklearnExporter().wrap(forest, x[:8]).export(tmp_path / "m.onnx")
    for quantize in (compress.quantize_dynamic, lambda a, b: compress.quantize_static(a, b, [])):
        with pytest.raises(InvalidInput, match="found none"):
            quantize(tmp_path / "m.onnx", tmp_path / "x.onnx")
    linear_graph(tmp_path / "linear.onnx")
    assert compress.rounds(tmp_path / "linear.onnx") == 0


@pytest.mark.parametrize("layout", ["hw", "hwc", "chw"])
def test_a_student_gets_its_teachers_ends(tmp_path: Path, layout: str) -> None:
    reference = linear_graph(tmp_path / "student.onnx")
    shape = {"hw": (28, 28), "hwc": (28, 28, 1), "chw": (1, 28, 28)}[layout]
    ends = (TensorSpec("x", "float32", (None, *shape)), TensorSpec("logits", "float32", (None, 10)))
    pictures = (
        ImageInput("image", 28, 28),
        ImageInput("x", 28, 28, layout=layout, scale=2 / 255, offset=-1.0),
    )
    compress.conform(
        tmp_path / "student.onnx", tmp_path / "made.onnx", ends, ("none", "softmax"), pictures
    )
    pixels = np.random.default_rng(0).integers(0, 256, (6, 28, 28)).astype(np.float32)
    given = (pixels * (2 / 255) - 1).reshape(6, *shape).astype(np.float32)
    made = run(tmp_path / "made.onnx", x=given)
    np.testing.assert_allclose(made, np.log(np.maximum(reference(pixels), 1e-7)), atol=1e-3)
    with pytest.raises(InvalidInput, match="sigmoid"):
        compress.conform(
            tmp_path / "student.onnx", tmp_path / "x.onnx", ends, ("none", "sigmoid"), pictures
        )


def test_a_graph_gives_what_it_decides_by(tmp_path: Path) -> None:
    convolution(tmp_path / "m.onnx")
    assert with_embedding(tmp_path / "m.onnx", tmp_path / "e.onnx")
    runtime = OnnxRuntime()
    runtime.open(tmp_path / "e.onnx")
    x = np.random.default_rng(0).random((3, 1, 8, 8), np.float32)
    made = runtime.predict({"image": x})
    assert made[EMBEDDING].shape == (3, 288)
    assert (made[EMBEDDING] >= 0).all()
    np.testing.assert_allclose(made["y"], run(tmp_path / "m.onnx", image=x), atol=1e-6)
