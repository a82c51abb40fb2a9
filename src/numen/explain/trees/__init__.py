"""Exact attributions of tree ensembles: read from the prediction graph, computed from arrays."""

from numen.explain.trees.paths import Paths
from numen.explain.trees.shapley import Shapley

__all__ = ["Paths", "Shapley"]
