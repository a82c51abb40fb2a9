"""KernelSHAP (Lundberg and Lee 2017), asked in pairs: a set and what it leaves out.

Shapley values are the weighted least squares fit of a game by a sum over its players that is right
for all and for none. A set of s players of d weighs (d - 1) / (C(d, s) s (d - s)), as much as its
complement, so only their difference u = v(z) - v(not z) tells anything: with signs s = 2z - 1,

    minimise over phi the sum of w (u - s . phi)^2, where the phi add up to v(all) - v(none).

Small sets and their complements weigh most and are few: whole sizes are asked first, as far as
they are worth it, and the rest is drawn. Where all are asked, nothing is left to chance. Errors are
those of the drawn pairs (the "sandwich"; Covert and Lee 2021): how far what each does to the fit
is from what the others do.
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

_FEWEST: Final = 2  # draws, or nothing says how far they are apart


@dataclass(frozen=True)
class _Pairs:
    """Which sets are asked, each standing for its complement too.

    Attributes:
        whole: bool[pairs, players] of each size all of whose sets are asked.
        weights: Of a pair of each.
        drawn: bool[pairs, players] of the other sizes, as often as they weigh.
        rest: What all pairs of those sizes weigh together.
    """

    whole: tuple[Array, ...]
    weights: tuple[float, ...]
    drawn: Array
    rest: float


def kernel_shap(value: Value, players: int, evaluations: int, seed: int = 0) -> Iterator[Estimate]:
    """Shapley values, better and better; they add up to the value of all less that of none.

    They are exact where all `2 ** players` sets may be asked.

    Args:
        value: The game.
        players: How many it has.
        evaluations: Sets to ask at the most, but at least each player alone and all others.
        seed: What is drawn is the same for the same one.
    """
    everything, nothing = ends(value, players)
    gap = everything - nothing
    if players < 2:
        values = np.broadcast_to(gap, (players, *gap.shape))
        yield Estimate(values, np.zeros_like(values), everything, nothing, 2)
        return
    pairs = _pairs(players, evaluations // 2 - 1, seed)
    fit = _Fit(value, players, gap)

    def estimate() -> Estimate:
        values, errors = fit.solved(pairs.rest)
        shape = (players, *gap.shape)
        asked = 2 * fit.asked + 2
        return Estimate(values.reshape(shape), errors.reshape(shape), everything, nothing, asked)

    for sets, weight in zip(pairs.whole, pairs.weights, strict=True):
        fit.ask(sets, weight)
        yield estimate()
    for part in rounds(len(pairs.drawn), players):
        fit.ask(pairs.drawn[part], None)
        yield estimate()


class _Fit:
    """Least squares of all pairs asked so far.

    Values are shifted by an equal share of the gap, so that what is fitted adds up to nothing; the
    direction in which all values grow alike is then free, and held down.
    """

    def __init__(self, value: Value, players: int, gap: Array):
        self._value = value
        self._gap = gap.reshape(-1)
        self._players = players
        self._signs = [np.empty((0, players))]
        self._apart = [np.empty((0, self._gap.size))]
        self._weights = np.empty(0)
        self._drawn = 0
        self.asked = 0

    def ask(self, sets: Array, weight: float | None) -> None:
        """Asks some sets and their complements; those without a weight were drawn."""
        answers = np.asarray(self._value(np.concatenate([sets, ~sets])), float)
        answers = answers.reshape(2, len(sets), -1)
        self._apart.append(answers[0] - answers[1])
        self._signs.append(np.where(sets, 1.0, -1.0))
        self.asked += len(sets)
        if weight is None:
            self._drawn += len(sets)
        else:
            self._weights = np.append(self._weights, np.full(len(sets), weight))

    def solved(self, rest: float) -> tuple[Array, Array]:
        """float64[players, games]: values and their standard errors.

        Args:
            rest: What all pairs weigh that are not asked whole.
        """
        signs, apart = np.concatenate(self._signs), np.concatenate(self._apart)
        weights = np.full(self.asked, rest / max(self._drawn, 1))
        weights[: len(self._weights)] = self._weights
        middle = signs.mean(1, keepdims=True)
        centred = signs - middle
        weighed = centred * weights[:, None]
        square = centred.T @ weighed
        inverse = np.linalg.inv(square + np.trace(square) / self._players**2)
        moved = apart - middle * self._gap
        fitted = inverse @ (weighed.T @ moved)
        values = fitted - fitted.mean(0) + self._gap / self._players
        drawn, count = slice(len(self._weights), None), self._drawn
        if not count:
            every = self.asked == 2 ** (self._players - 1) - 1
            return values, np.full(values.shape, 0.0 if every else np.nan)
        residual = moved[drawn] - centred[drawn] @ fitted
        pull = weighed[drawn] @ inverse  # what a pair does to the fit is this times its residual
        spread = (pull**2).T @ residual**2 - (pull.T @ residual) ** 2 / count
        return values, np.sqrt(np.maximum(spread, 0) * count / (count - 1))


@lru_cache(32)
def _pairs(players: int, count: int, seed: int) -> _Pairs:
    """Sizes asked whole while they are worth it, as `shap` does; the rest is drawn.

    Args:
        players: At least 2.
        count: Pairs to ask.
        seed: Of what is drawn.
    """
    sizes = list(range(1, players // 2 + 1))
    alone = [2 * size == players for size in sizes]  # its complements are of the same size
    many = [math.comb(players, s) // (1 + a) for s, a in zip(sizes, alone, strict=True)]
    weigh = [
        (players - 1) / (s * (players - s)) / (1 + a) for s, a in zip(sizes, alone, strict=True)
    ]
    whole: list[Array] = []
    left = count
    for n, size in enumerate(sizes):
        if n and left * weigh[n] / sum(weigh[n:]) < many[n]:
            break
        whole.append(_sets(players, size))
        left -= many[n]
    done = len(whole)
    weights = tuple(weigh[n] / many[n] for n in range(done))
    if done == len(sizes):
        return _Pairs(tuple(whole), weights, np.empty((0, players), bool), 0.0)
    random = np.random.default_rng(seed)
    share = np.array(weigh[done:]) / sum(weigh[done:])
    chosen = random.choice(sizes[done:], max(left, _FEWEST), p=share)
    lots = random.random((len(chosen), players))
    drawn = lots <= np.sort(lots, 1)[np.arange(len(lots)), chosen - 1][:, None]
    return _Pairs(tuple(whole), weights, drawn, sum(weigh[done:]))


def _sets(players: int, size: int) -> Array:
    """bool[sets, players]: all sets of a size, but of complements of the same size one only."""
    sets: Iterator[tuple[int, ...]] = itertools.combinations(range(players), size)
    if 2 * size == players:
        sets = itertools.takewhile(lambda each: each[0] == 0, sets)
    places = np.array(list(sets))
    made = np.zeros((len(places), players), bool)
    np.put_along_axis(made, places, True, 1)
    return made
