"""A picture of drift: the columns that changed most, then and now."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np

from numen.core.errors import MissingExtra
from numen.core.signature import Array
from numen.data.drift import Counts, Drift, Reference

_SHOWN: Final = 12
_NAMES: Final = 8  # categories that are drawn, the commonest first
_THEN: Final = "#8fb4dc"
_NOW: Final = "#b3541e"
_BARS: Final = 12


def draw(drift: Drift, before: Reference, after: Reference) -> bytes:
    """The columns that changed most as small histograms, as a PNG.

    Args:
        drift: What changed.
        before: What was counted then.
        after: What was counted now, in the same bins.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra.of("drawing", "train") from error
    then = {c.name: c for c in (*before.columns, *before.outputs)}
    now = {c.name: c for c in (*after.columns, *after.outputs)}
    shown = drift.changes[:_SHOWN]
    rows = -(-len(shown) // 3)
    figure = Figure((10, 2.4 * rows + 0.3), layout="constrained")
    grid = np.atleast_1d(figure.subplots(rows, 3, squeeze=False).reshape(-1))
    for axes, change in zip(grid, shown, strict=False):
        _one(axes, then[change.column], now[change.column])
        title = f"{change.column[:28]}: {change.verdict}"
        axes.set_title(f"{title}, PSI {change.psi:.2f}", fontsize=9, loc="left")
    for axes in grid[len(shown) :]:
        axes.set_visible(False)
    grid[0].legend(frameon=False, fontsize=8)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=130, metadata={"Software": None})
    return target.getvalue()


def _one(axes: Any, then: Counts, now: Counts) -> None:
    names, a, b = _bars(then, now)
    places = np.arange(len(names))
    axes.bar(places - 0.2, a, 0.4, color=_THEN, label="then")
    axes.bar(places + 0.2, b, 0.4, color=_NOW, label="now")
    axes.set_xticks(places, names, fontsize=7, rotation=45 if max(map(len, names)) > 4 else 0)
    axes.tick_params(axis="y", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _bars(then: Counts, now: Counts) -> tuple[list[str], Array, Array]:
    """Parts of the rows: of the commonest categories, or of ranges of numbers."""
    if then.edges:
        a, b = np.array(then.bins), np.array(now.bins)
        step = max(1, -(-len(a) // _BARS))
        starts = list(range(0, len(a), step))
        names = [f"≤{then.edges[min(i + step, len(a) - 1) - 1]:.3g}" for i in starts]
        names[-1] = f">{then.edges[max(starts[-1] - 1, 0)]:.3g}"
        a, b = np.add.reduceat(a, starts), np.add.reduceat(b, starts)
    else:
        every = then.categories.keys() | now.categories.keys()
        both = {n: then.categories.get(n, 0) + now.categories.get(n, 0) for n in every}
        common = sorted(both, key=lambda n: (-both[n], n))[:_NAMES]
        a = np.array([then.categories.get(n, 0) for n in common])
        b = np.array([now.categories.get(n, 0) for n in common])
        names = [n[:12] for n in common] or ["none"]
        a, b = (a, b) if common else (np.zeros(1), np.zeros(1))
    return names, a / max(then.rows, 1), b / max(now.rows, 1)
