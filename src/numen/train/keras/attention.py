"""The rule for Keras's attention, written out in operators that all engines have."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numen.train.keras.graph import Unsupported, Value
from numen.train.keras.operations import Rule

if TYPE_CHECKING:
    from numen.train.keras.onnx import Walk

_NEVER: Final = -1e9  # added to the score of what may not be looked at


def _multi_head(
    walk: Walk,
    layer: Any,
    query: Value,
    value: Value,
    key: Value | None = None,
    attention_mask: Value | None = None,
    use_causal_mask: bool = False,
    **more: Any,
) -> Value:
    """Scaled dot products of several heads (Vaswani et al. 2017, 3.2)."""
    for name, given in more.items():
        if given is not None and given is not False:
            raise Unsupported(f"is called with {name}")
    for name in ("sliding_window", "use_gate"):
        if getattr(layer, name, None) or getattr(layer, f"_{name}", None):
            raise Unsupported(name)
    key = value if key is None else key
    if {query.rank, value.rank, key.rank} != {3} or tuple(layer._attention_axes) != (1,):
        raise Unsupported("attends over other than the one axis of [rows, steps, numbers]")
    g = walk.graph
    q, k, v = (
        _projected(walk, dense, x, perm)
        for dense, x, perm in (
            (layer._query_dense, query, [0, 2, 1, 3]),
            (layer._key_dense, key, [0, 2, 3, 1]),
            (layer._value_dense, value, [0, 2, 1, 3]),
        )
    )
    scores = g.add("Mul", g.add("MatMul", q, k), g.constant(1 / math.sqrt(layer._key_dim)))
    if use_causal_mask:
        steps, seen = query.shape[1], value.shape[1]
        if steps is None or seen is None:
            raise Unsupported("use_causal_mask=True over an open number of steps")
        scores = g.add("Add", scores, g.constant(_NEVER * (1 - np.tri(steps, seen))))
    if attention_mask is not None:
        mask = g.plain(g.cast(attention_mask, "float32"))
        if attention_mask.rank == 3:
            mask = g.add("Unsqueeze", mask, g.constant([1], "int64"))
        away = g.add("Sub", g.constant(1.0), mask)
        scores = g.add("Add", scores, g.add("Mul", away, g.constant(_NEVER)))
    looked = g.add("MatMul", g.add("Softmax", scores, axis=3), v)
    together = g.add("Transpose", looked, perm=[0, 2, 1, 3])
    dense = layer._output_dense
    kernel = np.asarray(dense.kernel, "float32")
    flat = g.add("Reshape", together, g.constant([0, 0, int(np.prod(kernel.shape[:2]))], "int64"))
    made = g.add("MatMul", flat, g.constant(kernel.reshape(-1, *kernel.shape[2:])))
    if dense.bias is not None:
        made = g.add("Add", made, g.constant(np.asarray(dense.bias, "float32")))
    return Value(made, ())


def _projected(walk: Walk, dense: Any, x: Value, perm: list[int]) -> str:
    """`[n, steps, numbers]` to heads, `[n, steps, heads, size]` in the order of `perm`."""
    g = walk.graph
    kernel = np.asarray(dense.kernel, "float32")
    numbers, heads, size = kernel.shape
    name = g.add("MatMul", g.plain(x), g.constant(kernel.reshape(numbers, heads * size)))
    if dense.bias is not None:
        name = g.add("Add", name, g.constant(np.asarray(dense.bias, "float32").reshape(-1)))
    name = g.add("Reshape", name, g.constant([0, 0, heads, size], "int64"))
    return g.add("Transpose", name, perm=perm)


ATTENTION: Final[dict[str, Rule]] = {"MultiHeadAttention": _multi_head}
