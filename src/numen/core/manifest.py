"""What a bundle says about its model: everything needed to run it, as plain data.

A manifest names no model and no version; those are the registry's. The same training twice gives
the same manifest, so nothing here is a clock or a path of the machine it was made on.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

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
    """

    input: str
    height: int
    width: int
    channels: Literal[1, 3] = 1
    layout: Literal["hw", "hwc", "chw"] = "hw"
    scale: float = 1.0
    offset: float = 0.0


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table's column: a number, or one of `categories`, coded by its place among them."""

    name: str
    categories: tuple[str, ...] | None = None


class ColumnsInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="columns"):
    """How named fields become one row of the model's input `[rows, len(columns)]`."""

    input: str
    columns: tuple[Column, ...]


class Classification(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="classification"):
    """How an output `[rows, len(labels)]` is read: one score a label.

    Attributes:
        output: The output's name.
        labels: What the columns stand for.
        activation: What turns scores into probabilities: they are (`none`), or are logits.
    """

    output: str
    labels: tuple[str, ...]
    activation: Literal["none", "softmax", "sigmoid"] = "none"


class Regression(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="regression"):
    """How an output is read: as a quantity called `target`."""

    output: str
    target: str = "value"


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
        preprocess: How a picture or named fields become the input.
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
    preprocess: ImageInput | ColumnsInput | None = None
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
