"""A split as XGBoost holds it: binned, read a part at a time; and what a round draws of it.

XGBoost draws on from round to round, and anew where earlier trees are gone on from. Here a round's
rows and columns depend on the seed and its number alone.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import xgboost

from numen.core.signature import Array
from numen.data.dataset import Split

_PART: Final = 65_536  # rows read at a time


def binned(
    split: Split, kinds: list[str], weights: Array | None, max_bin: int, like: Any = None
) -> Any:
    """The rows as XGBoost keeps them, a byte or two a number.

    Args:
        split: The rows.
        kinds: XGBoost's word for each number of a row.
        weights: What a row of each class counts; None where all count alike.
        max_bin: Most bins a number has.
        like: Rows whose bins these have too.
    """
    parts = _Parts(split, kinds, weights)
    return xgboost.QuantileDMatrix(parts, max_bin=max_bin, enable_categorical=True, ref=like)


class _Parts(xgboost.DataIter):
    """A split a part at a time, so that XGBoost holds it binned only."""

    def __init__(self, split: Split, kinds: list[str], weights: Array | None):
        super().__init__()
        self._split, self._kinds, self._weights = split, kinds, weights
        self._batches = split.batches(_PART)

    def reset(self) -> None:
        """Begins anew."""
        self._batches = self._split.batches(_PART)

    def next(self, input_data: Any) -> bool:
        """Hands over the next part; false where there is none."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        (x,) = batch.inputs.values()
        input_data(
            data=x.reshape(len(x), -1).astype(np.float32, copy=False),
            label=batch.target,
            weight=None if self._weights is None else self._weights[batch.target],
            feature_types=self._kinds,
        )
        return True


class Draws:
    """Which rows and columns a round is grown from.

    What is not drawn has the weight 0: of rows XGBoost then sums nothing up, and of columns it
    takes those with a weight first.

    Args:
        rows: The rows to learn from, binned.
        seed: What decides, together with the round's number.
        subsample: The part of the rows, or of the groups of a ranking.
        colsample: The part of the columns.
    """

    def __init__(self, rows: Any, seed: int, subsample: float, colsample: float):
        self._rows, self._seed = rows, seed
        self._width = rows.num_col()
        self._columns = max(1, int(colsample * self._width))
        weights = rows.get_weight()
        alike = len(rows.get_group()) or rows.num_row()
        self._weights = weights if len(weights) else np.ones(alike, np.float32)
        self._drawn = max(1, round(subsample * alike))

    @property
    def share(self) -> float:
        """What XGBoost must be told to take of the columns, to take those with a weight."""
        whole = self._columns == self._width
        return 1.0 if whole else (self._columns + 0.5) / self._width

    def begin(self, number: int) -> None:
        """Draws for a round, from 0."""
        random = np.random.default_rng((self._seed, number))
        if self._columns < self._width:
            chosen = np.zeros(self._width, np.float32)
            chosen[random.permutation(self._width)[: self._columns]] = 1
            self._rows.set_info(feature_weights=chosen)
        if self._drawn < len(self._weights):
            # Always as many: rankings are scaled by all weights of the first round they see.
            weights = np.zeros_like(self._weights)
            drawn = random.permutation(len(weights))[: self._drawn]
            weights[drawn] = self._weights[drawn]
            self._rows.set_info(weight=weights)

    def end(self) -> None:
        """Gives all rows their weights back: a round is judged by all of them."""
        if self._drawn < len(self._weights):
            self._rows.set_info(weight=self._weights)
