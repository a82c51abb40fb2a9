"""Labelled rows as plain data, as a program sends them, read as a data set's rows.

A picture or a sound is its file's bytes in base64; a picture may also be its pixels. A text is a
text, a table's row an object of named fields. All are read before any is taken.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from numen.core.centre import centre, ink_of
from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import AudioInput, ColumnsInput, ImageInput, TextInput
from numen.core.signature import Array
from numen.data import pixels, sound
from numen.data.dataset import Dataset
from numen.data.extend import growing
from numen.data.unlabelled import grey_of, row_of


def read(given: Sequence[tuple[Any, str]], dataset: Dataset) -> tuple[list[Array], list[int]]:
    """Rows as `numen.data.extend` takes them, and the class of each.

    Args:
        given: Each row as plain data, and its label.
        dataset: Of whose kind they must be.

    Raises:
        InvalidInput: A row is not such as the data set has, or it has no such label; the message
            says which row.
    """
    labels = growing(dataset).labels or ()
    reader = _READERS[type(dataset.preprocess)]
    rows: list[Array] = []
    target: list[int] = []
    for place, (value, label) in enumerate(given):
        if label not in labels:
            raise InvalidInput(
                f"rows[{place}].label: expected one of {', '.join(labels[:20])}, "
                f"received {label[:40]!r}",
                field=f"rows.{place}.label",
            )
        try:
            rows.append(reader(value, dataset.preprocess))
        except (InvalidInput, InvalidData) as error:
            said = error.message
            raise InvalidInput(
                f"rows[{place}].value: {said}", hint=error.hint, field=f"rows.{place}.value"
            ) from error
        target.append(labels.index(label))
    return rows, target


def _picture(value: Any, how: ImageInput) -> Array:
    if isinstance(value, str):
        return _seen(_bytes(value), how)
    try:
        given = np.asarray(value)
    except ValueError as error:  # rows of several lengths
        raise InvalidInput(f"expected pixels {list(how.shape)}: {error}") from error
    whole = given.dtype.kind in "iu" or (given.dtype.kind == "f" and bool((given % 1 == 0).all()))
    if given.shape != how.shape or not whole or given.min() < 0 or given.max() > 255:
        raise InvalidInput(
            f"expected a picture's file in base64, or whole numbers {list(how.shape)} "
            f"from 0 to 255, received {list(given.shape)}"
        )
    return given.astype(np.uint8)


def _seen(encoded: bytes, how: ImageInput) -> Array:
    found = pixels.decode(encoded, "the picture")
    if how.centre is True:
        return centre(ink_of(*pixels.drawing(encoded, "the picture")), how.height, how.width)
    return pixels.fit(grey_of(found, how.shape), how.shape)


def _sound(value: Any, how: AudioInput) -> Array:
    if not isinstance(value, str):
        raise InvalidInput("expected a sound's file in base64")
    with TemporaryDirectory(prefix="numen-row-") as folder:
        path = Path(folder) / "sound"
        path.write_bytes(_bytes(value))
        try:
            sound.heading(path)
            return sound.decode(path, how.rate, how.samples)
        except InvalidData as error:  # a path of this machine is nobody else's business
            raise InvalidInput(error.message.replace(str(path), "the sound")) from error


def _text(value: Any, _how: TextInput) -> Array:
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput("expected a text, and some word in it")
    made = np.empty(1, object)
    made[0] = value
    return made


def _fields(value: Any, how: ColumnsInput) -> Array:
    if not isinstance(value, Mapping):
        raise InvalidInput("expected an object of named fields")
    known = {column.name for column in how.columns} | set(how.ignored)
    if unknown := sorted(set(value) - known):
        raise InvalidInput(f'field "{unknown[0]}" is unknown: expected {", ".join(sorted(known))}')
    return row_of(value, how)


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"expected base64: {error}") from error


_READERS: Final[dict[type, Callable[[Any, Any], Array]]] = {
    ImageInput: _picture,
    AudioInput: _sound,
    TextInput: _text,
    ColumnsInput: _fields,
}
