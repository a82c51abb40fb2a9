"""A drawing made small the way MNIST's digits were, so that a model is asked what it learnt.

Cropped to its ink, the longer side scaled to 20 of 28 pixels by area averaging, and pasted so that
its centre of mass lies in the middle (LeCun et al. 1998, http://yann.lecun.com/exdb/mnist). All of
it is whole numbers, so that the JavaScript client's copy (clients/js/src/centre.ts) gives the same
picture, value for value.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from numen.core.signature import Array

_FILLED: Final = 20
_OF: Final = 28
_VISIBLE: Final = 8  # on paper that is all black, all white or transparent
_GRAIN: Final = 64  # on any other, which was photographed or scanned
_STRIP: Final = 1 << 20  # pixels that are averaged at once


def centre(ink: Array, height: int, width: int) -> Array:
    """A drawing's ink as a model's picture.

    Args:
        ink: `uint8[h, w]`, 0 where nothing is drawn; see `ink_of`.
        height: Rows of the picture.
        width: Its columns.

    Returns:
        `uint8[height, width]`, light ink on black; black where nothing is drawn.
    """
    made = np.zeros((height, width), np.uint8)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return made
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    high, wide = box.shape
    # The side that binds is the longer one, beside the room it has.
    room, longer = (width, wide) if width * high <= height * wide else (height, high)
    small = _shrunk(box, _scaled(high, room, longer), _scaled(wide, room, longer))
    total = int(small.sum())
    top = _place(height, len(small), total, int(small.sum(1) @ np.arange(len(small))))
    left = _place(width, small.shape[1], total, int(small.sum(0) @ np.arange(small.shape[1])))
    made[top : top + len(small), left : left + small.shape[1]] = small
    return made


def ink_of(grey: Array, alpha: Array | None = None) -> Array:
    """How much ink lies on each pixel of a picture: 0 is paper, 255 full ink.

    Where anything is transparent, ink is what is opaque, whatever its colour. Else the paper is
    what most of the pixels at the edge are like, and ink how far a pixel is from that: darker on
    light paper, lighter on dark. What is fainter than grain is paper.

    Args:
        grey: `uint8[h, w]`, 0 is black.
        alpha: `uint8[h, w]`, how opaque each pixel is; None where all are.
    """
    if alpha is not None and (alpha != 255).any():
        return np.where(alpha < _VISIBLE, 0, alpha).astype(np.uint8)
    paper = _paper(grey)
    light = paper >= 128
    room = paper if light else 255 - paper
    faintest = _VISIBLE if room == 255 else _GRAIN
    away = (paper - np.arange(256)) if light else (np.arange(256) - paper)
    full = (away.clip(min=0) * 510 + room) // (2 * room)
    full[(away <= 0) | (full < faintest)] = 0
    inked: Array = full.astype(np.uint8)[grey]
    return inked


def _paper(grey: Array) -> int:
    """The median of the pixels at the edge; of two in the middle, the lower."""
    high, wide = grey.shape
    edge = [grey[0], grey[-1] if high > 1 else grey[:0, 0], grey[1:-1, 0]]
    if wide > 1:
        edge.append(grey[1:-1, -1])
    values = np.sort(np.concatenate(edge))
    return int(values[(len(values) - 1) // 2])


def _scaled(side: int, room: int, longer: int) -> int:
    return max(1, (2 * side * room * _FILLED + _OF * longer) // (2 * _OF * longer))


def _shrunk(box: Array, height: int, width: int) -> Array:
    """Each small pixel is the mean of the area it covers, parts of pixels counted by their part."""
    high, wide = box.shape
    rows = np.zeros((height, wide))
    strip = max(1, _STRIP // high)
    down = _shares(high, height)
    for start in range(0, wide, strip):  # whole numbers below 2^53, which floats add exactly
        rows[:, start : start + strip] = down @ box[:, start : start + strip].astype(np.float64)
    sums = (rows @ _shares(wide, width).T).astype(np.int64)
    area = high * wide
    return np.asarray((2 * sums + area) // (2 * area), np.uint8)


def _shares(count: int, wanted: int) -> Array:
    """How much of each of `count` pixels each of `wanted` covers, in parts of 1 / `wanted`."""
    begins, pixels = np.arange(wanted)[:, None] * count, np.arange(count) * wanted
    covered = np.minimum(begins + count, pixels + wanted) - np.maximum(begins, pixels)
    return covered.clip(min=0).astype(np.float64)


def _place(room: int, length: int, total: int, moment: int) -> int:
    """Where to begin so that the mass lies in the middle, but never so far that ink falls off."""
    start = (
        (2 * (room // 2 * total - moment) + total) // (2 * total) if total else (room - length) // 2
    )
    return min(max(start, 0), room - length)
