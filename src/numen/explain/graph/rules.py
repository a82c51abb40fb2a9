"""The derivative of each operator: one rule a name.

A rule takes what the gradient of an operator's first output has come to and adds to those of its
inputs that matter. Operators that ONNX defines by others are opened into them before, so they need
no rule: normalisations, most activations, attention.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from numen.explain.graph import elementwise, pooling, products, reducing, shaping
from numen.explain.graph.tape import Step, Tape

Rule = Callable[[Tape, Step, str], None]
RULES: Final[dict[str, Rule]] = {
    **elementwise.RULES,
    **shaping.RULES,
    **products.RULES,
    **pooling.RULES,
    **reducing.RULES,
}
# Their outputs say where something is, or which of two is larger: steps, flat in between.
FLAT: Final = frozenset(
    {
        "ArgMax", "ArgMin", "Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN",
        "Less", "LessOrEqual", "Not", "And", "Or", "Xor", "Round", "Shape", "Sign", "Size",
        "NonZero", "ConstantOfShape", "OneHot",
    }
)  # fmt: skip
