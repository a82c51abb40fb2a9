"""Rows for a loss that compares the rows of one group: each target stands beside its group.

Groups come in the order of the seed, each with its rows together, so that a batch has most pairs
of the groups in it; a group that lies across two batches is compared within each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from numen.core.signature import Array
from numen.data.split import Batch, Split
from numen.train.ranking import ordered


class Grouped:
    """A split whose rows have groups; its targets are float32[n, 2]: grade, number of the group.

    Args:
        split: Knows the group of each row.
    """

    def __init__(self, split: Split):
        self._split, sizes = ordered(split)
        self._group = np.repeat(np.arange(len(sizes)), sizes)

    def __len__(self) -> int:
        return len(self._split)

    def places(self, seed: int) -> Array:
        """The order of the rows in an epoch of this seed, int64[n]."""
        turns = np.random.default_rng(seed).permutation(self._group[-1] + 1)
        return np.argsort(turns[self._group], kind="stable")

    def arrays(self, limit: int) -> Batch:
        """All rows at once; see `Split.arrays`."""
        return self._beside(self._split.arrays(limit), self._group)

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[Batch]:
        """All rows once, `size` at a time; see `Split.batches`."""
        places = np.arange(len(self)) if seed is None else self.places(seed)
        parts = self._split.take(places).batches(size)
        for number, batch in enumerate(parts):
            here = places[number * size : (number + 1) * size]
            yield self._beside(batch, self._group[here])

    def _beside(self, batch: Batch, group: Array) -> Batch:
        return replace(batch, target=np.stack([batch.target, group], 1).astype(np.float32))
