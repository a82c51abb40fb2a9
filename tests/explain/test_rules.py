"""Every rule against central differences, over shapes and attributes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from onnx import helper
from slopes import check, model_of

from numen.explain.graph.rules import RULES

few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
seeds = st.integers(0, 2**31)
sizes = st.integers(1, 4)
TESTED: set[str] = set()


def node(kind, *inputs, outputs=("y",), **attributes):
    TESTED.add(kind)
    return helper.make_node(kind, list(inputs), list(outputs), **attributes)


def apart(seed, shape, low=-2.0, high=2.0):
    """Numbers none of which are alike, nor near a place where a function bends."""
    random = np.random.default_rng(seed)
    count = int(np.prod(shape))
    steps = (random.permutation(count) + 0.5) / count * (high - low) + low
    return (steps + random.uniform(-0.1, 0.1, count) * (high - low) / count).reshape(shape)


SHAPED = {
    "Abs": {}, "Cos": {}, "Elu": {"alpha": 0.7}, "Erf": {}, "Exp": {}, "HardSigmoid": {"alpha": 0.3},
    "LeakyRelu": {"alpha": 0.2}, "Neg": {}, "Relu": {}, "Selu": {}, "Sigmoid": {}, "Sin": {},
    "Softplus": {}, "Softsign": {}, "Tanh": {}, "Identity": {}, "Dropout": {}, "HardSwish": {},
    "Mish": {}, "ThresholdedRelu": {"alpha": 0.5}, "Celu": {"alpha": 1.3},
}  # fmt: skip
POSITIVE = {"Log": {}, "Reciprocal": {}, "Sqrt": {}}


@pytest.mark.parametrize("kind", SHAPED)
@settings(few, max_examples=4)
@given(sizes, sizes, seeds)
def test_of_one_number(kind, rows, columns, seed):
    x = apart(seed, (rows, columns))
    assume(np.abs(x).min() > 1e-3)
    check(model_of([node(kind, "x", **SHAPED[kind])], {"x": x.shape}, {}), {"x": x})


@pytest.mark.parametrize("kind", POSITIVE)
@settings(few, max_examples=4)
@given(sizes, sizes, seeds)
def test_of_one_positive_number(kind, rows, columns, seed):
    x = apart(seed, (rows, columns), 0.5, 3)
    check(model_of([node(kind, "x")], {"x": x.shape}, {}), {"x": x})


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate):
    x = apart(1, (3, 4))
    graph = model_of([node("Gelu", "x", approximate=approximate)], {"x": x.shape}, {}, opset=20)
    check(graph, {"x": x})


def test_prelu_and_clip():
    x = apart(1, (3, 4))
    slope = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    check(model_of([node("PRelu", "x", "s")], {"x": x.shape}, {"s": slope}), {"x": x})
    bounds = {"low": np.float32(-0.8), "high": np.float32(1.1)}
    check(model_of([node("Clip", "x", "low", "high")], {"x": x.shape}, bounds), {"x": x})
    check(model_of([node("Clip", "x", "", "high")], {"x": x.shape}, bounds), {"x": x})


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"])
@settings(few, max_examples=6)
@given(st.sampled_from([(3, 2), (3, 1), (1, 2), (2,), (1,)]), seeds)
def test_of_two_with_one_repeated(kind, shape, seed):
    a, b = apart(seed, (3, 2), 0.5, 3), apart(seed + 1, shape, 0.6, 2.9)
    graph = model_of([node(kind, "a", "b")], {"a": a.shape, "b": shape}, {}, rows=False)
    check(graph, {"a": a, "b": b})


def test_where_takes_one_side():
    a, b = apart(1, (3, 2)), apart(2, (1, 2))
    mask = np.array([[True, False], [False, False], [True, True]])
    graph = model_of(
        [node("Where", "m", "a", "b")], {"a": a.shape, "b": b.shape}, {"m": mask}, rows=False
    )
    check(graph, {"a": a, "b": b})


@few
@given(st.booleans(), st.booleans(), st.sampled_from([1.0, 0.5]), seeds)
def test_gemm(left, right, alpha, seed):
    a = apart(seed, (4, 3) if left else (3, 4))
    b = apart(seed + 1, (2, 4) if right else (4, 2))
    said = {"transA": int(left), "transB": int(right), "alpha": alpha, "beta": 2.0}
    given_ = {"a": a, "b": b, "c": apart(seed + 2, (2,))}
    shapes = {name: x.shape for name, x in given_.items()}
    check(model_of([node("Gemm", "a", "b", "c", **said)], shapes, {}, rows=False), given_)


@few
@given(st.sampled_from([((3, 4), (4, 2)), ((2, 3, 4), (4, 2)), ((2, 3, 4), (2, 4, 2)),
                        ((2, 1, 3, 4), (5, 4, 2)), ((3, 4), (2, 4, 2))]), seeds)  # fmt: skip
def test_matmul(shapes, seed):
    a, b = (apart(seed + n, shape) for n, shape in enumerate(shapes))
    graph = model_of([node("MatMul", "a", "b")], {"a": a.shape, "b": b.shape}, {}, rows=False)
    check(graph, {"a": a, "b": b})


@pytest.mark.parametrize("equation", ["ij,jk->ik", "bij,bkj->bik", "bqhd,bkhd->bhqk", "ij->ji"])
def test_einsum(equation):
    lengths = dict(zip("bijkqhd", [2, 3, 4, 2, 3, 2, 3], strict=True))
    terms = equation.partition("->")[0].split(",")
    given_ = {f"x{n}": apart(n, [lengths[c] for c in term]) for n, term in enumerate(terms)}
    shapes = {name: x.shape for name, x in given_.items()}
    graph = model_of([node("Einsum", *given_, equation=equation)], shapes, {}, rows=False)
    check(graph, given_)


@st.composite
def slides(draw, dimensions):
    """A kernel's size, strides, dilations and zeros around, that fit a picture of 6 by 7."""
    size = draw(st.lists(st.integers(1, 3), min_size=dimensions, max_size=dimensions))
    strides = draw(st.lists(st.integers(1, 3), min_size=dimensions, max_size=dimensions))
    dilations = draw(st.lists(st.integers(1, 2), min_size=dimensions, max_size=dimensions))
    pads = draw(st.lists(st.integers(0, 1), min_size=2 * dimensions, max_size=2 * dimensions))
    return size, strides, dilations, pads


@few
@given(slides(2), st.sampled_from([1, 2]), seeds)
def test_conv_of_pictures(how, group, seed):
    size, strides, dilations, pads = how
    x = apart(seed, (2, 4, 6, 7))
    kernel = apart(seed + 1, (4, 4 // group, *size)).astype(np.float32)
    said = {"strides": strides, "dilations": dilations, "pads": pads, "group": group}
    check(model_of([node("Conv", "x", "k", **said)], {"x": x.shape}, {"k": kernel}), {"x": x})


@few
@given(slides(1), seeds)
def test_conv_of_sounds(how, seed):
    size, strides, dilations, pads = how
    x, kernel = apart(seed, (2, 3, 8)), apart(seed + 1, (4, 3, *size)).astype(np.float32)
    said = {"strides": strides, "dilations": dilations, "pads": pads}
    check(model_of([node("Conv", "x", "k", **said)], {"x": x.shape}, {"k": kernel}), {"x": x})


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2])
def test_conv_that_finds_its_padding(auto, stride):
    x, kernel = apart(1, (1, 2, 5, 6)), apart(2, (3, 2, 2, 3)).astype(np.float32)
    said = {"auto_pad": auto, "strides": [stride] * 2}
    check(model_of([node("Conv", "x", "k", **said)], {"x": x.shape}, {"k": kernel}), {"x": x})


@few
@given(st.integers(1, 3), st.integers(1, 2), st.integers(0, 1), st.integers(0, 1), seeds)
def test_conv_transposed(size, stride, pad, more, seed):
    assume(more < stride)
    x, kernel = (
        apart(seed, (1, 2, 4, 3)),
        apart(seed + 1, (2, 3, size + 1, size)).astype(np.float32),
    )
    said = {"strides": [stride] * 2, "pads": [pad, 0, 0, 0], "output_padding": [more] * 2}
    check(
        model_of([node("ConvTranspose", "x", "k", **said)], {"x": x.shape}, {"k": kernel}), {"x": x}
    )


@few
@given(slides(2), seeds)
def test_max_pool(how, seed):
    size, strides, _, pads = how
    assume(all(pads[n] < size[n] and pads[n + 2] < size[n] for n in range(2)))
    x = apart(seed, (2, 2, 6, 7))
    said = {"kernel_shape": size, "strides": strides, "pads": pads}
    check(model_of([node("MaxPool", "x", **said)], {"x": x.shape}, {}), {"x": x})


@few
@given(st.sampled_from([(2, 2), (3, 2), (2, 1), (4, 3)]), seeds)
def test_max_pool_of_tiles(size, seed):
    x = apart(seed, (2, 2, 7, 6))  # some sizes leave a rest that no window sees
    said = {"kernel_shape": list(size), "strides": list(size)}
    check(model_of([node("MaxPool", "x", **said)], {"x": x.shape}, {}), {"x": x})
    line = apart(seed, (2, 3, 9))
    said = {"kernel_shape": [size[0]], "strides": [size[0]]}
    check(model_of([node("MaxPool", "x", **said)], {"x": line.shape}, {}), {"x": line})


@few
@given(slides(2), st.booleans(), seeds)
def test_average_pool(how, counted, seed):
    size, strides, _, pads = how
    assume(all(pads[n] < size[n] and pads[n + 2] < size[n] for n in range(2)))
    x = apart(seed, (2, 2, 6, 7))
    said = {
        "kernel_shape": size,
        "strides": strides,
        "pads": pads,
        "count_include_pad": int(counted),
    }
    check(model_of([node("AveragePool", "x", **said)], {"x": x.shape}, {}), {"x": x})


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(kind):
    x = apart(1, (2, 3, 4, 2))
    check(model_of([node(kind, "x")], {"x": x.shape}, {}), {"x": x})


REDUCED = ["ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
           "ReduceProd", "ReduceSum", "ReduceSumSquare", "ReduceLogSum"]  # fmt: skip


@pytest.mark.parametrize("kind", REDUCED)
@settings(few, max_examples=6)
@given(st.sampled_from([[1], [-1], [1, 2], [2]]), st.booleans(), seeds)
def test_reductions(kind, axes, kept, seed):
    x = apart(seed, (2, 3, 4), 0.5, 2)
    inputs = {"axes": np.array(axes)}
    graph = model_of([node(kind, "x", "axes", keepdims=int(kept))], {"x": x.shape}, inputs)
    check(graph, {"x": x})


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_softmax(kind, axis):
    x = apart(1, (2, 3, 4))
    check(model_of([node(kind, "x", axis=axis)], {"x": x.shape}, {}), {"x": x})


def test_normalisations():
    x = apart(1, (2, 4, 3, 2))
    scale, shift = np.array([1, 2, 0.5, 1.5], np.float32), np.array([0.1, 0, 0.2, 1], np.float32)
    batch = {"s": scale, "b": shift, "m": shift, "v": scale}
    graph = model_of([node("BatchNormalization", "x", "s", "b", "m", "v")], {"x": x.shape}, batch)
    check(graph, {"x": x})
    each = {"s": scale, "b": shift}
    check(model_of([node("InstanceNormalization", "x", "s", "b")], {"x": x.shape}, each), {"x": x})
    last = {"s": scale[:2], "b": shift[:2]}
    graph = model_of([node("LayerNormalization", "x", "s", "b")], {"x": x.shape}, last)
    check(graph, {"x": x})
    groups = node("GroupNormalization", "x", "s", "b", num_groups=2)
    check(model_of([groups], {"x": x.shape}, each, opset=21), {"x": x})
    check(model_of([node("LpNormalization", "x", axis=1, p=2)], {"x": x.shape}, {}), {"x": x})


def test_running_sums():
    x = apart(1, (2, 5))
    for reverse in (0, 1):
        for exclusive in (0, 1):
            said = node("CumSum", "x", "axis", reverse=reverse, exclusive=exclusive)
            check(model_of([said], {"x": x.shape}, {"axis": np.array(1)}), {"x": x})


MOVED = {
    "Reshape": ({"a": np.array([0, -1])}, {}),
    "Flatten": ({}, {"axis": 1}),
    "Transpose": ({}, {"perm": [0, 2, 1]}),
    "Unsqueeze": ({"a": np.array([1])}, {}),
    "Expand": ({"a": np.array([3, 1, 4, 3])}, {}),
    "Tile": ({"a": np.array([1, 2, 3])}, {}),
}


@pytest.mark.parametrize("kind", MOVED)
def test_what_only_moves(kind):
    constants, said = MOVED[kind]
    x = apart(1, (2, 4, 3) if kind != "Expand" else (1, 4, 3))
    graph = model_of(
        [node(kind, "x", *constants, **said)], {"x": x.shape}, constants, rows=kind != "Expand"
    )
    check(graph, {"x": x})


def test_squeeze_and_casts():
    x = apart(1, (2, 1, 3))
    check(model_of([node("Squeeze", "x", "a")], {"x": x.shape}, {"a": np.array([1])}), {"x": x})
    check(model_of([node("Cast", "x", to=1)], {"x": x.shape}, {}), {"x": x})
    like = {"z": np.float32(0)}
    check(model_of([node("CastLike", "x", "z")], {"x": x.shape}, like), {"x": x})


def test_concat_and_split():
    a, b = apart(1, (2, 3, 2)), apart(2, (2, 1, 2))
    graph = model_of([node("Concat", "a", "b", axis=1)], {"a": a.shape, "b": b.shape}, {})
    check(graph, {"a": a, "b": b})
    split = node("Split", "a", "parts", outputs=("y", "rest"), axis=1)
    check(model_of([split], {"a": a.shape}, {"parts": np.array([1, 2])}), {"a": a})
    used = [split, node("ReduceSum", "rest", "all", outputs=("s",)), node("Add", "y", "s")]
    used[0].output[0] = "first"
    used[2].input[0] = "first"
    constants = {"parts": np.array([1, 2]), "all": np.array([1, 2])}
    check(model_of(used, {"a": a.shape}, constants), {"a": a})


@few
@given(st.integers(-6, 6), st.integers(-7, 7), st.sampled_from([1, 2, -1, -2]), seeds)
def test_slice(start, end, stride, seed):
    x = apart(seed, (2, 5, 3))
    assume(len(range(5)[slice(start, end if stride > 0 or end >= -5 else None, stride)]))
    constants = {
        "s": np.array([start]),
        "e": np.array([end]),
        "a": np.array([1]),
        "t": np.array([stride]),
    }
    check(model_of([node("Slice", "x", "s", "e", "a", "t")], {"x": x.shape}, constants), {"x": x})


def test_gather_pad_and_resize():
    x = apart(1, (2, 5, 3))
    for places in (np.array([4, 0, 0]), np.array(2), np.array([-1])):
        check(model_of([node("Gather", "x", "p", axis=1)], {"x": x.shape}, {"p": places}), {"x": x})
    pads = {"p": np.array([0, 1, 2, 0, 3, 0])}
    check(model_of([node("Pad", "x", "p")], {"x": x.shape}, pads), {"x": x})
    scales = {"s": np.array([1, 1, 2, 3], np.float32)}
    x = apart(2, (1, 2, 3, 2))
    said = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    check(model_of([node("Resize", "x", "", "s", **said)], {"x": x.shape}, scales), {"x": x})


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["GRU", "LSTM", "RNN"])
def test_recurrent_layers(kind, direction):
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind]
    ways = 2 if direction == "bidirectional" else 1
    x = apart(1, (4, 2, 3), -1, 1)
    weights = {
        "w": apart(2, (ways, gates * 2, 3), -1, 1).astype(np.float32),
        "r": apart(3, (ways, gates * 2, 2), -1, 1).astype(np.float32),
        "b": apart(4, (ways, gates * 4), -1, 1).astype(np.float32),
    }
    said = {"hidden_size": 2, "direction": direction}
    if kind == "GRU":
        said["linear_before_reset"] = 1
    for outputs in (("y",), ("", "y")):
        layer = node(kind, "x", "w", "r", "b", outputs=outputs, **said)
        check(model_of([layer], {"x": x.shape}, weights, rows=False), {"x": x})


def test_no_rule_is_untested():
    assert RULES.keys() <= TESTED
