"""Estimators that answer at any time: each gives its best so far, again and again.

Beside KernelSHAP, which has a module of its own: Shapley values by orders of players, what is lost
without a player, and what is there with one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import numpy as np

from numen.core.signature import Array
from numen.explain.perturb.game import Estimate, Value, ends, rounds
from numen.explain.perturb.kernel import kernel_shap

_FIRST: Final = 8  # draws of a first round


class Estimator(Protocol):
    """One way to say what the players of a game are worth."""

    def __call__(
        self, value: Value, players: int, evaluations: int, seed: int = 0
    ) -> Iterator[Estimate]:
        """The best so far, again and again; see `kernel_shap`."""


def permutation(value: Value, players: int, evaluations: int, seed: int = 0) -> Iterator[Estimate]:
    """Shapley values by orders in which players come (Castro et al. 2009), each backwards too.

    What a player is worth is what it adds when it comes; whatever the order, that adds up to the
    value of all less that of none.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Sets to ask; at least two orders' there and back, or no error is known.
        seed: What is drawn is the same for the same one.
    """
    everything, nothing = ends(value, players)
    if players < 2:
        yield from kernel_shap(value, players, evaluations, seed)
        return
    each = 2 * (players - 1)
    count = max(2, (evaluations - 2) // each)
    lots = np.random.default_rng(seed).random((count, players)).argsort(1)
    total = squares = np.zeros((players, *everything.shape))
    for part in rounds(count, 2):
        places = np.stack([lots[part], players - 1 - lots[part]], 1)  # when each player comes
        sets = places[:, :, None] < np.arange(1, players)[:, None]
        between = np.asarray(value(sets.reshape(-1, players)), float)
        between = between.reshape(*sets.shape[:3], *everything.shape)
        before, after = (np.broadcast_to(e, between[:, :, :1].shape) for e in (nothing, everything))
        added = np.diff(between, axis=2, prepend=before, append=after)
        whose = places.reshape(*places.shape, *(1,) * everything.ndim)
        met = np.take_along_axis(added, whose, 2).mean(1)  # [orders, players, …]
        total, squares = total + met.sum(0), squares + (met**2).sum(0)
        yield _mean(total, squares, part.stop, (everything, nothing), 2 + part.stop * each)


def occlusion(
    value: Value, players: int, evaluations: int = 0, seed: int = 0
) -> Iterator[Estimate]:
    """What is lost when a player alone is left out; as many evaluations as players, and two."""
    del evaluations, seed
    everything, nothing = ends(value, players)
    left = np.asarray(value(~np.eye(players, dtype=bool)), float) if players else everything[None:0]
    values = everything - left
    yield Estimate(values, np.zeros_like(values), everything, nothing, players + 2)


def rise(value: Value, players: int, evaluations: int, seed: int = 0) -> Iterator[Estimate]:
    """The mean value of random sets that a player is in (RISE; Petsiuk et al. 2018), half of each.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Sets to ask.
        seed: What is drawn is the same for the same one.
    """
    everything, nothing = ends(value, players)
    sets = np.random.default_rng(seed).random((max(2, evaluations - 2), players)) < 0.5
    total = squares = np.zeros((players, *everything.shape))
    for part in rounds(len(sets), _FIRST):
        worth = np.asarray(value(sets[part]), float)
        there = 2.0 * sets[part]
        total = total + np.tensordot(there, worth, (0, 0))
        squares = squares + np.tensordot(there**2, worth**2, (0, 0))
        yield _mean(total, squares, part.stop, (everything, nothing), 2 + part.stop)


METHODS: Final[Mapping[str, Estimator]] = {
    "kernel-shap": kernel_shap,
    "permutation": permutation,
    "occlusion": occlusion,
    "rise": rise,
}


def last(estimates: Iterator[Estimate], seconds: float | None = None) -> Estimate:
    """The last estimate, or the first that is there when the time is over."""
    until = None if seconds is None else time.monotonic() + seconds
    for estimate in estimates:
        found = estimate
        if until is not None and time.monotonic() >= until:
            break
    return found


def _mean(
    total: Array, squares: Array, count: int, ends: tuple[Array, Array], evaluations: int
) -> Estimate:
    """The mean of so many draws, and how far it may be off."""
    mean = total / count
    spread = np.maximum(squares / count - mean**2, 0) / (count - 1)
    return Estimate(mean, np.sqrt(spread), *ends, evaluations)
