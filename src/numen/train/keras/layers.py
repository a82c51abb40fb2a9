"""One rule for each Keras layer that holds weights or shapes; see `operations` for rules."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numen.core.signature import Array
from numen.train.keras.graph import Unsupported, Value
from numen.train.keras.operations import (
    Rule,
    elementwise,
    relu,
    softmax_over,
)

if TYPE_CHECKING:
    from numen.train.keras.onnx import Walk


def _identity(_walk: Walk, _: Any, x: Value) -> Value:
    return x


def _array(variable: Any) -> Array:
    return np.asarray(variable, dtype="float32")


def _dense(walk: Walk, layer: Any, x: Value) -> Value:
    g = walk.graph
    _exact(layer)
    kernel = g.constant(_array(layer.kernel))
    bias = [g.constant(_array(layer.bias))] if layer.use_bias else []
    if x.rank == 2:
        name = g.add("Gemm", x.name, kernel, *bias)
    else:
        name = g.add("MatMul", g.plain(x), kernel)
        name = g.add("Add", name, *bias) if bias else name
    shape = (*x.shape[:-1], layer.units)
    return walk.activated(layer.activation, Value(name, shape))


def _flatten(walk: Walk, layer: Any, x: Value) -> Value:
    if layer.data_format == "channels_first" and x.rank > 2:
        name = walk.graph.add("Transpose", walk.graph.plain(x), perm=[0, *range(2, x.rank), 1])
    else:
        name = walk.graph.plain(x)
    if x.rank == 1:
        return Value(walk.graph.add("Reshape", name, walk.graph.constant([-1, 1], "int64")), ())
    return Value(walk.graph.add("Flatten", name, axis=1), (), x.dtype)


def _reshape(walk: Walk, layer: Any, x: Value) -> Value:
    return Value(walk.reshaped(x, layer.target_shape), (), x.dtype)


def _permute(walk: Walk, layer: Any, x: Value) -> Value:
    perm = [0, *layer.dims]
    return Value(walk.graph.add("Transpose", walk.graph.plain(x), perm=perm), (), x.dtype)


def _rescaling(walk: Walk, layer: Any, x: Value) -> Value:
    g = walk.graph
    x = g.cast(x, "float32")
    for op, number in (("Mul", layer.scale), ("Add", layer.offset)):
        if not np.array_equal(number, 1.0 if op == "Mul" else 0.0):
            x = replace(x, name=g.add(op, x.name, g.broadcast(x, number)))
    return x


def _normalization(walk: Walk, layer: Any, x: Value) -> Value:
    g = walk.graph
    x = g.cast(x, "float32")
    mean = g.stored(x, _array(layer.mean))
    spread = np.maximum(np.sqrt(_array(layer.variance)), walk.keras.config.epsilon())
    deviation = g.stored(x, spread)
    if layer.invert:
        return replace(x, name=g.add("Add", mean, g.add("Mul", x.name, deviation)))
    return replace(x, name=g.add("Div", g.add("Sub", x.name, mean), deviation))


def _batch_normalization(walk: Walk, layer: Any, x: Value) -> Value:
    g = walk.graph
    x = g.cast(x, "float32")
    factor = 1 / np.sqrt(np.asarray(layer.moving_variance, "float64") + layer.epsilon)
    if layer.scale:
        factor = factor * _array(layer.gamma)
    shift = -np.asarray(layer.moving_mean, "float64") * factor
    if layer.center:
        shift = shift + _array(layer.beta)
    scaled = g.add("Mul", x.name, g.broadcast(x, factor, layer.axis))
    return replace(x, name=g.add("Add", scaled, g.broadcast(x, shift, layer.axis)))


def _layer_normalization(walk: Walk, layer: Any, x: Value) -> Value:
    """Written out, not as LayerNormalization, which engines that stop at opset 15 lack."""
    g = walk.graph
    if getattr(layer, "rms_scaling", False):
        raise Unsupported("rms_scaling")
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    axes = sorted(a % x.rank for a in axes)
    stored = sorted(x.axis(a) for a in axes)
    middle = g.add("Sub", x.name, walk.reduced("ReduceMean", x.name, stored, True))
    variance = walk.reduced("ReduceMean", g.add("Mul", middle, middle), stored, True)
    spread = g.add("Sqrt", g.add("Add", variance, g.constant(layer.epsilon)))
    name = g.add("Div", middle, spread)
    shape = [x.shape[a] if a in axes else 1 for a in range(x.rank)]
    if layer.gamma is not None:
        name = g.add("Mul", name, g.stored(x, _array(layer.gamma).reshape(shape)))
    if layer.beta is not None:
        name = g.add("Add", name, g.stored(x, _array(layer.beta).reshape(shape)))
    return replace(x, name=name)


def _convolution(walk: Walk, layer: Any, x: Value) -> Value:
    """Kernel [*size, in / groups, filters] to ONNX's [filters, in / groups, *size]."""
    kernel = np.moveaxis(_array(layer.kernel), (-1, -2), (0, 1))
    _exact(layer)
    return _convolved(walk, layer, x, [(kernel, layer.groups, True)])


def _depthwise(walk: Walk, layer: Any, x: Value) -> Value:
    _exact(layer)
    return _convolved(walk, layer, x, [_each_channel(layer.kernel)])


def _separable(walk: Walk, layer: Any, x: Value) -> Value:
    _exact(layer)
    point = np.moveaxis(_array(layer.pointwise_kernel), (-1, -2), (0, 1))
    return _convolved(walk, layer, x, [_each_channel(layer.depthwise_kernel), (point, 1, False)])


def _each_channel(kernel: Any) -> tuple[Array, int, bool]:
    """Kernel [*size, in, multiplier] to [in * multiplier, 1, *size] in groups of one channel."""
    array = np.moveaxis(_array(kernel), (-2, -1), (0, 1))
    channels, multiplier, *size = array.shape
    return array.reshape(channels * multiplier, 1, *size), channels, True


def _convolved(walk: Walk, layer: Any, x: Value, steps: list[tuple[Array, int, bool]]) -> Value:
    """Convolutions in a row, bias after the last; only the marked one strides and pads."""
    g = walk.graph
    x = g.cast(x, "float32")
    spatial, name = _spatial(walk, layer, x)
    for place, (kernel, groups, strides) in enumerate(steps):
        last = place == len(steps) - 1
        bias = [g.constant(_array(layer.bias))] if layer.use_bias and last else []
        options: dict[str, Any] = {"kernel_shape": kernel.shape[2:], "group": groups}
        if strides:
            rate = _tuple(layer.dilation_rate, len(spatial))
            options |= _window(layer, spatial, kernel.shape[2:], rate)
            options["dilations"] = rate
        name = g.add("Conv", name, g.constant(kernel), *bias, **options)
    # Elementwise rules need the rank only; the walk puts the right sizes in.
    made = Value(name, x.shape[:1] + (None,) * (x.rank - 1), turned=_last(layer))
    return walk.activated(layer.activation, made)


def _pooling(op: str) -> Rule:
    def rule(walk: Walk, layer: Any, x: Value) -> Value:
        spatial, name = _spatial(walk, layer, x)
        size = tuple(layer.pool_size)
        options = _window(layer, spatial, size, (1,) * len(size))
        name = walk.graph.add(op, name, kernel_shape=size, **options)
        return Value(name, (), turned=_last(layer))

    return rule


def _global_pooling(op: str) -> Rule:
    def rule(walk: Walk, layer: Any, x: Value) -> Value:
        inner = range(1, x.rank - 1) if _last(layer) else range(2, x.rank)
        axes = sorted(x.axis(a) for a in inner)
        name = walk.reduced(op, x.name, axes, layer.keepdims)
        return Value(name, (), turned=x.turned and layer.keepdims)

    return rule


def _zero_padding(walk: Walk, layer: Any, x: Value) -> Value:
    pairs = [p if isinstance(p, (tuple, list)) else (p, p) for p in layer.padding]
    if x.rank == 3:  # one dimension: the pair itself
        pairs = [tuple(layer.padding)]
    first = 1 if getattr(layer, "data_format", "channels_last") == "channels_last" else 2
    before, after = [0] * x.rank, [0] * x.rank
    for place, (low, high) in enumerate(pairs):
        before[x.axis(first + place)], after[x.axis(first + place)] = low, high
    pads = walk.graph.constant([*before, *after], "int64")
    return replace(x, name=walk.graph.add("Pad", x.name, pads))


def _up_sampling(walk: Walk, layer: Any, x: Value) -> Value:
    g = walk.graph
    how = {
        "nearest": {
            "mode": "nearest",
            "coordinate_transformation_mode": "asymmetric",
            "nearest_mode": "floor",
        },
        "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    }.get(getattr(layer, "interpolation", "nearest"))
    if how is None:
        raise Unsupported(f"interpolation {layer.interpolation}")
    _, name = _spatial(walk, layer, x)
    scales = g.constant([1, 1, *_tuple(layer.size, x.rank - 2)])
    return Value(g.add("Resize", name, "", scales, **how), (), turned=_last(layer))


def _prelu(walk: Walk, layer: Any, x: Value) -> Value:
    slope = walk.graph.stored(x, _array(layer.alpha)[None])
    return replace(x, name=walk.graph.add("PRelu", x.name, slope))


def _embedding(walk: Walk, layer: Any, x: Value) -> Value:
    g = walk.graph
    _exact(layer)
    if layer.mask_zero:
        raise Unsupported("mask_zero=True")
    places = g.cast(g.cast(x, "int32"), "int64")
    return Value(g.add("Gather", g.constant(_array(layer.embeddings)), g.plain(places)), ())


def _merge(op: str, share: bool = False) -> Rule:
    """A rule for layers that combine a list of tensors number by number."""

    def rule(walk: Walk, _: Any, xs: list[Value]) -> Value:
        if len({x.rank for x in xs}) > 1:
            raise Unsupported("merges tensors of different ranks")
        xs = [walk.graph.cast(x, walk.dtype) for x in xs]
        total = xs[0]
        for x in xs[1:]:
            name, turned = walk.together(op, [total, x])
            total = replace(total, name=name, turned=turned)
        if share:
            count = walk.graph.constant(len(xs))
            total = replace(total, name=walk.graph.add("Div", total.name, count))
        return total

    return rule


def _concatenate(walk: Walk, layer: Any, xs: list[Value]) -> Value:
    return walk.concatenated(xs, layer.axis)


def _activation(walk: Walk, layer: Any, x: Value) -> Value:
    return walk.activated(layer.activation, x)


def _exact(layer: Any) -> None:
    if getattr(layer, "quantization_mode", None):
        raise Unsupported(f"weights quantized by Keras ({layer.quantization_mode})")


def _last(layer: Any) -> bool:
    return bool(getattr(layer, "data_format", "channels_last") == "channels_last")


def _spatial(walk: Walk, layer: Any, x: Value) -> tuple[tuple[int | None, ...], str]:
    """The spatial sizes of `x`, and its name with channels at place 1."""
    if _last(layer):
        return x.shape[1:-1], walk.graph.turned(x)
    return x.shape[2:], walk.graph.plain(x)


def _window(
    layer: Any, spatial: tuple[int | None, ...], size: Any, dilations: Any
) -> dict[str, Any]:
    """Strides and padding of a sliding window.

    `same` puts the odd row of padding after, as TensorFlow does, and depends on the input's size
    once the window strides.
    """
    strides = _tuple(layer.strides, len(spatial))
    options: dict[str, Any] = {"strides": strides}
    if layer.padding == "valid":
        return options
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
    if layer.padding == "causal":
        return options | {"pads": [reach[0] - 1, 0]}
    pads = []
    for length, step, window in zip(spatial, strides, reach, strict=True):
        if length is None and step > 1:
            return options | {"auto_pad": "SAME_UPPER"}
        steps = 1 if length is None else math.ceil(length / step)
        covered = (steps - 1) * step + window
        pads.append(max(covered - (1 if length is None else length), 0))
    return options | {"pads": [p // 2 for p in pads] + [p - p // 2 for p in pads]}


def _tuple(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


_TRAINING_ONLY: Final = (
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomPerspective",
    "RandomRotation",
    "RandomSaturation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "SpatialDropout1D",
    "SpatialDropout2D",
)

LAYERS: Final[dict[str, Rule]] = {
    **dict.fromkeys(_TRAINING_ONLY, _identity),
    "Activation": _activation,
    "Add": _merge("Add"),
    "Average": _merge("Add", share=True),
    "AveragePooling1D": _pooling("AveragePool"),
    "AveragePooling2D": _pooling("AveragePool"),
    "BatchNormalization": _batch_normalization,
    "Concatenate": _concatenate,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Dense": _dense,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "ELU": elementwise(lambda g, x, o: g.add("Elu", x, alpha=float(o.alpha))),
    "Embedding": _embedding,
    "Flatten": _flatten,
    "GlobalAveragePooling1D": _global_pooling("ReduceMean"),
    "GlobalAveragePooling2D": _global_pooling("ReduceMean"),
    "GlobalMaxPooling1D": _global_pooling("ReduceMax"),
    "GlobalMaxPooling2D": _global_pooling("ReduceMax"),
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": elementwise(lambda g, x, o: g.add("LeakyRelu", x, alpha=float(o.negative_slope))),
    "Maximum": _merge("Max"),
    "MaxPooling1D": _pooling("MaxPool"),
    "MaxPooling2D": _pooling("MaxPool"),
    "Minimum": _merge("Min"),
    "Multiply": _merge("Mul"),
    "Normalization": _normalization,
    "PReLU": _prelu,
    "Permute": _permute,
    "ReLU": elementwise(relu),
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Softmax": softmax_over(lambda o: o.axis),
    "Subtract": _merge("Sub"),
    "UpSampling1D": _up_sampling,
    "UpSampling2D": _up_sampling,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
}
