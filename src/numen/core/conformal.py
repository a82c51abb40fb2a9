"""What an answer does not rule out: sets of labels and intervals of split conformal prediction.

Here is how they are read from an answer; how the threshold is found, `numen.train.evaluate` knows.
"""

from __future__ import annotations

import msgspec
import numpy as np

from numen.core.signature import Array


class Conformal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds the truth of `level` of the rows, if they are like those it was set on.

    Attributes:
        level: That part, above 0 and below 1.
        threshold: Of classes the least probability that is not ruled out; of a quantity how far
            the truth may be from the value, in the quantity's own unit.
        rows: How many rows it was set on.
    """

    level: float
    threshold: float
    rows: int

    def members(self, probabilities: Array) -> Array:
        """Which labels cannot be ruled out, bool[rows, labels]: always the likeliest at least.

        Args:
            probabilities: float[rows, labels].
        """
        found = probabilities >= self.threshold
        found[np.arange(len(found)), probabilities.argmax(axis=1)] = True
        return np.asarray(found)

    def interval(self, value: float) -> list[float]:
        """From where to where the truth may lie, in the quantity's unit."""
        return [value - self.threshold, value + self.threshold]
