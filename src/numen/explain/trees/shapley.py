"""Shapley values of a tree ensemble, exactly, of many rows at once.

The game is TreeSHAP's (Lundberg et al. 2020, "path-dependent"): a column that is not known goes
both ways, as often as the rows did in training. A path of D columns to a leaf of value v is then
worth v times the product over its columns of o (1 where the row has what is asked, else 0) for
those that are known and of the share z for the others. The Shapley value of such a product is an
integral over the part t, from 0 to 1, of columns that are known,

    phi_j = v (o_j - z_j) * integral over t of the product over i != j of (t o_i + (1 - t) z_i),

of a polynomial of degree D - 1, so Gauss-Legendre's rule of D / 2 points (rounded up) gives it
exactly. No path depends on another, so all are computed at once, as arrays. There are only 2^D
answers of a path: those of short ones are computed when the ensemble is opened, and looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from numen.core.signature import Array
from numen.explain.trees.paths import INTERVAL, Paths

_BLOCK: Final = 1 << 15  # columns of paths at a time: what is computed stays in the core's cache
_LEAST: Final = np.float32(1e-9)  # a share; none of the factors shall be 0, as they are divided by
_DEEPEST: Final = 8  # columns of a path whose answers are looked up
_TABLES: Final = 8_000_000  # numbers in all tables


@dataclass(frozen=True)
class _Group:
    """Paths of about the same length; the shorter have columns that nothing depends on."""

    place: slice  # of its slots in a block's
    share: Array  # float32[D, P]
    table: Array | None  # float32[P * 2^D, D]


@dataclass(frozen=True)
class _Block:
    """Some groups' slots, each group's as [D, P], one after the other."""

    groups: list[_Group]
    slots: Array  # int64[slots], -1 for columns that nothing depends on
    columns: Array  # int64[slots]
    low: Array  # uint16[slots]
    span: Array  # uint16[slots]
    missing: Array  # bool[slots]
    odd: Array  # places whose cells are no interval
    rule: Array  # uint16[odd], their rows of the rules
    values: Array  # float32[values of a leaf, slots], by path and column: [P, D] a group
    order: Array  # places of the same, by what they add to
    starts: Array  # where in that order those begin that add to the same
    adds: Array  # places in the answer they add to


class Shapley:
    """Computes attributions of one ensemble.

    Args:
        paths: The ensemble.
    """

    def __init__(self, paths: Paths):
        self._paths = paths
        self._width = len(paths.bounds) - 1
        self.targets = len(paths.base)
        columns = np.repeat(np.arange(self._width), np.diff(paths.bounds))
        self._cuts = _ordered(paths.cuts, columns)
        self._starts = np.concatenate([[0], np.cumsum(paths.lengths)]).astype(np.int64)
        self._left = _TABLES
        self._blocks: list[_Block] = []
        size = (paths.lengths + 1) // 2 * 2
        order = np.argsort(size, kind="stable")
        ends = np.cumsum(size[order])
        while len(order):
            count = max(1, int(np.searchsorted(ends, _BLOCK, "right")))
            self._blocks.append(self._block(order[:count], size))
            order, ends = order[count:], ends[count:] - ends[count - 1]

    def _block(self, chosen: Array, size: Array) -> _Block:
        paths = self._paths
        groups, slots, owners = [], [], []
        begin = 0
        for deep in map(int, np.unique(size[chosen])):
            part = chosen[size[chosen] == deep]
            places = self._starts[part] + np.arange(deep)[:, None]
            places[np.arange(deep)[:, None] >= paths.lengths[part]] = -1
            share = np.where(places < 0, np.float32(1), paths.share[places])
            share = np.maximum(share, _LEAST)
            numbers = places.size << deep
            looked_up = deep <= _DEEPEST and numbers <= self._left
            self._left -= numbers if looked_up else 0
            place = slice(begin, begin + places.size)
            groups.append(_Group(place, share, _table(share) if looked_up else None))
            slots.append(places)
            owners.append(np.repeat(part, deep))
            begin += places.size
        flat = np.concatenate([each.ravel() for each in slots])
        turned = np.concatenate([each.T.ravel() for each in slots])
        owner = np.concatenate(owners)

        def of(array: Array, otherwise: float) -> Array:
            made: Array = np.where(flat < 0, array.dtype.type(otherwise), array[flat])
            return made

        rule = of(paths.rule, INTERVAL)
        odd = np.flatnonzero(rule != INTERVAL)
        column = np.where(turned < 0, 0, paths.columns[turned])
        where = column.astype(np.int64) * self.targets + paths.target[owner]
        order = np.argsort(where, kind="stable")
        adds, starts = np.unique(where[order], return_index=True)
        return _Block(
            groups,
            flat,
            of(paths.columns, 0).astype(np.intp),
            of(paths.low, 0),
            of(paths.span, 0xFFFF),
            of(paths.missing, True),
            odd,
            rule[odd],
            np.ascontiguousarray(paths.values[owner].T),
            order,
            starts,
            adds,
        )

    def __call__(self, rows: Array) -> Array:
        """float64[rows, F, values]: what each column adds to each value, beside `base`.

        Args:
            rows: float32[rows, F]; NaN where nothing is known.
        """
        total = np.zeros((len(rows), self._width * self.targets))
        for block, part, met in self._parts(rows):
            worth = np.empty(met.shape, np.float32)
            for group in block.groups:
                _worth_of(group, met[:, group.place], worth[:, group.place])
            for place, values in enumerate(block.values):
                made = (worth * values).take(block.order, 1)
                total[part, block.adds + place] += np.add.reduceat(made, block.starts, 1)
        return total.reshape(len(rows), self._width, self.targets)

    def arrivals(self, rows: Array) -> Array:
        """int64[paths]: how many rows come to the end of each, in the order of the ensemble's."""
        ends = np.zeros(len(self._paths.columns), np.int64)
        for block, _, met in self._parts(rows):
            for group in block.groups:
                shape = group.share.shape
                arrived = met[:, group.place].reshape(-1, *shape).all(1).sum(0)
                ends[block.slots[group.place].reshape(shape)[0]] += arrived
        return ends[self._starts[:-1]]

    def _parts(self, rows: Array) -> Iterator[tuple[_Block, slice, Array]]:
        """bool[rows, slots] of some rows and a block at a time: which have what is asked there."""
        rows = np.asarray(rows, np.float32)
        gaps = np.isnan(rows)
        keys = _ordered(rows, np.arange(self._width))
        cells = (np.searchsorted(self._cuts, keys) - self._paths.bounds[:-1]).astype(np.uint16)
        some = gaps.any()
        for block in self._blocks:
            step = max(1, 2 * _BLOCK // len(block.slots))
            for first in range(0, len(rows), step):
                part = slice(first, first + step)
                there = cells[part].take(block.columns, 1)
                there -= block.low
                met = there <= block.span
                if len(block.odd):
                    columns = block.columns[block.odd]
                    met[:, block.odd] = self._paths.rules[block.rule, cells[part][:, columns]]
                if some:
                    np.copyto(met, block.missing, where=gaps[part].take(block.columns, 1))
                yield block, part, met


def _ordered(values: Array, columns: Array) -> Array:
    """int64 in the order of columns first and then of float32 values, so that one search does."""
    bits = (values + np.float32(0)).view(np.int32)  # which has no zero below zero
    bits = bits ^ (bits >> 31 & 0x7FFFFFFF)
    return (columns.astype(np.int64) << 32) + (bits.astype(np.int64) + (1 << 31))


@cache
def _rule(points: int) -> list[tuple[np.float32, np.float32]]:
    """Gauss and Legendre's points between 0 and 1, and their weights."""
    places, weights = np.polynomial.legendre.leggauss(points)
    return [
        (np.float32((t + 1) / 2), np.float32(w / 2)) for t, w in zip(places, weights, strict=True)
    ]


def _worth(met: Array, share: Array) -> Array:
    """float32[rows, P, D]: what each column of a path is worth, of a leaf of value 1.

    Args:
        met: bool[rows, D, P].
        share: float32[D, P].
    """
    known = met.astype(np.float32)
    made = np.zeros_like(known)
    for t, weight in _rule(len(share) // 2):
        factors = known * t
        factors += (1 - t) * share
        whole = np.multiply.reduce(factors, 1)
        whole *= weight
        made += np.divide(whole[:, None], factors, out=factors)
    known -= share
    made *= known
    return made.transpose(0, 2, 1)


def _table(share: Array) -> Array:
    """float32[P * 2^D, D]: what `_worth` gives, for each path and all there is to know of it."""
    deep, paths = share.shape
    bits = (np.arange(1 << deep)[:, None] >> np.arange(deep) & 1).astype(bool)
    table = np.empty((paths, 1 << deep, deep), np.float32)
    step = max(1, 2 * _BLOCK // (deep << deep))
    for first in range(0, paths, step):
        part = share[:, first : first + step]
        met = np.broadcast_to(bits[..., None], (*bits.shape, part.shape[1]))
        table[first : first + step] = _worth(met, part).transpose(1, 0, 2)
    return table.reshape(-1, deep)


def _worth_of(group: _Group, met: Array, made: Array) -> None:
    """Puts what `_worth` gives, or its table, into `made`, float32[rows, slots]."""
    deep, paths = group.share.shape
    known = met.reshape(-1, deep, paths)
    target = made.reshape(-1, paths, deep)
    if group.table is None:
        target[:] = _worth(known, group.share)
        return
    bits = known.view(np.uint8)
    found = bits[:, 0].copy()
    for place in range(1, deep):
        found |= bits[:, place] << np.uint8(place)
    target[:] = group.table.take(found + (np.arange(paths) << deep), 0)
