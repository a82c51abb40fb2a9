"""LightGBM's own account of its trees, as ONNX.

Missing values, zeros that stand for them, and sets of categories go where LightGBM sends them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx

from numen.core.errors import ExportFailed
from numen.core.signature import Signature
from numen.train.ensemble import Ensemble, Finish, round_down

_ZERO: Final = 1e-35  # what LightGBM takes for zero
_AS_IT_IS: Final = (
    "multiclassova",
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
    "custom",
)


def convert(booster: Any, signature: Signature) -> onnx.ModelProto:
    """A booster as ONNX with the signature's names.

    Raises:
        ExportFailed: Its objective has no way to ONNX.
    """
    account = booster.dump_model()
    each = account["num_tree_per_iteration"]
    trees = account["tree_info"]
    share = each / len(trees) if account["average_output"] and trees else 1.0
    ensemble = Ensemble(each)
    for place, tree in enumerate(trees):
        ensemble.tree()
        _grow(ensemble, tree["tree_structure"], place % each, share)
    if not trees:
        ensemble.tree()
        ensemble.leaf({}, 1.0)
    return ensemble.write(signature, lambda graph, raw: _finish(graph, raw, account))


def _grow(ensemble: Ensemble, node: dict[str, Any], target: int, share: float) -> int:
    """Adds a node and all below it; returns its number."""
    if "leaf_value" in node:
        rows = node.get("leaf_count", 1.0)  # a tree of one leaf does not say
        return ensemble.leaf({target: node["leaf_value"] * share}, rows)
    feature, kind, default_left = node["split_feature"], node["missing_type"], node["default_left"]
    if node["decision_type"] == "==":
        # Membership of a set: a chain of questions that share the answer yes.
        codes = [float(code) for code in node["threshold"].split("||")]
        chain = [ensemble.branch(feature, "BRANCH_EQ", code, False) for code in codes]
        left = _grow(ensemble, node["left_child"], target, share)
        right = _grow(ensemble, node["right_child"], target, share)
        for asked, following in zip(chain, [*chain[1:], right], strict=True):
            ensemble.link(asked, left, following)
        return chain[0]
    threshold = node["threshold"]
    zero_left = threshold >= 0
    missing_left = zero_left if kind == "None" else default_left
    apart = kind == "Zero" and default_left != zero_left
    # Zeros that stand for missing go the other way than their value says: two tests fence them in.
    low = ensemble.branch(feature, "BRANCH_LEQ", -_above_zero(), False) if apart else -1
    high = ensemble.branch(feature, "BRANCH_LEQ", round_down(_ZERO), True) if apart else -1
    test = ensemble.branch(feature, "BRANCH_LEQ", round_down(threshold), missing_left)
    left = _grow(ensemble, node["left_child"], target, share)
    right = _grow(ensemble, node["right_child"], target, share)
    ensemble.link(test, left, right)
    if not apart:
        return test
    ensemble.link(low, test if not zero_left else left, high)
    ensemble.link(high, left if default_left else right, test)
    return low


def _above_zero() -> float:
    """The smallest float32 that LightGBM does not take for zero."""
    return float(np.nextafter(np.float32(round_down(_ZERO)), np.float32(1)))


def class_count(account: dict[str, Any]) -> int:
    """Classes the booster tells apart; 0 for a quantity."""
    objective = account.get("objective", "").split(" ")[0]
    if objective in ("binary", "cross_entropy"):
        return 2 if objective == "binary" else 0
    return account["num_class"] if objective in ("multiclass", "multiclassova") else 0


def _finish(graph: Finish, raw: str, account: dict[str, Any]) -> str:
    """What LightGBM does to the sum of the trees, by objective."""
    name, *options = account.get("objective", "custom").split(" ")
    given = dict(option.partition(":")[::2] for option in options)
    last = raw
    if name in ("binary", "multiclassova"):
        slope = graph.constant(float(given.get("sigmoid", 1)))
        last = graph.add("Sigmoid", graph.add("Mul", raw, slope))
    if name == "binary":
        last = graph.add("Concat", graph.add("Sub", graph.constant(1.0), last), last, axis=1)
    elif name == "multiclass":
        last = graph.add("Softmax", raw, axis=1)
    elif name == "cross_entropy":
        last = graph.add("Sigmoid", raw)
    elif name in ("poisson", "gamma", "tweedie"):
        last = graph.add("Exp", raw)
    elif "sqrt" in given:
        last = graph.add("Mul", raw, graph.add("Abs", raw))
    elif name not in _AS_IT_IS:
        raise ExportFailed(f'export: LightGBM\'s objective "{name}" has no way to ONNX')
    return last
