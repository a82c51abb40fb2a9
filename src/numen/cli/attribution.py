"""Attributions as a terminal shows them, in the colours of their pictures."""

from __future__ import annotations

from typing import Final

import numpy as np
from rich.style import Style
from rich.text import Text

from numen.cli import show
from numen.core.manifest import ImageInput, WindowInput
from numen.core.signature import Array
from numen.explain.explanation import Explanation
from numen.explain.picture import colours, largest, over, shares, short

_WIDEST: Final = 56  # cells of a picture
_REACH: Final = 20  # cells of a bar to either side
_FULL: Final = 0.85  # of a bar's colour


def drawn(found: Explanation, row: int, top: int) -> Text:
    """A row's attributions: heat over a picture, bars of the `top` columns, coloured words."""
    how = found.manifest.preprocess
    if isinstance(how, ImageInput):
        grey, values = _fitting(*found.heat(row))
        return _cells(over(grey, values)) if show.out.color_system else _signs(shares(values))
    if isinstance(how, WindowInput):
        names, values = found.grid(row)
        sums = values.sum(1)
        return _bars(largest(names, sums, top))
    parts = found.parts(row)
    if parts and "token" in parts[0]:
        share = shares(np.array([part["attribution"] for part in parts]))
        text = Text("  ")
        for part, size in zip(parts, share, strict=True):
            text.append(f" {part['token']} ", _on(size)).append(" ")
        return text
    if parts:
        names = [f"{part['column']} = {short(part['value'])}" for part in parts]
        return _bars(largest(names, np.array([part["attribution"] for part in parts]), top))
    values = np.asarray(found.values[row], float).reshape(-1)
    pieces = np.array_split(values, min(len(values), _WIDEST))
    return Text("  ") + Text.assemble(
        *((" ", _on(size)) for size in shares(np.array([piece.sum() for piece in pieces])))
    )


def _bars(rows: list[tuple[str, float]]) -> Text:
    """Signed bars around a middle line."""
    most = max((abs(value) for _, value in rows), default=0) or 1
    text = Text()
    for name, value in rows:
        long = show.bar(abs(value) / most, _REACH)
        style = Style(color=_rgb(colours(np.array(_FULL if value > 0 else -_FULL))))
        left, right = (" " * _REACH, long) if value > 0 else (long.rjust(_REACH), "")
        if value <= 0:  # eighths of a block grow from the left only
            left = ("█" * round(abs(value) / most * _REACH)).rjust(_REACH)
        cut = name if len(name) <= 32 else name[:31] + "…"
        text.append(f"  {cut:>32} ").append(left, style).append("│", "dim")
        text.append(f"{right:<{_REACH}}", style).append(f" {value:+.3g}\n", "dim")
    text.rstrip()
    return text


def _fitting(pixels: Array, values: Array) -> tuple[Array, Array]:
    """A picture and its heat with no more columns than a terminal shows."""
    step = -(-values.shape[1] // _WIDEST)
    grey = pixels if pixels.ndim == 2 else pixels.mean(-1)
    return grey[::step, ::step], _pooled(values, step)


def _pooled(values: Array, step: int) -> Array:
    height, width = (-(-size // step) * step for size in values.shape)
    padded = np.zeros((height, width))
    padded[: values.shape[0], : values.shape[1]] = values
    summed: Array = padded.reshape(height // step, step, width // step, step).sum((1, 3))
    return summed


def _cells(pixels: Array) -> Text:
    """Two rows of pixels a line, each half a character."""
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.full_like(pixels[:1], 255)])
    text = Text()
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        text.append("  ")
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=_rgb(above), bgcolor=_rgb(below)))
        text.append("\n")
    text.rstrip()
    return text


def _signs(share: Array) -> Text:
    """Where there are no colours: # and + spoke for the answer, = and - against it."""
    marks = np.select([share > 0.5, share > 0.1, share < -0.5, share < -0.1], list("#+=-"), "·")
    return Text("\n".join("  " + "".join(line) for line in marks[::2]))


def _on(share: float) -> Style:
    return Style(color="black", bgcolor=_rgb(colours(np.array(share))))


def _rgb(tint: Array) -> str:
    return "rgb({},{},{})".format(*tint)
