"""Two pictures of a search: how good its trials were, and what made the difference."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, Literal, TypeAlias

from numen.train.study import Row

Form: TypeAlias = Literal["png", "svg"]
_DPI: Final = 150
_STATES: Final = {"complete": ("o", "#1f5fa8"), "pruned": ("x", "#999999")}


def charts(
    rows: Sequence[Row],
    metric: str,
    importances: Mapping[str, float],
    *,
    rising: bool,
    form: Form = "png",
) -> dict[str, bytes]:
    """`history` and, where anything is known of it, `importance`, by file name.

    Args:
        rows: The trials.
        metric: What they are compared by.
        importances: Of each value that was varied, 0-1.
        rising: More of the metric is better.
        form: What the files are.

    Raises:
        ModuleNotFoundError: matplotlib (extra `train`) is not installed.
    """
    drawn = {f"history.{form}": _history(rows, metric, rising, form)}
    if importances:
        drawn[f"importance.{form}"] = _importance(importances, metric, form)
    return drawn


def _history(rows: Sequence[Row], metric: str, rising: bool, form: Form) -> bytes:
    """Each trial's metric, and the best so far as a line."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure((6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for state, (marker, color) in _STATES.items():
        of = [row for row in rows if row.state == state and row.value is not None]
        if of:
            x, y = [row.number for row in of], [row.value for row in of]
            axes.scatter(x, y, marker=marker, color=color, label=state, zorder=2)  # type: ignore[arg-type]
    done = [row for row in rows if row.state == "complete" and row.value is not None]
    if done:
        values = [row.value or 0.0 for row in done]
        best = list(accumulate(values, max if rising else min))
        axes.step(
            [row.number for row in done], best, where="post", color="#d1495b", label="best so far"
        )
        axes.set_title(f"best {metric} {best[-1]:.4f} of {len(rows)} trials", loc="left")
    axes.set(xlabel="trial", ylabel=metric)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return _drawn(figure, form)


def _importance(importances: Mapping[str, float], metric: str, form: Form) -> bytes:
    """A bar for each value that was varied, the largest on top."""
    from matplotlib.figure import Figure

    figure = Figure((6.4, 1.2 + 0.4 * len(importances)), layout="constrained")
    axes = figure.add_subplot()
    names, shares = list(importances)[::-1], list(importances.values())[::-1]
    bars = axes.barh(names, shares, color="#1f5fa8")
    axes.bar_label(bars, [f"{share:.2f}" for share in shares], padding=3)
    axes.set(xlim=(0, max(1e-9, *shares) * 1.15), xlabel="importance")
    axes.set_title(f"what moved {metric}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return _drawn(figure, form)


def _drawn(figure: Any, form: Form) -> bytes:
    target = io.BytesIO()
    # No version or date in the file, so that the same search gives the same bytes.
    about = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    figure.savefig(target, format=form, dpi=_DPI, metadata=about)
    return target.getvalue()
