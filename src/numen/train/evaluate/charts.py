"""Pictures of a report: where classes are mixed up, how sure and how right it is, how slices fare.

Blues and shades of one colour only, which the colour-blind tell apart as well as others do.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from numen.train.evaluate.report import Report

_DPI: Final = 150
_NUMBERED: Final = 24  # classes whose confusion picture still has room for numbers
_SLICES: Final = 30  # that are drawn


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of a picture on light or on dark paper."""

    paper: str
    text: str
    line: str
    bar: str
    weak: str
    shades: str


LIGHT: Final = Ink("#ffffff", "#1a1a1a", "#1f5fa8", "#8fb4dc", "#b3541e", "Blues")
DARK: Final = Ink("#15181d", "#e6e6e6", "#7db3ea", "#3f6ea3", "#f0a060", "Blues_r")


def plots(report: Report, ink: Ink = LIGHT) -> dict[str, bytes]:
    """`confusion.png` and `calibration.png` of a classifier; `slices.png` where there are columns.

    Raises:
        ModuleNotFoundError: matplotlib (extra `train`) is not installed.
    """
    made = {}
    with drawn_in(ink):
        if report.confusion:
            made = {
                "confusion.png": _confusion(report, ink),
                "calibration.png": _calibration(report, ink),
            }
        if len(report.slices) > len(report.classes):  # classes are in the confusion already
            made["slices.png"] = _slices(report, ink)
    return made


def drawn_in(ink: Ink) -> Any:
    """What is drawn within this has such paper and such ink.

    Raises:
        ModuleNotFoundError: matplotlib (extra `train`) is not installed.
    """
    import matplotlib

    lines = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    papers = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return matplotlib.rc_context(dict.fromkeys(lines, ink.text) | dict.fromkeys(papers, ink.paper))


def _confusion(report: Report, ink: Ink) -> bytes:
    """Shares of each true class as shades; the numbers too where there is room for them."""
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    counts = np.array(report.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [
        c.label if len(c.label) <= 24 else f"{c.label[:15]}…{c.label[-8:]}" for c in report.classes
    ]
    size = len(names)
    side = float(np.clip(2.5 + 0.45 * size, 4.5, 12))
    letters = float(np.clip(500 / size, 4, 9))
    figure = Figure((side * 1.15, side), layout="constrained")
    axes = figure.add_subplot()
    # Rare mistakes are what one looks for, so shades climb faster at the low end.
    shades = axes.imshow(shares, cmap=ink.shades, norm=PowerNorm(0.5, 0, 1))
    turned = 90 if size > 12 or max(map(len, names)) > 4 else 0
    axes.set_xticks(range(size), names, fontsize=letters, rotation=turned)
    axes.set_yticks(range(size), names, fontsize=letters)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{report.accuracy:.2%} of {report.rows:,} right", loc="left")
    for i, j in zip(*np.nonzero(counts), strict=True) if size <= _NUMBERED else ():
        color = "#1a1a1a" if (shares[i, j] > 0.35) == (ink is DARK) else "white"
        axes.text(j, i, _short(counts[i, j]), ha="center", va="center", color=color, fontsize=8)
    figure.colorbar(shades, ax=axes, label="part of the true class", shrink=0.8, pad=0.02)
    return png(figure)


def _calibration(report: Report, ink: Ink) -> bytes:
    """Accuracy against confidence above, how many rows are how sure below."""
    from matplotlib.figure import Figure

    figure = Figure((5.2, 5.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    sure = [b.confidence for b in report.calibration]
    middle = [(b.low + b.high) / 2 for b in report.calibration]
    upper.plot([0, 1], [0, 1], color="#999999", linestyle="--", label="as sure as right")
    upper.plot(sure, [b.accuracy for b in report.calibration], marker="o", color=ink.line)
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.set_title(f"expected calibration error {report.ece:.3f}", loc="left")
    upper.legend(frameon=False, loc="upper left")
    lower.bar(middle, [b.rows for b in report.calibration], width=0.09, color=ink.bar)
    lower.set(xlabel="confidence", ylabel="rows", yscale="log")
    for axes in (upper, lower):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _slices(report: Report, ink: Ink) -> bytes:
    """Each slice's score with its interval; the line is that of all rows."""
    from matplotlib.figure import Figure

    classes = {c.label for c in report.classes}
    shown = sorted(
        (s for s in report.slices if s.value not in classes or s.weak),
        key=lambda s: (not s.weak, s.column),
    )[:_SLICES]
    figure = Figure((6.4, 1.2 + 0.28 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, part in enumerate(shown):
        color = ink.weak if part.weak else ink.line
        axes.plot([part.low, part.high], [place, place], color=color, linewidth=2)
        axes.plot(part.score, place, marker="D" if part.weak else "o", color=color)
    name, whole = report.scored
    axes.axvline(whole, color="#999999", linestyle="--")
    names = [f"{s.column} = {s.value}"[:48] for s in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel(name)
    axes.set_title("slices; diamonds are worse than the rest", loc="left", fontsize=10)
    axes.grid(alpha=0.25, axis="x")
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def _short(count: int) -> str:
    return str(count) if count < 10_000 else f"{count / 1000:.0f}k"


def png(figure: Any) -> bytes:
    """The picture's file, the same for the same picture."""
    target = io.BytesIO()
    # No version or date in it.
    figure.savefig(target, format="png", dpi=_DPI, metadata={"Software": None})
    return target.getvalue()
