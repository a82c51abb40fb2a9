"""A prediction graph, differentiated: explanations that any ONNX runtime computes."""

from numen.explain.graph.write import Explanation, write

__all__ = ["Explanation", "write"]
