"""Reads a tree ensemble's paths from a prediction graph, by ONNX's own account of it.

Whoever grew the trees, LightGBM, XGBoost, scikit-learn or someone else's exporter, they are the
same operator there.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from numen.core.signature import Array
from numen.explain.trees.paths import INTERVAL, Paths
from numen.explain.trees.shapley import Shapley

LARGEST: Final = 500_000  # columns asked in all paths together: seconds to read, 5 ms a row
_KINDS: Final = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")
_AFTER: Final = (b"NONE", b"LOGISTIC", b"SOFTMAX")  # of a sum, which is what is explained
_BEFORE: Final = ("Flatten", "Reshape", "Identity", "Cast")  # leave a row's numbers as they are


class Unreadable(Exception):
    """The graph is no tree ensemble over its input's columns, or too large."""


def read(model: onnx.ModelProto, samples: Array) -> Paths:
    """The paths of the one ensemble in a graph, by ONNX's own account of it.

    How many rows came to a leaf is what `nodes_hitrates` says; where a graph has none, the samples
    are led through the trees, and each leaf is taken to have seen one more than came.

    Args:
        model: Its input goes to the ensemble as it is, or flattened.
        samples: float32[rows, …], inputs.

    Raises:
        Unreadable: See there.
    """
    node = _ensemble(model)
    said = {each.name: _value(each) for each in node.attribute}
    summed = said.get("aggregate_function", b"SUM") in (b"SUM", b"AVERAGE")
    if said.get("post_transform", b"NONE") not in _AFTER or not summed:
        raise Unreadable("its trees' values do not add up")
    if said["nodes_modes"].count(b"LEAF") > LARGEST // 4:
        raise Unreadable("it has too many leaves")
    reading = _Reading(said, samples.reshape(len(samples), -1).shape[1])
    if not reading.told:
        rows = np.asarray(samples, np.float32).reshape(len(samples), -1)
        reading.count(Shapley(reading.paths()).arrivals(rows))
    return reading.paths()


def _ensemble(model: onnx.ModelProto) -> onnx.NodeProto:
    graph = model.graph
    found = [node for node in graph.node if node.domain == "ai.onnx.ml" and node.op_type in _KINDS]
    if len(found) != 1 or len(graph.input) != 1:
        raise Unreadable("it is no graph of one tree ensemble")
    (node,) = found
    made = {name: each for each in graph.node for name in each.output}
    name = node.input[0]
    while name != graph.input[0].name:
        if name not in made or made[name].op_type not in _BEFORE:
            raise Unreadable("its trees ask something else than its input's columns")
        name = made[name].input[0]
    return node


def _value(attribute: onnx.AttributeProto) -> Any:
    said = helper.get_attribute_value(attribute)
    return numpy_helper.to_array(said) if isinstance(said, onnx.TensorProto) else said


class _Reading:
    """The nodes of an ensemble, numbered through, and the covers of its leaves."""

    def __init__(self, said: dict[str, Any], width: int):
        self.width = width
        self.modes = [mode.decode() for mode in said["nodes_modes"]]
        trees, numbers = said["nodes_treeids"], said["nodes_nodeids"]
        places = {pair: n for n, pair in enumerate(zip(trees, numbers, strict=True))}
        self.columns = list(said["nodes_featureids"])
        self.after = [
            (places.get((tree, yes), -1), places.get((tree, no), -1))
            for tree, yes, no in zip(
                trees, said["nodes_truenodeids"], said["nodes_falsenodeids"], strict=True
            )
        ]
        firsts = {tree: n for n, tree in reversed(list(enumerate(trees)))}
        self.roots = list(firsts.values())[::-1]
        self._leaves(said, places)
        self._cut(said)
        rates = list(said.get("nodes_hitrates") or ())
        # Some exporters say 1 of every node.
        self.told = len(set(rates)) > 1
        self.cover = rates if self.told else [1.0] * len(self.modes)
        self.order: list[int] = []  # the leaf of each path of the last reading

    def _leaves(self, said: dict[str, Any], places: dict[tuple[int, int], int]) -> None:
        kind = "class" if "class_ids" in said else "target"
        rows = zip(
            said[f"{kind}_treeids"], said[f"{kind}_nodeids"], said[f"{kind}_ids"],
            said[f"{kind}_weights"], strict=True,
        )  # fmt: skip
        share = 1.0
        if said.get("aggregate_function") == b"AVERAGE":
            share = 1 / len(self.roots)
        self.values: dict[int, dict[int, float]] = {}
        for tree, number, target, weight in rows:
            at = self.values.setdefault(places[tree, number], {})
            at[int(target)] = at.get(int(target), 0.0) + weight * share
        used = {target for each in self.values.values() for target in each}
        labels = len(said.get("classlabels_int64s") or said.get("classlabels_strings") or ())
        self.targets = max(int(said.get("n_targets", labels or 1)), max(used, default=0) + 1)
        if labels == 2 and len(used) == 1:  # one value, of the second label
            self.targets = 1
            self.values = {n: {0: sum(each.values())} for n, each in self.values.items()}
        given = list(said.get("base_values") or ())
        self.base = np.zeros(self.targets)
        self.base[: len(given)] = given[: self.targets]

    def _cut(self, said: dict[str, Any]) -> None:
        """Cells of all columns, and of every test the set of those that go its way when true."""
        tracks = said.get("nodes_missing_value_tracks_true") or [0] * len(self.modes)
        tests: list[tuple[Array, bool]] = []  # cuts as `x <= cut`, and whether NOT
        wanted: dict[int, set[np.float32]] = {}
        for mode, column, value in zip(self.modes, self.columns, said["nodes_values"], strict=True):
            cuts = _cuts(mode, np.float32(value))
            tests.append((cuts, mode in ("BRANCH_GTE", "BRANCH_GT", "BRANCH_NEQ")))
            wanted.setdefault(column, set()).update(cuts.tolist())
        self.cuts = [np.array(sorted(wanted.get(n, ())), np.float32) for n in range(self.width)]
        if max((len(cuts) for cuts in self.cuts), default=0) >= INTERVAL:
            raise Unreadable("a column has too many cuts")
        # The cells of a column are the bits of an int, the lowest cell the lowest; gaps the last.
        self.gap = [1 << (len(cuts) + 1) for cuts in self.cuts]
        self.yes: list[int] = []
        for (cuts, negated), column, track in zip(tests, self.columns, tracks, strict=True):
            if not len(cuts):
                self.yes.append(0)
                continue
            places = np.searchsorted(self.cuts[column], cuts)
            at_most = (1 << (int(places[-1]) + 1)) - 1
            mask = at_most if len(cuts) == 1 else 1 << int(places[-1])
            values = self.gap[column] - 1
            mask = values & ~mask if negated else mask
            self.yes.append(mask | (self.gap[column] if track else 0))

    def count(self, arrived: Array) -> None:
        """Takes for covers how many rows came to each path's leaf, and one more."""
        for leaf, rows in zip(self.order, arrived, strict=True):
            self.cover[leaf] += float(rows)

    def paths(self) -> Paths:
        """Walks all trees."""
        made = _Made(self)
        self.order = []
        for root in self.roots:
            questions, covers = self._questions(root)
            stack: list[tuple[int, dict[int, tuple[int, float]]]] = [(root, {})]
            while stack:
                node, held = stack.pop()
                if node not in questions:
                    if node in self.values:
                        made.path(held, self.values[node])
                        self.order.append(node)
                    continue
                column, exits = questions[node]
                cells, share = held.get(column, (2 * self.gap[column] - 1, 1.0))
                total = sum(covers[to] for to, _ in exits)
                for to, mask in exits:
                    part = covers[to] / total if total else 1 / len(exits)
                    stack.append((to, {**held, column: (cells & mask, share * part)}))
        return made.done()

    def _questions(
        self, root: int
    ) -> tuple[dict[int, tuple[int, list[tuple[int, int]]]], dict[int, float]]:
        """Of each node asked first: its column, and where its cells lead; the cover of each."""
        questions: dict[int, tuple[int, list[tuple[int, int]]]] = {}
        covers: dict[int, float] = {}
        stack = [root]
        while stack:
            node = stack[-1]
            if self.modes[node] == "LEAF":
                covers[node] = self.cover[node]
            elif node not in questions:
                questions[node] = (self.columns[node], self._exits(node))
                stack += [to for to, _ in questions[node][1]]
                continue
            elif node not in covers:
                covers[node] = sum(covers[to] for to, _ in questions[node][1])
            stack.pop()
        return questions, covers

    def _exits(self, node: int) -> list[tuple[int, int]]:
        """Where a question's cells lead, over all tests of the same column that follow."""
        column = self.columns[node]
        found: dict[int, int] = {}
        stack = [(node, 2 * self.gap[column] - 1)]
        while stack:
            at, cells = stack.pop()
            if not cells:
                continue
            if self.modes[at] == "LEAF" or self.columns[at] != column:
                found[at] = found.get(at, 0) | cells
                continue
            yes, no = self.after[at]
            stack += [(no, cells & ~self.yes[at]), (yes, cells & self.yes[at])]
        return list(found.items())


def _cuts(mode: str, value: np.float32) -> Array:
    """A test as cuts: `x <= the one`, or between the two for an equality."""
    below = np.nextafter(value, np.float32(-np.inf))
    if mode in ("BRANCH_LEQ", "BRANCH_GT"):
        return np.array([value])
    if mode in ("BRANCH_LT", "BRANCH_GTE"):
        return np.array([below])
    if mode in ("BRANCH_EQ", "BRANCH_NEQ"):
        return np.array([below, value])
    if mode == "LEAF":
        return np.empty(0, np.float32)
    raise Unreadable(f"a test {mode} is not known")


class _Made:
    """Paths in the making."""

    def __init__(self, reading: _Reading):
        self.reading = reading
        self.slots: list[tuple[int, int, int, int, bool, float]] = []
        self.lengths: list[int] = []
        self.leaves: list[dict[int, float]] = []
        self.rules: dict[tuple[int, int], int] = {}
        self.base = reading.base.copy()

    def path(self, held: dict[int, tuple[int, float]], values: dict[int, float]) -> None:
        """Adds a path by what it holds of each column: cells and share."""
        share = 1.0
        for _, part in held.values():
            share *= part
        for target, value in values.items():
            self.base[target] += share * value
        if not held:
            return
        for column, (cells, part) in held.items():
            gap = self.reading.gap[column]
            values_only = cells & (gap - 1)
            low = (values_only & -values_only).bit_length() - 1
            top = values_only.bit_length() - 1
            rule = INTERVAL
            if not values_only or values_only >> low != (1 << (top - low + 1)) - 1:
                rule = self.rules.setdefault((column, values_only), len(self.rules))
                low = top = 0
            self.slots.append((column, low, top - low, rule, bool(cells & gap), part))
        self.lengths.append(len(held))
        self.leaves.append(values)
        if len(self.slots) > LARGEST or len(self.rules) >= INTERVAL:
            raise Unreadable("it has too many leaves")

    def done(self) -> Paths:
        """The arrays."""
        reading = self.reading
        columns, low, span, rule, missing, share = (
            zip(*self.slots, strict=True) if self.slots else [()] * 6
        )
        one = max(map(len, self.leaves), default=1) == 1
        values = np.zeros((len(self.leaves), 1 if one else reading.targets), np.float32)
        target = np.zeros(len(self.leaves), np.int32)
        for n, leaf in enumerate(self.leaves):
            for place, value in leaf.items():
                if one:
                    target[n] = place
                values[n, 0 if one else place] = value
        cells = max((len(reading.cuts[column]) + 1 for column, _ in self.rules), default=0)
        rules = np.zeros((len(self.rules), cells), bool)
        for (_, mask), n in self.rules.items():
            for cell in range(cells):
                rules[n, cell] = mask >> cell & 1
        sizes = [len(cuts) for cuts in reading.cuts]
        return Paths(
            cuts=np.concatenate([*reading.cuts, np.empty(0, np.float32)]),
            bounds=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            lengths=np.array(self.lengths, np.int32),
            columns=np.array(columns, np.int32),
            low=np.array(low, np.uint16),
            span=np.array(span, np.uint16),
            rule=np.array(rule, np.uint16),
            missing=np.array(missing, bool),
            share=np.array(share, np.float32),
            rules=rules,
            target=target,
            values=values,
            base=self.base,
        )
