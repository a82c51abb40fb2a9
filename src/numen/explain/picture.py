"""Pictures of attributions: heat over an image, signed bars, coloured words, moments, steps.

Colours run from blue (against the answer) over nothing to orange (for it), in equal steps of
lightness and chroma in OKLab (Ottosson 2020), which most colour-blind people tell apart too.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from numen.core.signature import Array

_BLUE, _ORANGE = np.deg2rad(255), np.deg2rad(55)
_LIGHT, _FALL, _CHROMA = 0.97, 0.42, 0.16
_EDGE: Final = 99.0  # the percentile of sizes that has the full colour: one spot shall not pale all
_SIDE: Final = 320
_PAD: Final = 16
_INK, _FAINT, _PAPER = (26, 26, 30), (110, 110, 118), (255, 255, 255)
_TOP: Final = 12  # columns that are shown
_MOMENTS: Final = 100  # of a sound


def colours(share: Array) -> Array:
    """uint8[…, 3] of shares from -1 to 1."""
    size = np.clip(np.abs(share), 0, 1)
    hue = np.where(share < 0, _BLUE, _ORANGE)
    light, chroma = _LIGHT - _FALL * size, _CHROMA * size
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    l_, m_, s_ = (
        (light + x * a + y * b) ** 3
        for x, y in ((0.3963377774, 0.2158037573), (-0.1055613458, -0.0638541728),
                     (-0.0894841775, -1.2914855480))
    )  # fmt: skip
    linear = np.stack(
        [4.0767416621 * l_ - 3.3077115913 * m_ + 0.2309699292 * s_,
         -1.2684380046 * l_ + 2.6097574011 * m_ - 0.3413193965 * s_,
         -0.0041960863 * l_ - 0.7034186147 * m_ + 1.7076147010 * s_], -1,
    ).clip(0, 1)  # fmt: skip
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    made: Array = np.round(curved * 255).astype(np.uint8)
    return made


def shares(values: Array) -> Array:
    """Values as parts of the largest but for outliers, from -1 to 1."""
    sizes = np.abs(np.nan_to_num(values))
    most = np.percentile(sizes, _EDGE) if sizes.size > 100 else sizes.max(initial=0)
    most = most or sizes.max(initial=0)
    return np.clip(np.nan_to_num(values) / most, -1, 1) if most else np.zeros_like(sizes)


def over(image: Array, values: Array) -> Array:
    """uint8[h, w, 3] of an image, uint8[h, w] or [h, w, 3], behind the colours of its values."""
    grey = image if image.ndim == 2 else image.mean(-1)
    share = shares(values)
    size = np.abs(share)[..., None]
    # The image stays behind as a pale shade, so that colour alone says how much.
    pale = np.repeat(255 - (255 - grey[..., None].astype(float)) * 0.35, 3, -1)
    mixed: Array = (pale * (1 - size) + colours(share) * size).round().astype(np.uint8)
    return mixed


def heat(image: Array, values: Array, title: str = "") -> bytes:
    """A PNG of an image with what spoke for the answer and against it.

    Args:
        image: uint8[h, w] or [h, w, 3].
        values: float[h, w].
        title: Stands above.
    """
    mixed = Image.fromarray(over(image, values))
    scale = max(1, round(_SIDE / max(image.shape[:2])))
    wide = mixed.resize((mixed.width * scale, mixed.height * scale), Image.Resampling.NEAREST)
    page = Image.new("RGB", (wide.width + 2 * _PAD, wide.height + 2 * _PAD + 52), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_PAD, _PAD - 2), _fitted(title, wide.width, 15), _INK, _font(15))
    page.paste(wide, (_PAD, _PAD + 24))
    _legend(page, draw, _PAD, page.height - _PAD - 12, wide.width)
    return _png(page)


def bars(said: Sequence[str], values: Array, title: str = "") -> bytes:
    """A PNG of signed bars, the largest first; what is left is summed.

    Args:
        said: What stands beside each bar, such as `age = 61`.
        values: float[columns].
        title: Stands above.
    """
    rows = largest(said, values, _TOP)
    width, row, label = 640, 26, 230
    page = Image.new("RGB", (width, len(rows) * row + 2 * _PAD + 30), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_PAD, _PAD - 2), _fitted(title, width - 2 * _PAD, 15), _INK, _font(15))
    most = max((abs(value) for _, value in rows), default=0) or 1
    middle = label + (width - label - _PAD) // 2
    reach = (width - label - _PAD) // 2 - 58
    for place, (name, value) in enumerate(rows):
        top = _PAD + 28 + place * row
        end = middle + round(value / most * reach)
        tint = tuple(int(c) for c in colours(np.array(0.85 if value > 0 else -0.85)))
        draw.text((_PAD, top + 3), _fitted(name, label - _PAD - 8, 13), _INK, _font(13))
        draw.rectangle((min(middle, end), top + 2, max(middle, end), top + row - 7), tint)
        anchor, gap = ("ls", 5) if value >= 0 else ("rs", -5)
        draw.text((end + gap, top + 16), f"{value:+.3g}", _FAINT, _font(12), anchor=anchor)
    draw.line((middle, _PAD + 26, middle, page.height - _PAD), _FAINT)
    return _png(page)


def largest(said: Sequence[str], values: Array, most: int) -> list[tuple[str, float]]:
    """The `most` largest by size, the largest first, and the sum of the others."""
    order = np.argsort(-np.abs(values), kind="stable")
    rows = [(said[n], float(values[n])) for n in order[:most]]
    if len(order) > most:
        rows.append((f"{len(order) - most} others", float(values[order[most:]].sum())))
    return rows


def short(value: object) -> str:
    """A column's value as it stands beside a bar."""
    return "missing" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def wave(samples: Array, values: Array, title: str = "") -> bytes:
    """A PNG of a sound, each of its moments in its colour.

    Args:
        samples: float[samples], from -1 to 1.
        values: float[samples], summed by moment.
        title: Stands above.
    """
    count = min(_MOMENTS, len(samples))
    edges = np.linspace(0, len(samples), count + 1).astype(int)[:-1]
    loud = np.maximum.reduceat(np.abs(samples), edges)
    share = shares(np.add.reduceat(values, edges))
    width, height = count * 6, 160
    page = Image.new("RGB", (width + 2 * _PAD, height + 2 * _PAD + 52), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_PAD, _PAD - 2), _fitted(title, width, 15), _INK, _font(15))
    middle = _PAD + 24 + height // 2
    for place, (size, part) in enumerate(zip(loud / (loud.max() or 1), share, strict=True)):
        left, reach = _PAD + place * 6, 1 + round(float(size) * (height // 2 - 4))
        around = tuple(int(c) for c in colours(np.array(part)))
        draw.rectangle((left, _PAD + 24, left + 5, _PAD + 23 + height), around)
        draw.rectangle((left + 2, middle - reach, left + 3, middle + reach), _INK)
    _legend(page, draw, _PAD, page.height - _PAD - 12, width)
    return _png(page)


def grid(names: Sequence[str], values: Array, title: str = "") -> bytes:
    """A PNG of columns by steps, each cell in its colour; the columns that say most.

    Args:
        names: Of the columns.
        values: float[columns, steps].
        title: Stands above.
    """
    order = np.argsort(-np.abs(values).sum(1), kind="stable")[:_TOP]
    share = colours(shares(values[order]))
    label, row = 170, 24
    cell = max(4, min(28, 460 // values.shape[1]))
    width = label + cell * values.shape[1]
    page = Image.new("RGB", (width + 2 * _PAD, len(order) * row + 2 * _PAD + 56), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_PAD, _PAD - 2), _fitted(title, width, 15), _INK, _font(15))
    for place, column in enumerate(order):
        top = _PAD + 28 + place * row
        draw.text((_PAD, top + 3), _fitted(names[column], label - 12, 13), _INK, _font(13))
        for step, tint in enumerate(share[place]):
            left = _PAD + label + step * cell
            box = (left, top, left + cell - 2, top + row - 3)
            draw.rectangle(box, tuple(int(c) for c in tint))
    _legend(page, draw, _PAD, page.height - _PAD - 12, width)
    return _png(page)


def words(tokens: Sequence[str], values: Array, title: str = "") -> bytes:
    """A PNG of a text's words, each behind its colour.

    Args:
        tokens: The words.
        values: float[words].
        title: Stands above.
    """
    share, font = shares(values), _font(18)
    width, line = 640, 34
    places, x, y = [], _PAD, _PAD + 30
    for token in tokens:
        long = round(font.getlength(token))
        if x + long + 8 > width - _PAD and x > _PAD:
            x, y = _PAD, y + line
        places.append((x, y, long))
        x += long + 14
    page = Image.new("RGB", (width, y + line + _PAD), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_PAD, _PAD - 2), _fitted(title, width - 2 * _PAD, 15), _INK, _font(15))
    for token, part, (left, top, long) in zip(tokens, share, places, strict=False):
        tint = tuple(int(c) for c in colours(np.array(part)))
        draw.rounded_rectangle((left - 5, top - 2, left + long + 5, top + 25), 5, tint)
        draw.text((left, top), token, _INK, font)
    return _png(page)


def _legend(page: Image.Image, draw: ImageDraw.ImageDraw, left: int, top: int, width: int) -> None:
    strip = colours(np.linspace(-1, 1, 120))[None]
    page.paste(Image.fromarray(strip).resize((120, 8)), (left + (width - 120) // 2, top + 4))
    font = _font(12)
    middle = left + width // 2
    draw.text((middle - 66, top + 12), "against", _FAINT, font, anchor="rs")
    draw.text((middle + 66, top + 12), "for it", _FAINT, font, anchor="ls")


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _fitted(text: str, width: int, size: int) -> str:
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _png(page: Image.Image) -> bytes:
    target = io.BytesIO()
    page.save(target, "PNG")
    return target.getvalue()
