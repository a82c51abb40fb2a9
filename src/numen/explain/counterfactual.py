"""What would have to be different for a model to answer otherwise: few columns, by little.

A counterfactual is the nearest row that is answered as wanted (Wachter et al. 2017); several that
differ in what they change tell more than one (Mothilal et al. 2020). The search asks a model about
many rows at once and knows nothing else of it: columns are changed one after the other, the most
promising combinations are gone on with, and what was reached is taken back as far as it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from numen.core.signature import Array

MOST_COLUMNS: Final = 4  # that one counterfactual changes
_BEAM: Final = 32  # combinations that are gone on with
_PROMISING: Final = 24  # columns that are combined
_STEPS: Final = 16  # of taking a number back
_DIGITS: Final = (2, 3)  # of a change that are tried before it is left as it was found
Margin: TypeAlias = Callable[[Array], Array]  # float32[n, width] to float[n]; reached above 0


class Changed(msgspec.Struct, frozen=True):
    """One column that is different: a number, the name of a category, or None for missing."""

    column: str
    before: float | str | None
    after: float | str


class Counterfactual(msgspec.Struct, frozen=True):
    """A row that is answered as wanted.

    Attributes:
        changes: What is different from the row that was asked about.
        distance: How far it is, summed over the columns: of a number in standard deviations of
            the rows the model learnt from, of a category 1.
        answer: What the model says of it.
    """

    changes: tuple[Changed, ...]
    distance: float
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """What one column may become.

    Attributes:
        place: Of its number in a row.
        options: The numbers that are tried, rising.
        spread: What counts as one step of a number; 0 of a category, whose values have no order.
        whole: Only whole numbers make sense.
    """

    place: int
    options: Array
    spread: float
    whole: bool = False


def search(margin: Margin, row: Array, moves: Sequence[Move], most: int) -> list[Array]:
    """Rows near this one for which the margin is above 0.

    A further column costs as much as one standard deviation of a number.

    Args:
        margin: By how much a row is answered as wanted.
        row: float32[width], whose margin is not above 0.
        moves: What may change.
        most: How many are wanted.

    Returns:
        At most `most`, the nearest first; none changes all the columns that a nearer one does.
    """
    found: list[Array] = []
    beam = row[None]
    left = list(moves)
    for depth in range(1, MOST_COLUMNS + 1):
        tried = _further(beam, row, left)
        if not len(tried):
            break
        said = margin(tried)
        there = said > 0
        starts = _best_of_each(tried[there], said[there], row, _BEAM)
        reached = (_taken_back(margin, row, start, moves) for start in starts)
        found = _apart([*found, *reached], row, moves)
        if len(found) >= most and depth > 1:
            break
        tried, said = tried[~there], said[~there]
        if depth == 1:
            best = {m.place: _greatest(said[tried[:, m.place] != row[m.place]]) for m in moves}
            left = sorted(left, key=lambda m: -best[m.place])[:_PROMISING]
        beam = np.array(list(_best_of_each(tried, said, row, _BEAM)), np.float32)
    return found[:most]


def distance(row: Array, other: Array, moves: Sequence[Move]) -> float:
    """How far two rows are from each other; see `Counterfactual`."""
    return sum(
        abs(float(other[m.place]) - float(row[m.place])) / m.spread
        if m.spread and not np.isnan(row[m.place])
        else 1.0
        for m in moves
        if m.place in changed(row, other)
    )


def changed(row: Array, other: Array) -> frozenset[int]:
    """The places in which two rows differ; what is missing in both is alike."""
    alike = (other == row) | (np.isnan(other) & np.isnan(row))
    return frozenset(np.flatnonzero(~alike).tolist())


def _greatest(values: Array) -> float:
    return float(values.max(initial=-np.inf))


def _further(beam: Array, row: Array, moves: Sequence[Move]) -> Array:
    """Every row of the beam with one more column at each of its options, float32[n, width]."""
    made = []
    for state in beam:
        gone = changed(row, state)
        for move in moves:
            options = move.options[move.options != row[move.place]]
            if move.place in gone or not len(options):
                continue
            rows = np.repeat(state[None], len(options), axis=0)
            rows[:, move.place] = options
            made.append(rows)
    return np.concatenate(made) if made else np.zeros((0, len(row)), np.float32)


def _best_of_each(rows: Array, said: Array, row: Array, most: int) -> Iterator[Array]:
    """Of each combination of columns and directions the best row, the best first.

    Of rows that are as good, as trees' are that saw no difference, the one that went farthest.
    """
    seen = set()
    far = np.nan_to_num(np.abs(rows - row)).sum(1)
    for place in np.lexsort((-far, -said)):
        key = (changed(row, rows[place]), tuple(np.sign(np.nan_to_num(rows[place] - row))))
        if key not in seen:
            seen.add(key)
            yield rows[place]
        if len(seen) >= most:
            return


def _taken_back(margin: Margin, row: Array, start: Array, moves: Sequence[Move]) -> Array:
    """A row that is reached, with each change taken back as far as it stays so."""
    state = np.array(start)
    for _ in range(len(changed(row, start)) + 1):
        before = np.array(state)
        ours = [move for move in moves if move.place in changed(row, state)]
        for move in sorted(ours, key=lambda move: -distance(row, state, [move])):
            nearer = np.repeat(state[None], len(options := _nearer(row, state, move)), axis=0)
            nearer[:, move.place] = options
            held = np.flatnonzero(margin(nearer) > 0)
            if len(held):
                state = nearer[held[0]]
        if not len(changed(before, state)):
            break
    return _rounded(margin, row, state, moves)


def _nearer(row: Array, state: Array, move: Move) -> Array:
    """What a changed column may be taken back to, the nearest to the row first."""
    was, now = row[move.place], state[move.place]
    if not move.spread or np.isnan(was):
        return np.array([was], np.float32)
    steps = was + (now - was) * np.linspace(0, 1, _STEPS, endpoint=False)
    options = (np.ceil(steps) if now > was else np.floor(steps)) if move.whole else steps
    inside = (options == was) | ((options >= move.options[0]) & (options <= move.options[-1]))
    return np.asarray(options[inside], np.float32)


def _rounded(margin: Margin, row: Array, state: Array, moves: Sequence[Move]) -> Array:
    """The numbers that changed, with no more digits than are needed."""
    for move in moves:
        was, now = float(row[move.place]), float(state[move.place])
        if not move.spread or now == was or np.isnan(was):
            continue
        for digits in _DIGITS:
            unit = 10.0 ** (np.floor(np.log10(abs(now - was))) + 1 - digits)
            round_ = np.ceil if now > was else np.floor
            value = np.float32(round_(now / unit) * unit)
            tried = np.array(state)
            tried[move.place] = value
            inside = move.options[0] <= value <= move.options[-1]
            if inside and margin(tried[None])[0] > 0:
                state = tried
                break
    return state


def _apart(found: Sequence[Array], row: Array, moves: Sequence[Move]) -> list[Array]:
    """The nearest first, without those that change all that a nearer one does, and more."""
    kept: list[Array] = []
    for state in sorted(found, key=lambda s: len(changed(row, s)) + distance(row, s, moves)):
        if not any(changed(row, near) <= changed(row, state) for near in kept):
            kept.append(state)
    return kept
