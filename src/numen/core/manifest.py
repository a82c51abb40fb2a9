"""What a bundle says about its model: everything needed to run it, as plain data.

A manifest names no model and no version; those are the registry's. The same training twice gives
the same manifest, so nothing here is a clock or a path of the machine it was made on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from numen.core.conformal import Conformal
from numen.core.errors import InvalidInput
from numen.core.signature import Signature

_VARIANT: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")  # it stands in headers


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a bundle: its path inside it, SHA-256 as hex, and size in bytes."""

    path: str
    sha256: str
    size: int


class ImageInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="image"):
    """How a picture becomes the model's input: `value = pixel * scale + offset`.

    Attributes:
        input: The input's name.
        height: Rows of pixels.
        width: Columns of pixels.
        channels: 1 for grey, 3 for red, green, blue.
        layout: Axes after the batch: `hw` (no channel axis), `hwc` or `chw`.
        scale: Factor on pixels of 0-255.
        offset: Added after scaling.
        centre: A picture is a drawing that is cropped and centred first; see `numen.core.centre`.
    """

    input: str
    height: int
    width: int
    channels: Literal[1, 3] = 1
    layout: Literal["hw", "hwc", "chw"] = "hw"
    scale: float = 1.0
    offset: float = 0.0
    centre: bool | msgspec.UnsetType = msgspec.UNSET  # not written: digests stay

    def __post_init__(self) -> None:
        if self.centre is True and self.channels != 1:
            raise InvalidInput(
                "centre: expected pictures in grey, received some in colour",
                hint="leave it out",
                field="centre",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture as data: `[h, w]` or `[h, w, 3]`, whatever the layout."""
        plane = (self.height, self.width)
        return plane if self.channels == 1 else (*plane, 3)


def picture(name: str, shape: Sequence[int], centre: bool = False) -> ImageInput:
    """Pictures as data has them: `[h, w]` in grey, or `[h, w, 3]`.

    Args:
        name: The input's.
        shape: Of one.
        centre: They are drawings, to be cropped and centred.

    Raises:
        InvalidInput: They are in colour, and shall be centred.
    """
    height, width, *colour = shape
    how = ImageInput(name, height, width, 3 if colour else 1, "hwc" if colour else "hw")
    return msgspec.structs.replace(how, centre=True) if centre else how


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table's column, and what numbers it becomes; see `numen.core.fields`.

    Attributes:
        name: What it is called.
        categories: Of a category: it becomes its place among these.
        date: Of a date: the order of its numbers where the year is not first. It becomes days
            since 1970, month, day of the month, weekday and hour.
        words: Of a text: as many numbers count its words, by their hash.
    """

    name: str
    categories: tuple[str, ...] | None = None
    date: Literal["", "ymd", "dmy", "mdy"] = ""
    words: Annotated[int, msgspec.Meta(ge=0, le=65_536)] = 0

    @property
    def parts(self) -> tuple[str, ...]:
        """What its numbers are called, after its own name; of one number, nothing."""
        if self.date:
            return ("days", "month", "day", "weekday", "hour")
        return tuple(f"words {place}" for place in range(self.words)) or ("",)

    @property
    def width(self) -> int:
        """How many numbers it becomes."""
        return self.words or len(self.parts)


def places(columns: Iterable[Column]) -> Iterator[tuple[int, Column]]:
    """Each column with the place of its first number among those of a row."""
    start = 0
    for column in columns:
        yield start, column
        start += column.width


class ColumnsInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="columns"):
    """How named fields become one row of the model's input `[rows, columns]`.

    Attributes:
        input: The input's name.
        columns: What a row has.
        ignored: Fields that may be there as well and are not looked at, such as the target.
    """

    input: str
    columns: tuple[Column, ...]
    ignored: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row: `[columns]`."""
        return (sum(column.width for column in self.columns),)


class WindowInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="window"):
    """How some rows of named fields, one behind the other, become one `[steps, columns]`.

    Attributes:
        input: The input's name.
        columns: What each row has.
        steps: How many rows; where there are fewer, those at the beginning are missing (NaN).
        ignored: Fields that may be there as well and are not looked at, such as the target.
    """

    input: str
    columns: tuple[Column, ...]
    steps: int
    ignored: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one window: `[steps, columns]`."""
        return (self.steps, sum(column.width for column in self.columns))


class TextInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="text"):
    """A text as it is, `string[rows, 1]`; what cuts it into words is in the graph."""

    input: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one text: `[1]`."""
        return (1,)


class AudioInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="audio"):
    """How a sound becomes `[samples]` from -1 to 1.

    It is mixed to one channel and brought to the rate, cut at the end, or filled up there with
    silence.

    Attributes:
        input: The input's name.
        rate: Samples a second.
        samples: How many.
    """

    input: str
    rate: int
    samples: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sound: `[samples]`."""
        return (self.samples,)


Preprocess: TypeAlias = ImageInput | ColumnsInput | WindowInput | TextInput | AudioInput


EDGE: Final = 0.5  # a label that may stand beside others is named from this probability on


class Classification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="classification"):
    """How an output `[rows, len(labels)]` is read: one score a label.

    Attributes:
        output: The output's name.
        labels: What the columns stand for.
        activation: What turns scores into probabilities: they are (`none`), or are logits.
        several: A row carries any number of the labels, each likely or not by itself; else one.
        conformal: Which labels cannot be ruled out; not there where too few rows were kept aside.
    """

    output: str
    labels: tuple[str, ...]
    activation: Literal["none", "softmax", "sigmoid"] = "none"
    several: bool = False
    conformal: Conformal | msgspec.UnsetType = msgspec.UNSET  # not written: digests stay


class Regression(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="regression"):
    """How an output is read: as a quantity, or as several.

    Attributes:
        output: The output's name.
        target: What it is called; of several, all their names.
        targets: Of several quantities `[rows, len(targets)]`: what each is called.
        conformal: Between which values one quantity lies; see `Classification`.
    """

    output: str
    target: str = "value"
    targets: tuple[str, ...] = ()
    conformal: Conformal | msgspec.UnsetType = msgspec.UNSET


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One way to run the model.

    Attributes:
        name: What it is called, such as `int8`.
        runtime: The plug-in that opens it.
        file: The bundle's file.
        metrics: What was measured of it, such as `accuracy`.
    """

    name: str
    runtime: str
    file: str
    metrics: dict[str, float] = {}

    def __post_init__(self) -> None:
        if not _VARIANT.fullmatch(self.name):
            raise InvalidInput(
                f"variant: expected a name of 1-64 of A-Z a-z 0-9 . _ -, received {self.name!r}",
                field="variant",
            )


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A bundle's table of contents.

    Attributes:
        signature: What goes in and what comes out.
        variants: Ways to run it, the exact one first.
        files: All other files of the bundle.
        preprocess: How a picture, a text, a sound or named fields become the input.
        postprocess: How the output is read.
        batched: Whether rows of different callers may run together.
        metrics: Measured at training, such as `accuracy`.
        framework: What trained it, such as `keras 3.15.1 (jax)`.
        family: The built-in family or `module:build`.
        recipe: The recipe as trained.
        dataset: Name of the data.
        data: Digest of the data.
        parity: Largest difference between framework and export on the golden samples.
        licence: SPDX name of the model's licence, where one was given.
        format: Version of this structure.
    """

    signature: Signature
    variants: tuple[Variant, ...]
    files: tuple[File, ...] = ()
    preprocess: Preprocess | None = None
    postprocess: Classification | Regression | None = None
    batched: bool = True
    metrics: dict[str, float] = {}
    framework: str = ""
    family: str = ""
    recipe: dict[str, Any] = {}
    dataset: str = ""
    data: str = ""
    parity: float | None = None
    licence: str = ""
    format: Literal[1] = 1
