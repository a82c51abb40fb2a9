"""Decision trees as one ONNX operator, whoever grew them.

A tree compares float32 inputs with thresholds it learned as doubles. Rounding each threshold down
to float32 leaves every such decision as it was, so an exported forest never takes another branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from numen.core.signature import Signature

OPSET: Final = 15  # the newest that game engines read
OPSET_ML: Final = 3
IR_VERSION: Final = 8


class Ensemble:
    """Trees in the making; their leaves' values add up.

    Args:
        targets: Values a row: one a class, or one.
    """

    def __init__(self, targets: int):
        self.targets = targets
        self._nodes: dict[str, list[Any]] = {name: [] for name in _NODE}
        self._leaves: dict[str, list[Any]] = {name: [] for name in _LEAF}
        self._tree = -1
        self._next = 0

    def tree(self) -> None:
        """Begins a tree; its first node is its root."""
        self._tree += 1
        self._next = 0

    def branch(self, feature: int, mode: str, value: float, missing_true: bool) -> int:
        """Adds a test of one feature and returns its number; children come with `link`.

        Args:
            feature: Column tested.
            mode: `BRANCH_LEQ` or `BRANCH_EQ`.
            value: What it is compared with, a float32 already.
            missing_true: Where NaN goes.
        """
        return self._node(mode, feature, value, missing_true)

    def leaf(self, values: dict[int, float], cover: float) -> int:
        """Adds a leaf and returns its number.

        Args:
            values: What it gives, by target.
            cover: How many rows came to it in training, as whoever grew it counts them; what is
                not known of a row goes both ways of a test in these shares.
        """
        number = self._node("LEAF", 0, 0.0, False, float(cover))
        for target, value in values.items() or {0: 0.0}.items():
            row = (self._tree, number, target, value)
            for name, part in zip(_LEAF, row, strict=True):
                self._leaves[name].append(part)
        return number

    def link(self, node: int, true: int, false: int) -> None:
        """Says where a test leads; two tests may share a child."""
        place = len(self._nodes["nodes_modes"]) - self._next + node
        self._nodes["nodes_truenodeids"][place] = true
        self._nodes["nodes_falsenodeids"][place] = false

    def write(
        self,
        signature: Signature,
        finish: Callable[[Finish, str], str] | None = None,
    ) -> onnx.ModelProto:
        """The model: rows flattened, trees, and what `finish` makes of their sum.

        Args:
            signature: One input and one output, by whose names the graph goes.
            finish: Adds operators to the raw values, float32[rows, targets].
        """
        (source,), (target,) = signature.inputs, signature.outputs
        graph = Finish()
        rows = source.name if len(source.shape) == 2 else graph.add("Flatten", source.name)
        trees = helper.make_node(
            "TreeEnsembleRegressor",
            [rows],
            ["raw"],
            domain="ai.onnx.ml",
            n_targets=self.targets,
            aggregate_function="SUM",
            post_transform="NONE",
            **self._nodes,
            **self._leaves,
        )
        graph.nodes.append(trees)
        last = finish(graph, "raw") if finish else "raw"
        graph.nodes.append(helper.make_node("Identity", [last], [target.name]))
        model = helper.make_model(
            helper.make_graph(
                graph.nodes, "numen", [_info(source)], [_info(target)], graph.constants
            ),
            opset_imports=[
                helper.make_opsetid("", OPSET),
                helper.make_opsetid("ai.onnx.ml", OPSET_ML),
            ],
            ir_version=IR_VERSION,
            producer_name="numen",
        )
        onnx.checker.check_model(model)
        return model

    def _node(
        self, mode: str, feature: int, value: float, missing_true: bool, cover: float = 0.0
    ) -> int:
        number, self._next = self._next, self._next + 1
        row = (self._tree, number, feature, mode, value, 0, 0, int(missing_true), cover)
        for name, part in zip(_NODE, row, strict=True):
            self._nodes[name].append(part)
        return number


class Finish:
    """The few operators after the trees."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Appends an operator and returns the name of its output."""
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, value: float) -> str:
        """Adds a number and returns its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, TensorProto.FLOAT, [], [value]))
        return name


def round_down(threshold: float) -> float:
    """The largest float32 not above `threshold`, so `x <= threshold` holds for the same x."""
    rounded = np.float32(np.clip(threshold, -_LARGEST, _LARGEST))
    if -_LARGEST < float(rounded) > threshold:
        rounded = np.nextafter(rounded, np.float32(-np.inf))
    return float(rounded)


_LARGEST: Final = float(np.finfo("float32").max)
_NODE: Final = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_modes",
    "nodes_values",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
    "nodes_hitrates",
)
_LEAF: Final = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def _info(spec: Any) -> onnx.ValueInfoProto:
    shape = ["batch" if size is None else size for size in spec.shape]
    return helper.make_tensor_value_info(spec.name, TensorProto.FLOAT, shape)
