"""A split as LightGBM asks for it: a part at a time, so that rows need not fit into memory."""

from __future__ import annotations

from typing import Any, Final

import lightgbm
import numpy as np

from numen.core.signature import Array
from numen.data.dataset import Split

_PART: Final = 16_384  # rows read at a time


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
