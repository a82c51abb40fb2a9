"""A prediction graph, differentiated: explanations that any ONNX runtime computes."""

from numen.explain.graph.served import served
from numen.explain.graph.tape import Underivable
from numen.explain.graph.write import INTEGRATED, SALIENCY, Explanation, write

__all__ = [
    "INTEGRATED", "SALIENCY", "Explanation", "Underivable", "served", "write",
]  # fmt: skip
