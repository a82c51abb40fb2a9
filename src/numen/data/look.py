"""One pass over a split: a fingerprint of each row, and running statistics of each column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numen.core.signature import Array
from numen.data import texts
from numen.data.split import Split

_BATCH: Final = 1_024
# Odd multipliers of a 64-bit mixing step, from the digits of the golden ratio and of pi.
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_PI: Final = np.uint64(0x243F6A8885A308D3)


@dataclass(frozen=True)
class Look:
    """What one pass saw.

    Attributes:
        prints: `uint64[n]`, equal for rows of equal inputs.
        moments: Statistics of each column, or of other figures; of all pixels as one.
    """

    prints: Array
    moments: Moments


class Moments:
    """Running statistics of the columns of `[n, columns]`, missing values aside."""

    def __init__(self) -> None:
        self.missing: Any = 0
        self._count: Any = 0
        self._mean: Any = 0.0
        self._square: Any = 0.0  # sum of squared distances from the mean
        self._min: Any = np.inf
        self._max: Any = -np.inf

    def add(self, values: Array, weights: Array | None = None) -> None:
        """Takes in rows.

        Args:
            values: `[n, columns]`; NaN is missing.
            weights: How often each row counts, `[n]`; once when None.
        """
        values = values.astype(np.float64)
        present = ~np.isnan(values)
        often = present if weights is None else present * weights[:, None]
        count = often.sum(axis=0)
        mean = (np.where(present, values, 0.0) * often).sum(axis=0) / np.maximum(count, 1)
        square = (np.where(present, values - mean, 0.0) ** 2 * often).sum(axis=0)
        total = np.maximum(self._count + count, 1)
        apart = mean - self._mean
        # Two sets' spreads combine with the distance between their means (Chan et al., 1979).
        self._square = self._square + square + apart**2 * self._count * count / total
        self._mean = self._mean + apart * count / total
        self._min = np.minimum(self._min, np.where(often > 0, values, np.inf).min(axis=0))
        self._max = np.maximum(self._max, np.where(often > 0, values, -np.inf).max(axis=0))
        self._count = self._count + count
        self.missing = self.missing + (~present).sum(axis=0)

    def of(self, column: int) -> dict[str, float]:
        """`min`, `mean`, `max` and `std` of a column; nothing where it has no values."""
        count = self._count[column]
        if not count:
            return {}
        return {
            "min": float(self._min[column]),
            "mean": float(self._mean[column]),
            "max": float(self._max[column]),
            "std": float(np.sqrt(self._square[column] / count)),
        }


def look(split: Split, figures: Callable[[Array], Array] | None = None) -> Look:
    """Reads every row of a split once.

    Args:
        split: The rows.
        figures: What the statistics are of, `[n, …]` to `[n, figures]`; the rows' own numbers
            where it is None.
    """
    moments = Moments()
    prints = []
    histogram = np.zeros(256, np.int64)
    for batch in split.batches(_BATCH):
        (inputs,) = batch.inputs.values()
        if inputs.dtype == object:
            prints.append(texts.fingerprints(inputs))
            continue
        prints.append(fingerprints(inputs))
        if figures is not None:
            moments.add(figures(inputs))
        elif inputs.dtype == np.uint8:
            histogram += np.bincount(inputs.reshape(-1), minlength=256)
        else:
            moments.add(inputs if inputs.ndim == 2 else inputs[:, -1])  # a window's own row
    if histogram.any():
        moments.add(np.arange(256)[:, None], histogram)
    return Look(np.concatenate(prints), moments)


def fingerprints(inputs: Array) -> Array:
    """A 64-bit number for each row of `[n, …]`: equal rows have equal ones.

    Unequal rows share one by chance only: about one pair in ten million million million.
    """
    raw = np.ascontiguousarray(inputs).reshape(len(inputs), -1).view(np.uint8)
    words = np.zeros((len(raw), -(-raw.shape[1] // 8)), np.uint64)
    words.view(np.uint8)[:, : raw.shape[1]] = raw
    prints = np.full(len(raw), _PI)
    for word in np.ascontiguousarray(words.T):
        prints ^= word
        prints *= _GOLDEN
        prints ^= prints >> np.uint64(29)
        prints *= _PI
        prints ^= prints >> np.uint64(32)
    return prints
