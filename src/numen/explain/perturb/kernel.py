"""KernelSHAP (Lundberg and Lee 2017), asked in pairs: a set and what it leaves out.

Shapley values are the weighted least squares fit of a game by a sum over its players that is right
for all and for none. A set of s players of d weighs (d - 1) / (C(d, s) s (d - s)), as much as its
complement, so only their difference u = v(z) - v(not z) tells anything: with signs s = 2z - 1,

    minimise over phi the sum of w (u - s . phi)^2, where the phi add up to v(all) - v(none).

Small sets and their complements weigh most and are few: whole sizes are asked first, as far as
they are worth it, and the rest is drawn. Where all are asked, nothing is left to chance. Errors are
those of the drawn pairs (the "sandwich"; Covert and Lee 2021): how far what each does to the fit
is from what the others do. A fit to few pairs comes near to each of them for no reason, so what is
left of a pair counts as much more as it had a say in the fit (HC3; MacKinnon and White 1985):
without, errors of as many draws as players are a quarter of what they should be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from numen.core.signature import Array
from numen.explain.perturb.game import Estimate, Value, ends, rounds

_FEWEST: Final = 8  # draws, and one for every two players, or their spread says too little
_CLOSEST: Final = 1e-3  # of what a pair's own say leaves free, so that nothing is divided by 0


def kernel_shap(
    value: Value,
    players: int,
    evaluations: int,
    *,
    seconds: float | None = None,
    seed: int = 0,
) -> Estimate:
    """Shapley values; they add up to the value of all less that of none.

    They are exact where all `2 ** players` sets may be asked.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Sets to ask at the most; but each player alone is, all but each, and of the
            rest as many as tell an error.
        seconds: When to stop before.
        seed: What is drawn is the same for the same one.
    """
    everything, nothing = ends(value, players)
    gap = everything - nothing
    if players < 2:
        values = np.broadcast_to(gap, (players, *gap.shape))
        return Estimate(values, np.zeros_like(values), everything, nothing, 2)
    count = max(evaluations // 2 - 1, players)
    sets = _pairs(players, count, seed).sets
    apart = []
    for part in rounds(len(sets), players, seconds):
        answers = np.asarray(value(np.concatenate([sets[part], ~sets[part]])), float)
        answers = answers.reshape(2, -1, gap.size)
        apart.append(answers[0] - answers[1])
    asked = sum(map(len, apart))
    fit = _fit(players, count, seed, asked)
    values, errors = (
        each.reshape(players, *gap.shape) for each in fit(np.concatenate(apart), gap.reshape(-1))
    )
    return Estimate(values, errors, everything, nothing, 2 * asked + 2)


@dataclass(frozen=True)
class _Pairs:
    """Which sets are asked, each standing for its complement too.

    Attributes:
        sets: bool[pairs, players]; those that were not drawn first, the weightiest first of all.
        weights: float64[pairs] of those that were not drawn.
        rest: What all pairs weigh together that are not among those.
    """

    sets: Array
    weights: Array
    rest: float


class _Fit:
    """Least squares of some pairs: the same for all games.

    Values are shifted by an equal share of the gap, so that what is fitted adds up to nothing; the
    direction in which all values grow alike is then free, and held down.

    Args:
        pairs: Pairs.
        asked: How many were asked.
    """

    def __init__(self, pairs: _Pairs, asked: int):
        self._drawn = max(asked - len(pairs.weights), 0)
        self._exact = asked == len(pairs.weights) and not pairs.rest
        signs = np.where(pairs.sets[:asked], 1.0, -1.0)
        weights = np.full(asked, pairs.rest / max(self._drawn, 1))
        weights[: len(pairs.weights)] = pairs.weights[:asked]
        self._middle = signs.mean(1, keepdims=True)
        self._centred = signs - self._middle
        weighed = self._centred * weights[:, None]
        square = self._centred.T @ weighed
        inverse = np.linalg.inv(square + np.trace(square) / len(square) ** 2)
        self._pull = weighed @ inverse  # times how far its sets are apart: what a pair does
        say = np.sum(self._pull * self._centred, 1, keepdims=True)
        self._free = np.maximum(1 - say, _CLOSEST)
        self._squares = self._pull**2

    def __call__(self, apart: Array, gap: Array) -> tuple[Array, Array]:
        """float64[players, games]: values and their standard errors.

        Args:
            apart: float64[pairs, games], how far each pair's values are apart.
            gap: float64[games], what values add up to.
        """
        moved = apart - self._middle * gap
        fitted = self._pull.T @ moved
        values = fitted - fitted.mean(0) + gap / len(fitted)
        if self._drawn < _FEWEST:
            return values, np.full(values.shape, 0.0 if self._exact else np.nan)
        drawn = slice(-self._drawn, None)
        residual = (moved[drawn] - self._centred[drawn] @ fitted) / self._free[drawn]
        pull, count = self._pull[drawn], self._drawn
        spread = self._squares[drawn].T @ residual**2 - (pull.T @ residual) ** 2 / count
        return values, np.sqrt(np.maximum(spread, 0) * count / (count - 1))


@lru_cache(64)
def _fit(players: int, count: int, seed: int, asked: int) -> _Fit:
    return _Fit(_pairs(players, count, seed), asked)


@lru_cache(64)
def _pairs(players: int, count: int, seed: int) -> _Pairs:
    """Sizes asked whole while they are worth it, as `shap` does; the rest is drawn.

    Args:
        players: At least 2.
        count: Pairs to ask, at least as many.
        seed: Of what is drawn.
    """
    sizes = list(range(1, players // 2 + 1))
    alone = [2 * size == players for size in sizes]  # its complements are of the same size
    many = [math.comb(players, s) // (1 + a) for s, a in zip(sizes, alone, strict=True)]
    weigh = [
        (players - 1) / (s * (players - s)) / (1 + a) for s, a in zip(sizes, alone, strict=True)
    ]
    sets: list[Array] = []
    left = count
    for n, size in enumerate(sizes):
        if n and left * weigh[n] / sum(weigh[n:]) < many[n]:
            break
        sets.append(_sets(players, size))
        left -= many[n]
    done = len(sets)
    weights = np.repeat([weigh[n] / many[n] for n in range(done)], many[:done])
    if done < len(sizes):
        random = np.random.default_rng(seed)
        share = np.array(weigh[done:]) / sum(weigh[done:])
        chosen = random.choice(sizes[done:], max(left, _FEWEST + players // 2), p=share)
        lots = random.random((len(chosen), players))
        sets.append(lots <= np.sort(lots, 1)[np.arange(len(lots)), chosen - 1][:, None])
    return _Pairs(np.concatenate(sets), weights, sum(weigh[done:]))


def _sets(players: int, size: int) -> Array:
    """bool[sets, players]: all sets of a size, but of complements of the same size one only."""
    sets: Iterator[tuple[int, ...]] = itertools.combinations(range(players), size)
    if 2 * size == players:
        sets = itertools.takewhile(lambda each: each[0] == 0, sets)
    places = np.array(list(sets))
    made = np.zeros((len(places), players), bool)
    np.put_along_axis(made, places, True, 1)
    return made
