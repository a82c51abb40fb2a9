"""What LightGBM asks for as it goes: rows, a part at a time, and a seed for each round.

Rows so need not fit into memory, and a run that is gone on with ends where an unbroken one does.
"""

from __future__ import annotations

from typing import Any, Final

import lightgbm
import numpy as np

from numen.core.signature import Array
from numen.data.dataset import Split

_PART: Final = 16_384  # rows read at a time
_STRIDE: Final = 7_919  # between the rounds' seeds of one seed and of the next


class Parts(lightgbm.Sequence):  # type: ignore[misc]
    """A split's rows, `float32[n, columns]`, of which LightGBM asks for some at a time."""

    batch_size = _PART

    def __init__(self, split: Split):
        self._split = split

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: Any) -> Array:
        alone = isinstance(index, int | np.integer)
        wanted = np.r_[index] if alone else np.arange(*index.indices(len(self)))
        (given,) = self._split.take(wanted).arrays().inputs.values()
        rows = given.reshape(len(given), -1)
        # It wants single rows as doubles.
        return rows[0].astype(np.float64) if alone else rows.astype(np.float32, copy=False)


class Draws:
    """What a round draws by chance depends on the seed and on its number alone.

    LightGBM draws on from round to round, and anew where earlier trees are gone on from.
    """

    before_iteration = True
    order = 0

    def __init__(self, seed: int):
        self._seed = seed
        self._nothing_to_split = False

    def __call__(self, env: Any) -> None:
        """Seeds the round to come."""
        if self._nothing_to_split:
            return
        seed = (self._seed * _STRIDE + env.iteration) % 2**31
        try:
            env.model.reset_parameter({"feature_fraction_seed": seed, "extra_seed": seed})
        except lightgbm.basic.LightGBMError:
            # So few rows that no column can be split: its trees are leaves, and nothing is drawn.
            self._nothing_to_split = True
