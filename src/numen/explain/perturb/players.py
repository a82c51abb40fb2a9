"""What of an input is switched on and off, and what stands there instead.

A table's column is one player, however many numbers it becomes; of a window, a column at a step.
Pictures are cut by a regular grid into about 49 patches (no superpixels: those would have to be
found anew for each picture), sounds into 32 pieces of equal length, texts into their words.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import numpy as np

from numen.core.manifest import (
    AudioInput,
    Column,
    ColumnsInput,
    ImageInput,
    Preprocess,
    WindowInput,
    places,
)
from numen.core.signature import Array

MOST: Final = 64  # words of a text, steps and columns of a window; more share a player
_WIDEST: Final = 128  # columns of a table; more share one
_SIDE: Final = 7  # patches along each side of a picture
_PIECES: Final = 32  # of a sound
# Scripts that are written without spaces have no other word than their characters.
_ALONE: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_ALONE}]\s*|[^\s{_ALONE}]+\s*")


class Players(Protocol):
    """What of some rows is switched on and off.

    Attributes:
        count: How many there are.
        copies: How many inputs one set of them becomes; the mean of their answers is its value.
    """

    count: int
    copies: int

    def apply(self, rows: Array, coalitions: Array) -> Array:
        """The rows with only some of their players: `[rows, n, copies, …]`.

        Args:
            rows: `[rows, …]`.
            coalitions: bool[n, count].
        """

    def spread(self, values: Array) -> Array:
        """float64[rows, …]: each player's value in equal shares on all that it consists of.

        Args:
            values: float64[count, rows].
        """


class Numbers:
    """Groups of an input's numbers; what is absent is as it is in a background.

    Args:
        groups: int[…], the player of each number of a row; from 0 on, none left out.
        background: `[copies, …]`, rows whose numbers stand for those that are absent.
    """

    def __init__(self, groups: Array, background: Array):
        self._groups = groups
        self._background = background
        self._sizes = np.bincount(groups.reshape(-1))
        self.count = len(self._sizes)
        self.copies = len(background)

    def apply(self, rows: Array, coalitions: Array) -> Array:
        """See `Players`."""
        there = coalitions[:, None, self._groups]
        return np.where(there, rows[:, None, None], self._background)

    def spread(self, values: Array) -> Array:
        """See `Players`."""
        share = np.asarray(values, float).T / self._sizes
        return np.asarray(share[:, self._groups])


class Words:
    """The words of one text; those that are absent are left out of it.

    Args:
        text: The text.
    """

    copies = 1

    def __init__(self, text: str):
        self._before = text[: len(text) - len(text.lstrip())]
        self._words = _WORD.findall(text)  # each with the space behind it
        self.count = min(len(self._words), MOST)
        self._whose = np.arange(len(self._words)) * self.count // max(len(self._words), 1)

    @property
    def words(self) -> list[str]:
        """The words without the spaces between them."""
        return [word.rstrip() for word in self._words]

    def apply(self, rows: Array, coalitions: Array) -> Array:
        """object[1, n, 1, 1], the text with only some of its words; see `Players`."""
        del rows  # it is the text
        made = np.empty((1, len(coalitions), 1, 1), object)
        words = self._words
        for n, there in enumerate(coalitions[:, self._whose].tolist()):
            kept = [word for word, is_there in zip(words, there, strict=True) if is_there]
            made[0, n, 0, 0] = self._before + "".join(kept)
        return made

    def spread(self, values: Array) -> Array:
        """float64[1, words]; see `Players`."""
        sizes = np.bincount(self._whose, minlength=self.count)
        return np.asarray((np.asarray(values, float).T / sizes)[:, self._whose])


def groups_of(shape: tuple[int, ...], how: Preprocess | None) -> Array:
    """int64 of a row's shape: the player of each number.

    Args:
        shape: Of one row.
        how: How it came about, where that is known; else a row of numbers is a table without
            names, and what has more axes is cut by a grid along its two longest.
    """
    match how:
        case ColumnsInput():
            return _at_most(_whose(how.columns), _WIDEST)
        case WindowInput():
            return _steps(how.steps, _whose(how.columns))
        case AudioInput():
            return _parts(how.samples, _PIECES)
        case ImageInput():
            first = 1 if how.layout == "chw" else 0
            return _grid(shape, first, first + 1)
    return _unknown(shape)


def _unknown(shape: tuple[int, ...]) -> Array:
    if len(shape) == 1:
        return _parts(shape[0], _WIDEST)
    one, other = sorted(np.argsort(shape, kind="stable")[-2:].tolist())
    return _grid(shape, one, other)


def _whose(columns: tuple[Column, ...]) -> Array:
    """The column of each number."""
    return np.concatenate([[n] * column.width for n, (_, column) in enumerate(places(columns))])


def _steps(steps: int, whose: Array) -> Array:
    """A column at a step; where those are too many, at all of them."""
    columns = int(whose[-1]) + 1
    if steps * columns > MOST:
        return np.tile(_at_most(whose, MOST), (steps, 1))
    return np.asarray(np.arange(steps)[:, None] * columns + whose)


def _at_most(groups: Array, most: int) -> Array:
    """Neighbours together, so that there are no more than so many."""
    count = int(groups.max()) + 1
    return groups if count <= most else groups * most // count


def _parts(size: int, most: int) -> Array:
    """The numbers along an axis in parts of about the same length."""
    return _at_most(np.arange(size), most)


def _grid(shape: tuple[int, ...], one: int, other: int) -> Array:
    """Patches along two axes, over all of the others."""
    made = [_parts(shape[axis], _SIDE) for axis in (one, other)]
    patches = made[0][:, None] * (int(made[1][-1]) + 1) + made[1]
    wide = np.expand_dims(patches, [axis for axis in range(len(shape)) if axis not in (one, other)])
    return np.array(np.broadcast_to(wide, shape))
