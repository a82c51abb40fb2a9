"""A dataset for the eye: its profile and some of its rows, in a terminal or as a PNG."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import Column, ColumnsInput, ImageInput, TextInput, WindowInput, places
from numen.core.signature import Array, format_shape
from numen.data.dataset import Dataset
from numen.data.pixels import fit
from numen.data.profile import ColumnProfile, Profile
from numen.data.split import Split
from numen.data.suspects import Suspect
from numen.data.texts import TextProfile

_BAR: Final = 32
_LISTED: Final = 10
_COLUMNS: Final = 40
_SHOWN: Final = 400  # characters of a text
_SEED: Final = 7
_EPOCH: Final = date(1970, 1, 1)
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
    """Some training rows for a terminal: pictures, waveforms of sounds, or a table of values.

    Args:
        data: The dataset.
        count: How many rows; of pictures, as many classes as that allows.
        width: Characters a picture may be wide.
    """
    if isinstance(data.preprocess, TextInput):
        return _texts(data, count)
    if isinstance(data.preprocess, ColumnsInput | WindowInput):
        return _rows(data, count)
    labels = data.labels or ()
    each = max(1, count // max(len(labels), 1))
    pictures = []
    for label, row in _of_classes(data.train, len(labels), each, count):
        picture = row if isinstance(data.preprocess, ImageInput) else waveform(row, width)
        pictures.append(Group(Text(labels[label], style="bold"), Picture(picture, width)))
    return Columns(pictures, padding=(1, 2))


def waveform(sound: Array, width: int = 28, height: int = 14) -> Array:
    """A sound as a picture: how far it swings at each moment, the loudest as high as there is room.

    Args:
        sound: `float32[samples]`.
        width: Moments, from left to right.
        height: Pixels from the one side to the other.

    Returns:
        `uint8[height, width]`, bright on dark.
    """
    parts = np.array_split(sound / (np.abs(sound).max() or 1), min(width, len(sound)))
    low, high = (np.array([end(part) for part in parts]) for end in (np.min, np.max))
    level = 1 - (2 * np.arange(height)[:, None] + 1) / height
    half = 1 / height
    inside = (level <= high + half) & (level >= low - half)
    return np.where(inside, np.uint8(230), np.uint8(20))


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
        raise InvalidInput(
            f'dataset "{data.name}": expected pictures, it is a table or a set of sounds'
        )
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


def of_class(data: Dataset, label: str) -> Image.Image:
    """The first test picture of a class, as it is.

    Raises:
        InvalidInput: It holds no pictures, or no such class.
        NotFound: No test picture is of that class.
    """
    if not isinstance(data.preprocess, ImageInput):
        raise InvalidInput(f'dataset "{data.name}": expected pictures to draw, it has none')
    if label not in (data.labels or ()):
        known = ", ".join((data.labels or ())[:20])
        raise InvalidInput(
            f'label: expected one of {known}, received "{label}"', field="label"
        )  # fmt: skip
    wanted = (data.labels or ()).index(label)
    for batch in data.test.batches(256):
        for row in np.flatnonzero(batch.target == wanted)[:1]:
            return Image.fromarray(batch.inputs[data.preprocess.input][row])
    raise NotFound(f'dataset "{data.name}": no test picture is of "{label}"')


def _heading(profile: Profile, title: str) -> RenderableType:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    if title:
        table.add_row("dataset", Text(title))
    table.add_row("digest", profile.digest)
    counts = ", ".join(f"{name} {count:,}" for name, count in profile.rows.items())
    table.add_row("rows", counts)
    table.add_row("a row", _row(profile))
    table.add_row("target", Text(f"{profile.target} ({_kind(profile)})"))
    repeated = ", ".join(f"{name} {count:,}" for name, count in profile.repeated.items() if count)
    shared = f"{profile.shared:,} of test also in train" if profile.shared else ""
    nearly = f"{profile.near:,} of test nearly" if profile.near else ""
    table.add_row("duplicates", "; ".join(filter(None, (repeated, shared, nearly))) or "none")
    missing = sum(column.missing for column in profile.schema)
    table.add_row("missing", f"{missing:,} values" if missing else "none")
    doubt = f"{profile.suspicious_total:,}" if profile.suspicious_total else "none"
    if profile.compared:
        doubt += f" ({profile.compared:,} training rows were judged by the others)"
    if profile.labels is not None and not profile.several:
        table.add_row("suspicious", doubt)
    return table


def _kind(profile: Profile) -> str:
    if profile.several:
        return f"any number of {len(profile.labels or ())} labels"
    if profile.labels is not None:
        return f"{len(profile.labels)} classes"
    return f"{len(profile.quantities)} quantities" if profile.quantities else "a quantity"


def _row(profile: Profile) -> str:
    if profile.rate:
        (samples,) = profile.shape
        return f"sound of {samples / profile.rate:.2f} s at {profile.rate:,} Hz"
    pictures = profile.schema[0].kind == "image"
    return f"{'picture' if pictures else 'columns'} {format_shape(profile.shape)}"


def _balance(profile: Profile, labels: tuple[str, ...]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
    table.title = "Labels" if profile.several else "Classes"
    table.add_column("label" if profile.several else "class", overflow="ellipsis", no_wrap=True)
    for name in profile.balance:
        table.add_column(name, justify="right")
    table.add_column("of training rows")
    train = profile.balance["train"]
    most = max(*train, 1)
    total = max(profile.rows["train"] if profile.several else sum(train), 1)
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
    table.add_column("why", style="dim")
    listed = list(profile.schema[:_COLUMNS])
    listed += [profile.quantity] if profile.quantity is not None else profile.quantities
    for column in listed:
        kind = f"{column.categories} categories" if column.kind == "category" else column.kind
        figures = _statistics(column)
        table.add_row(Text(column.name), kind, f"{column.missing:,}", *figures, Text(column.why))
    if len(profile.schema) > _COLUMNS:
        table.add_row(f"… {len(profile.schema) - _COLUMNS} more")
    return table


def _statistics(column: ColumnProfile) -> Iterator[str]:
    for value in (column.min, column.mean, column.max):
        if value is not None and column.kind == "date":
            yield (_EPOCH + timedelta(days=value)).isoformat()
        else:
            yield "" if value is None else f"{value:.4g}"
    days = " days" if column.kind == "date" else ""
    yield "" if column.std is None else f"{column.std:.4g}{days}"


def _suspicious(profile: Profile) -> RenderableType:
    title = "Labels to look at"
    table = Table(box=None, padding=(0, 2, 0, 0), title=title, title_justify="left")
    for name in ("split", "row", "label", "rather", "why"):
        table.add_column(name)
    for each in profile.suspicious[:_LISTED]:
        table.add_row(
            each.split, str(each.row), Text(each.label), Text(each.suggestion or "?"), _why(each)
        )
    if profile.suspicious_total > _LISTED:
        table.add_row(f"… {profile.suspicious_total - _LISTED:,} more")
    return table


def _why(each: Suspect) -> str:
    if each.reason == "others":
        return f"the others make it {each.likely:.0%}, its own label {each.own:.0%}"
    if not each.suggestion:
        return f"{each.of} equal rows are divided"
    return f"{each.votes} of {each.of} equal rows say so"


def _rows(data: Dataset, count: int) -> RenderableType:
    """Rows of a table; of windows, the last row of each."""
    assert isinstance(data.preprocess, ColumnsInput | WindowInput)
    columns = data.preprocess.columns[:_COLUMNS]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column.name))
    table.add_column(Text(data.target), style="bold")
    batch = next(data.train.batches(max(count, 1)))
    (inputs,) = batch.inputs.values()
    for row, target in zip(inputs, batch.target, strict=True):
        numbers = row.reshape(-1, row.shape[-1])[-1].tolist()
        cells = [_cell(column, numbers[place:]) for place, column in places(columns)]
        table.add_row(*cells, Text(data.told(target)))
    return table


def _cell(column: Column, numbers: list[float]) -> Text:
    value = numbers[0]
    if column.words:
        return Text(f"text of {sum(n > 0 for n in numbers[: column.words])} words", style="dim")
    if math.isnan(value):
        return Text("missing", style="dim")
    if column.date:
        hour = f" {int(numbers[4]):02}:{int(numbers[4] % 1 * 60):02}" if numbers[4] else ""
        return Text((_EPOCH + timedelta(days=value)).isoformat() + hour)
    return Text(f"{value:g}" if column.categories is None else column.categories[int(value)])


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
    for text, target in zip(inputs[:, 0].tolist(), batch.target, strict=True):
        short = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
        table.add_row(Text(data.told(target)), Text(" ".join(short.split())))
    return table


def _of_classes(split: Split, classes: int, each: int, count: int) -> Iterator[tuple[int, Array]]:
    """Label and pixels of up to `each` rows of every label, `count` in all; always the same."""
    random = np.random.default_rng(_SEED)
    target = split.target
    chosen: list[int] = []
    labels: list[int] = []
    for label in range(classes):
        rows = np.flatnonzero(target == label if target.ndim == 1 else target[:, label] > 0)
        found = np.sort(random.permutation(rows)[:each]).tolist()
        chosen += found
        labels += [label] * len(found)
    at = 0
    for batch in split.take(chosen[:count]).batches(64):
        (inputs,) = batch.inputs.values()
        yield from zip(labels[at : at + len(inputs)], inputs, strict=True)
        at += len(inputs)


def _hex(colour: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
