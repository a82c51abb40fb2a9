"""Estimators of what the players of a game are worth, by name.

Beside KernelSHAP, which has a module of its own: Shapley values by orders of players, what is lost
without a player, and what is there with one. Each stops after so many evaluations, or when the
time is over, and gives its best so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from numen.core.signature import Array
from numen.explain.perturb.game import Estimate, Value, ends, rounds
from numen.explain.perturb.kernel import kernel_shap

_FIRST: Final = 8  # draws of a first round, where the time is short


class Estimator(Protocol):
    """One way to say what the players of a game are worth."""

    def __call__(
        self,
        value: Value,
        players: int,
        evaluations: int,
        *,
        seconds: float | None = None,
        seed: int = 0,
    ) -> Estimate:
        """The best after so many evaluations, or when the time is over; see `kernel_shap`."""


def permutation(
    value: Value,
    players: int,
    evaluations: int,
    *,
    seconds: float | None = None,
    seed: int = 0,
) -> Estimate:
    """Shapley values by orders in which players come (Castro et al. 2009), each backwards too.

    What a player is worth is what it adds when it comes; whatever the order, that adds up to the
    value of all less that of none.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Sets to ask; at least two orders' there and back, or no error is known.
        seconds: When to stop before.
        seed: What is drawn is the same for the same one.
    """
    if players < 2:
        return kernel_shap(value, players, evaluations)
    both = ends(value, players)
    each = 2 * (players - 1)
    lots = np.random.default_rng(seed).random((max(2, (evaluations - 2) // each), players))
    orders = lots.argsort(1)
    mean = _Mean((players, *both[0].shape))
    for part in rounds(len(orders), 2, seconds):
        places = np.stack([orders[part], players - 1 - orders[part]], 1)  # when each player comes
        sets = places[:, :, None] < np.arange(1, players)[:, None]
        between = np.asarray(value(sets.reshape(-1, players)), float)
        between = between.reshape(*sets.shape[:3], *both[0].shape)
        after, before = (np.broadcast_to(end, between[:, :, :1].shape) for end in both)
        added = np.diff(between, axis=2, prepend=before, append=after)
        whose = places.reshape(*places.shape, *(1,) * both[0].ndim)
        met = np.take_along_axis(added, whose, 2).mean(1)  # [orders, players, …]
        mean.add(len(met), met.sum(0), (met**2).sum(0))
    return mean.estimate(both, each)


def occlusion(
    value: Value,
    players: int,
    evaluations: int,
    *,
    seconds: float | None = None,
    seed: int = 0,
) -> Estimate:
    """What is lost when a player alone is left out: as many evaluations as players, and two.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Nothing can be saved.
        seconds: Nor stopped before.
        seed: Nor is anything drawn.
    """
    del evaluations, seconds, seed
    everything, nothing = ends(value, players)
    values = np.zeros((players, *everything.shape))
    if players:
        values = everything - np.asarray(value(~np.eye(players, dtype=bool)), float)
    return Estimate(values, np.zeros_like(values), everything, nothing, players + 2)


def rise(
    value: Value,
    players: int,
    evaluations: int,
    *,
    seconds: float | None = None,
    seed: int = 0,
) -> Estimate:
    """How far random sets that a player is in are above the mean of all (RISE), half of each.

    Petsiuk et al. 2018 have the mean itself, which all players share; what is above it has a sign.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Sets to ask.
        seconds: When to stop before.
        seed: What is drawn is the same for the same one.
    """
    both = ends(value, players)
    sets = np.random.default_rng(seed).random((max(2, evaluations - 2), players)) < 0.5
    mean = _Mean((players, *both[0].shape))
    for part in rounds(len(sets), _FIRST, seconds):
        worth = np.asarray(value(sets[part]), float)
        there = 2.0 * sets[part] - 1
        mean.add(
            len(there),
            np.tensordot(there, worth, (0, 0)),
            np.tensordot(there**2, worth**2, (0, 0)),
        )
    return mean.estimate(both, 1)


METHODS: Final[Mapping[str, Estimator]] = {
    "kernel-shap": kernel_shap,
    "permutation": permutation,
    "occlusion": occlusion,
    "rise": rise,
}


class _Mean:
    """Of draws, and how far it may be off."""

    def __init__(self, shape: tuple[int, ...]):
        self._total = np.zeros(shape)
        self._squares = np.zeros(shape)
        self._count = 0

    def add(self, count: int, total: Array, squares: Array) -> None:
        self._count += count
        self._total += total
        self._squares += squares

    def estimate(self, both: tuple[Array, Array], each: int) -> Estimate:
        """What was found, of so many evaluations each."""
        mean = self._total / self._count
        spread = np.maximum(self._squares / self._count - mean**2, 0) / (self._count - 1)
        return Estimate(mean, np.sqrt(spread), *both, 2 + self._count * each)
