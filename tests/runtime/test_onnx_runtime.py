"""The ONNX runtime: runs graphs, says what they take, and refuses what it cannot run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

from numen.core.bundle import Bundle
from numen.core.errors import CorruptBundle, Internal, InvalidInput, NotFound
from numen.core.manifest import Manifest, Variant
from numen.core.signature import DATATYPES, Signature, TensorSpec
from numen.runtime.base import open_variant
from numen.runtime.onnx import OnnxRuntime
from parts import linear_graph

F, I = TensorProto.FLOAT, TensorProto.INT64  # noqa: E741


def model(nodes: list, inputs: list, outputs: list, constants: list | None = None) -> ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def value(name: str, kind: int, shape: list[int | str]) -> object:
    return helper.make_tensor_value_info(name, kind, shape)


def opened(path: Path, proto: ModelProto) -> OnnxRuntime:
    save(proto, path)
    runtime = OnnxRuntime()
    runtime.open(path)
    return runtime


@pytest.mark.parametrize("threads", [1, 2])
def test_it_gives_what_the_graph_says(tmp_path: Path, threads: int) -> None:
    reference = linear_graph(tmp_path / "m.onnx")
    runtime = OnnxRuntime()
    runtime.open(tmp_path / "m.onnx", threads=threads)
    assert runtime.signature == Signature(
        (TensorSpec("image", "float32", (None, 28, 28)),),
        (TensorSpec("probabilities", "float32", (None, 10)),),
    )
    for rows in (1, 3, 64):
        x = np.random.default_rng(rows).random((rows, 28, 28), np.float32)
        (y,) = runtime.predict({"image": x}).values()
        np.testing.assert_allclose(y, reference(x), atol=1e-6)
    runtime.close()
    with pytest.raises(Internal):
        runtime.predict({"image": x})


@pytest.mark.parametrize("dtype", sorted(set(DATATYPES.values())))
def test_every_type_passes_through(tmp_path: Path, dtype: str) -> None:
    kind = TensorProto.STRING if dtype == "string" else helper.np_dtype_to_tensor_dtype(
        np.dtype(dtype)
    )  # fmt: skip
    runtime = opened(
        tmp_path / "m.onnx",
        model([helper.make_node("Identity", ["x"], ["y"])], [value("x", kind, ["n", 2])],
              [value("y", kind, ["n", 2])]),
    )  # fmt: skip
    assert runtime.signature.inputs == (TensorSpec("x", dtype, (None, 2)),)
    x = np.array([["a", "é"]], object) if dtype == "string" else np.ones((1, 2), dtype)
    y = runtime.predict({"x": x})["y"]
    assert y.dtype == x.dtype
    assert y.tolist() == x.tolist()


@pytest.mark.parametrize("data", [b"", b"graph", b"\x08\x08" + b"\xff" * 100])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(CorruptBundle, match=r"m\.onnx: onnxruntime cannot load it"):
        OnnxRuntime().open(path)


def test_a_graph_cut_short_or_absent_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    linear_graph(path)
    path.write_bytes(path.read_bytes()[:1000])
    for place in (path, tmp_path / "none.onnx"):
        with pytest.raises(CorruptBundle, match="cannot load it"):
            OnnxRuntime().open(place)


def test_an_operator_nobody_knows_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Teleport", ["x"], ["y"], domain="evil")
    with pytest.raises(CorruptBundle, match="cannot load it"):
        opened(tmp_path / "m.onnx", model([node], [value("x", F, [1])], [value("y", F, [1])]))


def test_an_output_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("SequenceConstruct", ["x"], ["y"])
    out = helper.make_tensor_sequence_value_info("y", F, [1])
    with pytest.raises(CorruptBundle, match=r'"y": seq\(tensor\(float\)\) is not a type numen'):
        opened(tmp_path / "m.onnx", model([node], [value("x", F, [1])], [out]))


def test_weights_outside_the_bundle_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones(4, np.float32).tobytes())
    (tmp_path / "in").mkdir()
    weights = numpy_helper.from_array(np.zeros(4, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../secret.bin"
    proto = model(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        [value("x", F, ["n", 4])], [value("y", F, ["n", 4])], [weights],
    )  # fmt: skip
    path = tmp_path / "in" / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(CorruptBundle, match="cannot load it"):
        OnnxRuntime().open(path)


def lookup(path: Path) -> OnnxRuntime:
    table = numpy_helper.from_array(np.arange(3, dtype=np.float32), "table")
    nodes = [helper.make_node("Gather", ["table", "x"], ["y"])]
    return opened(path, model(nodes, [value("x", I, ["n"])], [value("y", F, ["n"])], [table]))


def test_values_that_the_graph_cannot_take_are_the_callers_fault(tmp_path: Path) -> None:
    runtime = lookup(tmp_path / "m.onnx")
    assert runtime.predict({"x": np.array([2, 0])})["y"].tolist() == [2, 0]
    with pytest.raises(InvalidInput, match="the model refused the input"):
        runtime.predict({"x": np.array([3])})
    with pytest.raises(InvalidInput):
        runtime.predict({"x": np.array([1.5], np.float32)})


def test_a_run_that_fails_is_the_models_fault(tmp_path: Path) -> None:
    shape = numpy_helper.from_array(np.array([-1, 7], np.int64), "shape")
    runtime = opened(
        tmp_path / "m.onnx",
        model([helper.make_node("Reshape", ["x", "shape"], ["y"])], [value("x", F, ["n", 2])],
              [value("y", F, ["m", 7])], [shape]),
    )  # fmt: skip
    assert runtime.predict({"x": np.zeros((7, 2), np.float32)})["y"].shape == (2, 7)
    with pytest.raises(Internal, match="the model failed"):
        runtime.predict({"x": np.zeros((3, 2), np.float32)})


def test_a_variant_is_opened_by_name(tmp_path: Path) -> None:
    linear_graph(tmp_path / "a.onnx", 0)
    linear_graph(tmp_path / "b.onnx", 1)
    variants = (Variant("fp32", "onnx", "a.onnx"), Variant("int8", "onnx", "b.onnx"))
    bundle = Bundle.write(
        tmp_path / "bundle",
        Manifest(Signature((), ()), variants),
        {"a.onnx": tmp_path / "a.onnx", "b.onnx": tmp_path / "b.onnx"},
    )
    x = {"image": np.ones((1, 28, 28), np.float32)}

    def answer(variant: str | None) -> list[float]:
        return open_variant(bundle, variant).predict(x)["probabilities"].tolist()

    assert answer(None) == answer("fp32")
    assert answer("int8") != answer("fp32")
    with pytest.raises(NotFound, match='no variant "int4"; it has fp32, int8'):
        open_variant(bundle, "int4")
