"""A dataset for the eye: its profile and some of its rows, in a terminal or as a PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from numen.core.errors import InvalidInput
from numen.core.manifest import ColumnsInput, ImageInput, TextInput
from numen.core.signature import Array, format_shape
from numen.data.dataset import Dataset
from numen.data.pixels import fit
from numen.data.profile import ColumnProfile, Profile
from numen.data.split import Split
from numen.data.texts import TextProfile

_BAR: Final = 32
_LISTED: Final = 10
_COLUMNS: Final = 40
_SHOWN: Final = 400  # characters of a text
_SEED: Final = 7
_RAMP: Final = " .:-=+*#%@"


def render(profile: Profile, title: str = "") -> RenderableType:
    """The profile for a terminal: counts, class balance, columns, what is suspicious, notes."""
    parts: list[RenderableType] = [_heading(profile, title)]
    if profile.labels is not None:
        parts.append(_balance(profile, profile.labels))
    parts.append(_columns(profile) if profile.text is None else _text(profile.text))
    if profile.suspicious:
        parts.append(_suspicious(profile))
    parts += [Text(f"• {note}", style="yellow") for note in profile.notes]
    return Group(*parts)


def render_samples(data: Dataset, count: int = 10, width: int = 28) -> RenderableType:
    """Some training rows for a terminal: pictures, or a table of values.

    Args:
        data: The dataset.
        count: How many rows; of pictures, as many classes as that allows.
        width: Characters a picture may be wide.
    """
    if isinstance(data.preprocess, TextInput):
        return _texts(data, count)
    if not isinstance(data.preprocess, ImageInput):
        return _rows(data, count)
    labels = data.labels or ()
    each = max(1, count // max(len(labels), 1))
    pictures = []
    for label, picture in _of_classes(data.train, len(labels), each, count):
        pictures.append(Group(Text(labels[label], style="bold"), Picture(picture, width)))
    return Columns(pictures, padding=(1, 2))


class Picture:
    """A picture in a terminal: coloured half blocks, or characters by ink where colours fail.

    Args:
        pixels: `uint8[h, w]` or `uint8[h, w, 3]`.
        width: Characters a line, at most.
    """

    def __init__(self, pixels: Array, width: int = 28):
        self._pixels = pixels
        self._width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield (halfblocks if console.color_system else shades)(self._pixels, self._width)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        wide = min(self._width, self._pixels.shape[1])
        return Measurement(wide, wide)


def shades(pixels: Array, width: int = 28) -> Text:
    """A picture as plain characters, the brighter the denser; see `halfblocks`."""
    height, wide = pixels.shape[:2]
    wide, height = min(width, wide), max(1, round(height * min(width, wide) / wide / 2))
    grey = fit(pixels, (height, wide, 3)).mean(axis=2)
    lines = ("".join(_RAMP[int(v * len(_RAMP) / 256)] for v in row) for row in grey.tolist())
    return Text("".join(f"{line}\n" for line in lines), no_wrap=True, end="")


def halfblocks(pixels: Array, width: int = 28) -> Text:
    """A picture as coloured characters, two pixels each, one above the other.

    Args:
        pixels: `uint8[h, w]` or `uint8[h, w, 3]`.
        width: Characters a line, at most; the picture is made smaller, never larger.
    """
    height, wide = pixels.shape[:2]
    if wide > width:
        height, wide = max(1, round(height * width / wide)), width
    pixels = fit(pixels, (height, wide, 3))
    if height % 2:
        pixels = np.concatenate([pixels, np.zeros((1, wide, 3), np.uint8)])
    text = Text(no_wrap=True, end="")
    for top, bottom in zip(pixels[::2].tolist(), pixels[1::2].tolist(), strict=True):
        for above, below in zip(top, bottom, strict=True):
            text.append("▀", f"{_hex(above)} on {_hex(below)}")
        text.append("\n")
    return text


def contact_sheet(data: Dataset, rows: int = 8, classes: int = 20, side: int = 64) -> Image.Image:
    """A grid of training pictures: a column for each class, its label on top.

    Args:
        data: A dataset of pictures.
        rows: Pictures of each class.
        classes: Most classes to show.
        side: Pixels a picture's longer side gets.

    Raises:
        InvalidInput: It holds no pictures, or a size is below 1.
    """
    layout = data.preprocess
    if not isinstance(layout, ImageInput):
        raise InvalidInput(f'dataset "{data.name}": expected pictures, it is a table')
    if min(rows, classes, side) < 1:
        raise InvalidInput("contact sheet: expected rows, classes and side of at least 1")
    labels = (data.labels or ())[:classes]
    factor = side / max(layout.height, layout.width)
    high, wide = max(1, round(layout.height * factor)), max(1, round(layout.width * factor))
    gap, head = 4, 18
    sheet = Image.new(
        "RGB",
        (gap + len(labels) * (wide + gap), head + rows * (high + gap)),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    filled = [0] * len(labels)
    for place, label in enumerate(labels):
        room = max(1, wide // 7)
        short = label if len(label) <= room else label[: room - 1] + "…"
        draw.text((gap + place * (wide + gap), 2), short, "black", font)
    for place, picture in _of_classes(data.train, len(labels), rows, rows * len(labels)):
        corner = (gap + place * (wide + gap), head + filled[place] * (high + gap))
        resized = Image.fromarray(picture).resize((wide, high), Image.Resampling.NEAREST)
        sheet.paste(resized, corner)
        filled[place] += 1
    return sheet


def _heading(profile: Profile, title: str) -> RenderableType:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    if title:
        table.add_row("dataset", Text(title))
    table.add_row("digest", profile.digest)
    counts = ", ".join(f"{name} {count:,}" for name, count in profile.rows.items())
    table.add_row("rows", counts)
    what = {"image": "picture", "text": "text"}.get(profile.schema[0].kind, "columns")
    table.add_row("a row", f"{what} {format_shape(profile.shape)}")
    kind = "a quantity" if profile.labels is None else f"{len(profile.labels)} classes"
    table.add_row("target", Text(f"{profile.target} ({kind})"))
    repeated = ", ".join(f"{name} {count:,}" for name, count in profile.repeated.items() if count)
    shared = f"{profile.shared:,} of test also in train" if profile.shared else ""
    table.add_row("duplicates", "; ".join(filter(None, (repeated, shared))) or "none")
    missing = sum(column.missing for column in profile.schema)
    table.add_row("missing", f"{missing:,} values" if missing else "none")
    doubt = f"{profile.suspicious_total:,}" if profile.suspicious_total else "none"
    if profile.compared:
        doubt += f" (neighbours of {profile.compared:,} training rows were looked at)"
    if profile.labels is not None:
        table.add_row("suspicious", doubt)
    return table


def _balance(profile: Profile, labels: tuple[str, ...]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), title="Classes", title_justify="left")
    table.add_column("class", overflow="ellipsis", no_wrap=True)
    for name in profile.balance:
        table.add_column(name, justify="right")
    table.add_column("of training rows")
    train = profile.balance["train"]
    most, total = max(*train, 1), max(sum(train), 1)
    for place, label in enumerate(labels[:_COLUMNS]):
        counts = [f"{counts[place]:,}" for counts in profile.balance.values()]
        bar = Text("█" * max(round(_BAR * train[place] / most), train[place] > 0), style="cyan")
        bar.append(f" {train[place] / total:.1%}", style="dim")
        table.add_row(Text(label), *counts, bar)
    if len(labels) > _COLUMNS:
        table.add_row(f"… {len(labels) - _COLUMNS} more")
    return table


def _columns(profile: Profile) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), title="Columns", title_justify="left")
    table.add_column("column")
    for name in ("kind", "missing", "min", "mean", "max", "std"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    listed = list(profile.schema[:_COLUMNS])
    if profile.quantity is not None:
        listed.append(profile.quantity)
    for column in listed:
        kind = f"{column.categories} categories" if column.kind == "category" else column.kind
        table.add_row(Text(column.name), kind, f"{column.missing:,}", *_statistics(column))
    if len(profile.schema) > _COLUMNS:
        table.add_row(f"… {len(profile.schema) - _COLUMNS} more")
    return table


def _statistics(column: ColumnProfile) -> Iterator[str]:
    for value in (column.min, column.mean, column.max, column.std):
        yield "" if value is None else f"{value:.4g}"


def _suspicious(profile: Profile) -> RenderableType:
    title = "Labels to look at"
    table = Table(box=None, padding=(0, 2, 0, 0), title=title, title_justify="left")
    for name in ("split", "row", "label", "rather", "why"):
        table.add_column(name)
    for each in profile.suspicious[:_LISTED]:
        what = "equal rows" if each.reason == "same input" else "nearest rows"
        why = f"{each.votes} of {each.of} {what} say so"
        table.add_row(
            each.split,
            str(each.row),
            Text(each.label),
            Text(each.suggestion or "?"),
            why if each.suggestion else f"{each.of} equal rows are divided",
        )
    if profile.suspicious_total > _LISTED:
        table.add_row(f"… {profile.suspicious_total - _LISTED:,} more")
    return table


def _rows(data: Dataset, count: int) -> RenderableType:
    assert isinstance(data.preprocess, ColumnsInput)
    columns = data.preprocess.columns
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns[:_COLUMNS]:
        table.add_column(Text(column.name))
    table.add_column(Text(data.target), style="bold")
    batch = next(data.train.batches(max(count, 1)))
    (inputs,) = batch.inputs.values()
    for row, target in zip(inputs.tolist(), batch.target.tolist(), strict=True):
        cells = []
        for value, column in zip(row, columns[:_COLUMNS], strict=False):
            if math.isnan(value):
                cells.append(Text("missing", style="dim"))
            elif column.categories is not None:
                cells.append(Text(column.categories[int(value)]))
            else:
                cells.append(Text(f"{value:g}"))
        table.add_row(*cells, Text(data.labels[target] if data.labels else f"{target:g}"))
    return table


def _text(profile: TextProfile) -> RenderableType:
    """How long the texts are, and their most frequent words."""
    table = Table(box=None, padding=(0, 2, 0, 0), title="Texts", title_justify="left")
    for name in ("", *profile.words):
        table.add_column(name, justify="right" if name else "left")
    for name, figures in (("words", profile.words), ("characters", profile.characters)):
        table.add_row(name, *(f"{value:,.4g}" for value in figures.values()))
    frequent = ", ".join(f"{word} {count:,}" for word, count in profile.frequent)
    return Group(table, Text(f"{profile.vocabulary:,} different words: {frequent}"))


def _texts(data: Dataset, count: int) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(Text(data.target), style="bold")
    table.add_column("text")
    batch = next(data.train.batches(max(count, 1)))
    (inputs,) = batch.inputs.values()
    for text, target in zip(inputs[:, 0].tolist(), batch.target.tolist(), strict=True):
        short = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
        label = data.labels[target] if data.labels else f"{target:g}"
        table.add_row(Text(label), Text(" ".join(short.split())))
    return table


def _of_classes(split: Split, classes: int, each: int, count: int) -> Iterator[tuple[int, Array]]:
    """Class and pixels of up to `each` rows of every class, `count` in all; the same every time."""
    random = np.random.default_rng(_SEED)
    target = split.target
    chosen: list[int] = []
    for label in range(classes):
        rows = np.flatnonzero(target == label)
        chosen += np.sort(random.permutation(rows)[:each]).tolist()
    for batch in split.take(chosen[:count]).batches(64):
        (inputs,) = batch.inputs.values()
        yield from zip(batch.target.tolist(), inputs, strict=True)


def _hex(colour: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
