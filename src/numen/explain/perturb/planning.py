"""What to ask of a model that is published: as much as answers a row in some tens of milliseconds.

How much that is is told from the size of the graph and not from a clock, so that the same model
always comes with the same plan.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from numen.core.manifest import AudioInput, ImageInput, Preprocess
from numen.core.signature import Array
from numen.explain.perturb.plan import Plan
from numen.explain.perturb.players import groups_of

_SETS: Final = 2048  # of players a row, where the model is small: all there are of 11
_OF_TEXTS: Final = 1024  # the same of texts, which take a graph longer than numbers do
_FEWEST: Final = 64
_FEWEST_OF_TEXTS: Final = 256  # all there are of 8 words
_COPIES: Final = 32
_FEWEST_COPIES: Final = 4  # of fewer rows the mean says more
_RUNS: Final = 1 << 15  # of the model for a row
_WORK: Final = 1 << 26  # numbers of the model that all runs for a row may touch
_MADE: Final = 32  # to make a number of an input takes as long as to touch so many


def plans(how: Preprocess | None, samples: Array, size: int) -> tuple[Plan, Plan]:
    """KernelSHAP, and the quick one: what is lost without each player.

    Args:
        how: How an input comes about.
        samples: `[rows, …]`, recorded inputs; of texts object[rows, 1].
        size: Numbers that the model consists of.
    """
    runs = min(_RUNS, _WORK // (size + _MADE * samples[0].size))
    if samples.dtype.kind not in "fiub":
        none = np.empty(0, np.int64)
        sets = max(_FEWEST_OF_TEXTS, min(_OF_TEXTS, runs))
        return Plan("kernel-shap", sets, none, none), Plan("occlusion", 0, none, none)
    groups = groups_of(samples.shape[1:], how).astype(np.int64)
    players = int(groups.max()) + 1
    sets = min(1 << min(players, 20), _SETS)
    copies = min(runs // sets, _COPIES, len(samples))
    typical = background = _typical(how, samples)[None]
    if copies >= _FEWEST_COPIES and not _silent(how):
        background = samples[:copies]
    sets = max(min(sets, runs // len(background)), _FEWEST)
    return (
        Plan("kernel-shap", sets, groups, background),
        Plan("occlusion", 0, groups, typical),
    )


def _silent(how: Preprocess | None) -> bool:
    """Whether an input may be empty: a black picture, silence."""
    return isinstance(how, ImageInput | AudioInput)


def _typical(how: Preprocess | None, samples: Array) -> Array:
    """One row that stands for nothing being known: black, silence, or what is usual.

    That is the mean, and of whole numbers the commonest: there is nothing between two categories.
    """
    if _silent(how):
        dark = how.offset if isinstance(how, ImageInput) else 0
        return np.full(samples.shape[1:], dark, samples.dtype)
    columns = samples.reshape(len(samples), -1).T
    return np.array([_usual(column) for column in columns], samples.dtype).reshape(
        samples.shape[1:]
    )


def _usual(column: Array) -> float:
    there = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    if not len(there):
        return float("nan")
    values, counts = np.unique(there, return_counts=True)
    if np.array_equal(values, np.trunc(values)):
        return float(values[counts.argmax()])
    return float(there.mean(dtype=np.float64))
