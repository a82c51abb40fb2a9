"""A forest's trees on disk, as arrays: what a forest that was killed goes on from.

The seed and a tree's number say how it grows, so those that are there need not grow again. Each
file holds the trees since the one before it; no pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.tree._tree import Tree

from numen.core.errors import CorruptBundle
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.train.base import Run
from numen.train.recipe import Recipe
from numen.train.standing import Pace, State, check_same, opened, write

_FILES: Final = "trees-{:08}.npz"
# What must be the same for a forest to go on; there may be more trees.
_SAME: Final = ("family", "params", "class_weight", "validation", "seed")


class Trees:
    """The trees of a run that are on disk.

    Args:
        data: What is learnt from.
        recipe: How.
        run: Holds the files.
    """

    def __init__(self, data: Dataset, recipe: Recipe, run: Run):
        said = {name: getattr(recipe, name) for name in _SAME}
        self._made_by = msgspec.to_builtins(said | {"data": data.digest})
        self._made_by["scikit-learn"] = sklearn.__version__  # whose trees' arrays they are
        self._run = run
        self._count = 0
        self._pace = Pace()

    def take_up(self, forest: Any, y: Array, most: int) -> list[Mapping[str, float]]:
        """Gives the forest the trees that are there, fewer than `most`; what was said of them.

        Args:
            forest: Not yet grown.
            y: The targets, `[rows]` or `[rows, targets]`.
            most: Trees it shall have.

        Raises:
            InvalidInput: Another recipe or other data began the run; names what differs.
            CorruptBundle: A file is not what `keep` wrote.
        """
        if not self._run.resume:
            return []
        history: list[Mapping[str, float]] = []
        trees: list[Any] = []
        blank = _Blank(forest, y)
        while (path := self._run.folder / _FILES.format(len(trees))).exists():
            with opened(path) as arrays:
                state = msgspec.json.decode(arrays["state"].tobytes(), type=State)
                check_same(state.made_by, self._made_by)
                if state.epoch >= most:
                    break  # the last trees are grown anyway, which also makes the forest whole
                if state.epoch <= len(trees):
                    raise CorruptBundle(f"checkpoint {path}: no trees")
                numbers = range(len(trees), state.epoch)
                trees += [blank.filled(arrays, number) for number in numbers]
            history = [*state.history]
        said = f"going on after tree {len(trees)}" if trees else "nothing kept yet: beginning anew"
        self._run.progress.note(said)
        if trees:
            forest.estimators_ = trees
            self._count = len(trees)
        return history

    def keep(self, forest: Any, history: list[Mapping[str, float]], *, now: bool = False) -> None:
        """Writes the trees that are not on disk yet, if it is time to or they must be."""
        trees = forest.estimators_[self._count :]
        if not trees or not (now or self._pace.due):
            return
        arrays: dict[str, Array] = {"columns": np.array(forest.n_features_in_)}
        for number, each in enumerate(trees, self._count):
            grown = each.tree_.__getstate__()
            arrays |= {f"n{number}": grown["nodes"], f"v{number}": grown["values"]}
            arrays[f"d{number}"] = np.array(grown["max_depth"])
        count = len(forest.estimators_)
        state = State(self._made_by, epoch=count, history=[dict(each) for each in history])
        with self._pace.writing():
            self._run.folder.mkdir(parents=True, exist_ok=True)
            write(self._run.folder / _FILES.format(self._count), state, arrays)
        self._count = count


class _Blank:
    """Trees of a forest, as its own `fit` would leave them but for how they grew."""

    def __init__(self, forest: Any, y: Array):
        self._forest = forest
        columns = y.reshape(len(y), -1).T
        counts = [len(np.unique(c)) if is_classifier(forest) else 1 for c in columns]
        self._counts = np.array(counts, np.intp)

    def filled(self, arrays: Any, number: int) -> Any:
        """The tree of this number."""
        nodes, values = arrays[f"n{number}"], arrays[f"v{number}"]
        forest, outputs = self._forest, len(self._counts)
        made = forest.estimator.__class__(
            **{name: getattr(forest, name) for name in forest.estimator_params}
        )
        columns = int(arrays["columns"])
        made.tree_ = Tree(columns, self._counts, outputs)
        made.tree_.__setstate__(
            {
                "max_depth": int(arrays[f"d{number}"]), "node_count": len(nodes),
                "nodes": nodes, "values": values,
            }
        )  # fmt: skip
        made.n_features_in_, made.n_outputs_ = columns, outputs
        if is_classifier(forest):
            single = outputs == 1
            # The forest numbers its classes before its trees see them.
            classes = [np.arange(float(count)) for count in self._counts]
            made.classes_ = classes[0] if single else classes
            made.n_classes_ = self._counts[0] if single else self._counts
        return made
