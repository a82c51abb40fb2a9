"""What estimators are asked about, what they answer, and how long they go on.

A game has players, who are there or not; its value is asked of many sets of them at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from numen.core.signature import Array

# bool[n, players] to float[n, …]: further axes are games of the same players, played together.
Value: TypeAlias = Callable[[Array], Array]


@dataclass(frozen=True)
class Estimate:
    """What each player is worth, as far as is known.

    Attributes:
        values: float64[players, …].
        errors: float64[players, …], their standard errors; 0 where nothing was left to chance,
            NaN where too little was asked to tell.
        everything: float64[…], the value when all are there.
        nothing: float64[…], when none is.
        evaluations: Sets whose value was asked.
    """

    values: Array
    errors: Array
    everything: Array
    nothing: Array
    evaluations: int


def ends(value: Value, players: int) -> tuple[Array, Array]:
    """The values of all players and of none."""
    everything, nothing = np.asarray(value(np.array([[True], [False]]).repeat(players, 1)), float)
    return everything, nothing


def rounds(count: int, first: int, seconds: float | None) -> Iterator[slice]:
    """Parts of what is to be asked: all at once, or until the time is over.

    Each part is then as large as all before it, so that few are needed and stopping loses little;
    the first is asked however late it is.
    """
    if seconds is None:
        yield slice(0, count)
        return
    until = time.monotonic() + seconds
    done = 0
    while done < count and (not done or time.monotonic() < until):
        upto = min(count, max(first, 2 * done))
        yield slice(done, upto)
        done = upto
