"""Large graphs are prepared once, run the same, and are opened as they are where that fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from numen.core.bundle import GOLDEN, Bundle, Golden, pack_golden
from numen.core.manifest import Manifest, Variant
from numen.core.signature import Signature, TensorSpec
from numen.runtime.base import open_variant
from numen.runtime.onnx import OnnxRuntime
from numen.runtime.prepared import LARGE
from parts import linear_graph

SIZE = 2304  # as a square of float32, a little over the limit


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("large")
    w = np.random.default_rng(0).standard_normal((SIZE, SIZE)).astype(np.float32) / SIZE**0.5
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", SIZE])],
        [numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "m.onnx")
    x = np.random.default_rng(1).standard_normal((2, SIZE)).astype(np.float32)
    spec = ("float32", (None, SIZE))
    manifest = Manifest(
        Signature((TensorSpec("x", *spec),), (TensorSpec("y", *spec),)),
        (Variant("fp32", "onnx", "predict.onnx"),),
    )
    golden = pack_golden(Golden({"x": x}, {"y": np.maximum(x @ w, 0)}))
    files = {"predict.onnx": folder / "m.onnx", GOLDEN: golden}
    return Bundle.write(folder / "bundle", manifest, files)


def check(bundle: Bundle, cache: Path) -> None:
    runtime = open_variant(bundle, cache=cache)
    golden = bundle.golden()
    y = runtime.predict(golden.inputs)["y"]
    np.testing.assert_allclose(y, golden.outputs["y"], atol=1e-4)
    runtime.close()


def test_a_large_graph_is_prepared_once_and_runs_the_same(large: Bundle, tmp_path: Path) -> None:
    check(large, tmp_path)
    (graph,) = tmp_path.rglob("*.onnx")
    assert graph.parent.parent == tmp_path / large.digest.replace(":", "-") / "fp32"
    assert graph.parent.name.startswith("onnxruntime-")
    assert graph.stat().st_size < 1 << 20, "its weights lie beside it"
    made = graph.stat().st_mtime_ns
    check(large, tmp_path)
    assert graph.stat().st_mtime_ns == made
    assert not list(tmp_path.rglob(".onnxruntime*")), "nothing is left half made"


def test_its_weights_are_mapped_not_copied(large: Bundle, tmp_path: Path) -> None:
    check(large, tmp_path)
    runtime = open_variant(large, cache=tmp_path)
    weights = next(tmp_path.rglob("weights"))
    assert str(weights) in Path("/proc/self/maps").read_text()
    runtime.close()
    assert str(weights) not in Path("/proc/self/maps").read_text()


def test_a_small_graph_is_opened_as_it_is(tmp_path: Path) -> None:
    linear_graph(tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < LARGE
    runtime = OnnxRuntime()
    assert runtime.prepare(tmp_path / "m.onnx", tmp_path / "kept") == tmp_path / "m.onnx"
    assert not (tmp_path / "kept").exists()


def test_where_it_cannot_be_kept_the_graph_is_opened_as_it_is(
    large: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    check(large, tmp_path / "taken")
    assert "is opened as it is, not prepared" in caplog.text


def test_a_graph_that_cannot_be_prepared_is_opened_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"no graph" * (LARGE // 8 + 1))
    assert OnnxRuntime().prepare(path, tmp_path / "kept") == path
    assert not [each for each in (tmp_path / "kept").iterdir() if each.name != ".lock"]
