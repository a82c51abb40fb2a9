"""From people's data to a model's arrays: pictures, sounds, texts and named fields in.

Follows what the bundle's manifest says, so every door reads a picture alike.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from numen.core.centre import centre, ink_of
from numen.core.errors import InvalidInput, TooLarge
from numen.core.fields import flatten, numbers_of
from numen.core.manifest import (
    AudioInput,
    Classification,
    Column,
    ColumnsInput,
    ImageInput,
    Manifest,
    Preprocess,
    TextInput,
    WindowInput,
    places,
)
from numen.core.signature import Array
from numen.runtime.sound import decode_sound

MAX_PIXELS: Final = 50_000_000
MAX_CHARACTERS: Final = 1_000_000
_GAP: Final = 3.0  # how much larger than wanted the blocks leave a picture
_UNREADABLE: Final = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError)


def count_pixels(data: bytes) -> int:
    """How many pixels a picture's head announces; 0 where it is none that can be read."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.width * picture.height
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, *_UNREADABLE):
        return 0


def decode_image(data: bytes, how: ImageInput) -> dict[str, Array]:
    """A PNG, JPEG or other picture as one row of the model's input.

    Args:
        data: The file's bytes.
        how: What the manifest says of pictures.

    Returns:
        float32[1, height, width], with a channel axis where the layout has one.

    Raises:
        InvalidInput: The bytes are no picture that can be read.
        TooLarge: The picture has more than `MAX_PIXELS` pixels.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise TooLarge(
                    f"image: expected at most {MAX_PIXELS} pixels, "
                    f"received {picture.width}x{picture.height}",
                    field=how.input,
                )
            if how.centre is True:
                return {how.input: pixels_to_input(_centred(picture, how)[None], how)}
            flat = _without_alpha(picture).convert("L" if how.channels == 1 else "RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise TooLarge(f"image: {error}", field=how.input) from error
    except _UNREADABLE as error:
        raise InvalidInput(
            f"image: expected a PNG or JPEG, received {len(data)} bytes that are not one that "
            f"can be read",
            field=how.input,
        ) from error
    if flat.size != (how.width, how.height):
        flat = _fitted(flat, how.width, how.height)
    return {how.input: pixels_to_input(np.asarray(flat)[None], how)}


def _fitted(flat: Image.Image, width: int, height: int) -> Image.Image:
    """At another size: large ones by blocks first, then smoothly, across and then down.

    Step by step, since in one which axis goes first depends on Pillow's version; the JavaScript
    client does the same (clients/js/src/resize.ts).
    """
    across, down = int(flat.width / width / _GAP) or 1, int(flat.height / height / _GAP) or 1
    wide, high = flat.width / across, flat.height / down
    if across > 1 or down > 1:
        flat = flat.reduce((across, down))
    smooth = Image.Resampling.BILINEAR
    flat = flat.resize((width, flat.height), smooth, box=(0, 0, wide, flat.height))
    return flat.resize((width, height), smooth, box=(0, 0, width, high))


def _centred(picture: Image.Image, how: ImageInput) -> Array:
    if not _clear(picture):
        return centre(ink_of(np.asarray(picture.convert("L"))), how.height, how.width)
    rgba = picture.convert("RGBA")
    ink = ink_of(np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A")))
    return centre(ink, how.height, how.width)


def _clear(picture: Image.Image) -> bool:
    return "A" in picture.getbands() or "transparency" in picture.info


def _without_alpha(picture: Image.Image) -> Image.Image:
    # What is transparent was drawn on nothing; black is nothing to a model of light strokes.
    if not _clear(picture):
        return picture
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "black"), rgba)


def pixels_to_input(pixels: Array, how: ImageInput) -> Array:
    """Scales and lays out pixels uint8[n, h, w] or [n, h, w, 3] as the manifest says."""
    values = pixels.astype(np.float32)
    if how.scale != 1.0:
        values *= np.float32(how.scale)
    if how.offset != 0.0:
        values += np.float32(how.offset)
    if how.layout == "chw":
        return values[:, None] if values.ndim == 3 else values.transpose(0, 3, 1, 2)
    return values[..., None] if how.layout == "hwc" and values.ndim == 3 else values


def encode_fields(
    rows: Sequence[Mapping[str, Any]], how: ColumnsInput | WindowInput, *, whole: bool = False
) -> dict[str, Array]:
    """Objects of named fields as rows of the model's input; see `numen.core.fields`.

    Args:
        rows: One mapping a row, by column name, of which one may be an object of fields itself.
            Absent or None means missing, and so does a category that training rows did not have.
        how: What the manifest says of columns.
        whole: No value may be missing.

    Returns:
        float32[len(rows), columns], of dates and texts several columns.

    Raises:
        InvalidInput: A field is unknown, its value is not of the column's kind, or one is
            missing that must not be.
    """
    known = {*how.ignored, *(column.name for column in how.columns)}
    table = np.full((len(rows), how.shape[-1]), np.nan, np.float32)
    for number, given in enumerate(rows):
        row = flatten(given)
        if not row.keys() <= known:
            name = next(name for name in row if name not in known)
            expected = sorted(column.name for column in how.columns)
            raise InvalidInput(
                f'field "{name}" is unknown: expected {", ".join(expected)}',
                field=str(name),
            )
        lacking = []
        for place, column in places(how.columns):
            made = numbers_of(column, row.get(column.name))
            if made is not None:
                table[number, place : place + len(made)] = made
            elif column.words:
                table[number, place : place + column.words] = 0  # a text without words
            else:
                lacking.append(column)
        if whole and lacking:
            raise _missing(lacking, row)
    return {how.input: table}


def _missing(lacking: Sequence[Column], row: Mapping[str, Any]) -> InvalidInput:
    """Of the fields that are missing, one that was sent if there is one."""
    column = next((each for each in lacking if row.get(each.name) is not None), lacking[0])
    some = ", ".join((column.categories or ())[:10])
    value = row.get(column.name)
    received = "none" if value is None else f'"{str(value)[:80]}"'
    return InvalidInput(
        f'field "{column.name}": expected {f"one of {some}" if some else "a value"}, '
        f"received {received}",
        hint="the model was trained on rows without gaps",
        field=column.name,
    )


def encode_windows(
    windows: Sequence[Sequence[Mapping[str, Any]]], how: WindowInput
) -> dict[str, Array]:
    """Runs of objects of named fields, the latest last, as windows of the model's input.

    Of more rows than the window has steps the latest count; where there are fewer, those at the
    beginning are missing.

    Returns:
        float32[len(windows), steps, columns].

    Raises:
        InvalidInput: A window has no rows, or a row is not what `encode_fields` takes.
    """
    made = np.full((len(windows), *how.shape), np.nan, np.float32)
    for number, rows in enumerate(windows):
        if not _objects(rows):
            raise InvalidInput(
                "window: expected a list of at least one object of named fields", field=how.input
            )
        latest = rows[-how.steps :]
        made[number, how.steps - len(latest) :] = encode_fields(latest, how)[how.input]
    return {how.input: made}


def encode_texts(texts: list[Any], how: TextInput) -> dict[str, Array]:
    """Texts as rows of the model's input.

    Args:
        texts: One text a row, or an object with nothing but one, by the input's name.
        how: What the manifest says of texts.

    Returns:
        `string[len(texts), 1]`, as objects.

    Raises:
        InvalidInput: One is no text, or not one that can be written in UTF-8.
        TooLarge: One has more than `MAX_CHARACTERS`.
    """
    made = np.empty((len(texts), 1), object)
    for row, item in enumerate(texts):
        text = item
        if isinstance(item, Mapping):
            for name in item:
                if name != how.input:
                    raise InvalidInput(
                        f'field "{name}" is unknown: expected {how.input}', field=str(name)
                    )
            text = item.get(how.input)
        if isinstance(text, list) and len(text) == 1:  # rows as the signature has them
            (text,) = text
        if not isinstance(text, str):
            raise InvalidInput(
                f'"{how.input}": expected text, received {type(text).__name__}', field=how.input
            )
        if len(text) > MAX_CHARACTERS:
            raise TooLarge(
                f'"{how.input}": expected at most {MAX_CHARACTERS} characters, '
                f"received {len(text)}",
                field=how.input,
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InvalidInput(
                    f'"{how.input}": expected text of UTF-8, received half of a surrogate pair',
                    field=how.input,
                ) from error
        made[row, 0] = str(text)
    return {how.input: made}


def read_input(manifest: Manifest, value: Any) -> dict[str, Array]:
    """An input as a program or a person has it, as arrays.

    Args:
        manifest: The model's.
        value: A picture's or a sound's bytes, a text or a list of texts, an object of named fields
            or a list of such objects (rows; of a model of windows one window, and a list of such
            lists several), or (nested) numbers in the shape of one row or of a batch.

    Raises:
        InvalidInput: The model does not take such a value.
        UnsupportedMedia: It is a sound of a format nobody here reads.
        TooLarge: It is over a limit.
    """
    how = manifest.preprocess
    if isinstance(how, TextInput):
        return _read_texts(value, how)
    if isinstance(value, bytes | bytearray | memoryview):
        return _read_file(bytes(value), how)
    if isinstance(value, Mapping):
        value = [value]
    if _objects(value) or (isinstance(how, WindowInput) and _windows(value)):
        whole = not any(spec.missing for spec in manifest.signature.inputs)
        return _read_objects(value, how, whole)
    return read_numbers(manifest, value)


def _read_file(data: bytes, how: Preprocess | None) -> dict[str, Array]:
    if isinstance(how, ImageInput):
        return decode_image(data, how)
    if isinstance(how, AudioInput):
        return decode_sound(data, how)
    raise InvalidInput(
        "this model takes neither pictures nor sounds", hint="send its input as JSON"
    )


def _read_objects(value: list[Any], how: Preprocess | None, whole: bool) -> dict[str, Array]:
    if isinstance(how, WindowInput):
        return encode_windows([value] if _objects(value) else value, how)
    if isinstance(how, ColumnsInput):
        return encode_fields(value, how, whole=whole)
    raise InvalidInput("this model does not take named fields", hint="send a picture or numbers")


def _windows(value: Any) -> bool:
    return isinstance(value, list) and any(map(_objects, value))


def _objects(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)
    )


def _read_texts(value: Any, how: TextInput) -> dict[str, Array]:
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            value = bytes(value).decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f'"{how.input}": expected text of UTF-8, received another byte at {error.start}',
                field=how.input,
            ) from error
    if isinstance(value, Mapping) and isinstance(value.get(how.input), list | np.ndarray):
        value = value[how.input]  # many texts under one name
    if isinstance(value, np.ndarray):
        value = value.tolist()
    rows = value if isinstance(value, list | tuple) else [value]
    if not rows:
        raise InvalidInput(f'"{how.input}": expected a text, received none', field=how.input)
    return encode_texts(list(rows), how)


def read_numbers(manifest: Manifest, value: Any) -> dict[str, Array]:
    """Numbers in the shape of one row or of a batch, as the model's only input.

    Raises:
        InvalidInput: They are not of that shape, not numbers, or the model has several inputs.
    """
    required = manifest.signature.required
    if len(required) != 1:
        names = ", ".join(spec.name for spec in required)
        raise InvalidInput(f"this model takes several inputs ({names})", hint="use /v2/…/infer")
    (spec,) = required
    wanted = "text" if spec.dtype == "string" else "numbers"
    try:
        array = np.asarray(value)
        if array.dtype.kind not in ("UO" if wanted == "text" else "biuf"):
            raise ValueError(f"not {wanted}")
        if array.dtype.kind == "O" and not all(isinstance(v, str) for v in array.flat):
            raise ValueError(f"not {wanted}")
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as such
            cast = array.astype(spec.numpy)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f'input "{spec.name}": expected {spec}, received {type(value).__name__} that is not '
            f"a regular array of {wanted}",
            field=spec.name,
        ) from error
    if cast.dtype.kind in "biu" and not np.array_equal(cast, array):
        raise InvalidInput(
            f'input "{spec.name}": expected {spec}, received numbers that are no {spec.dtype}',
            hint="send whole numbers within its range",
            field=spec.name,
        )
    array = cast
    return {spec.name: array[None] if array.ndim == len(spec.shape) - 1 else array}


def probabilities(outputs: Mapping[str, Array], how: Classification) -> Array:
    """The probability of each label, float[rows, labels].

    Softmax and sigmoid as in Goodfellow, Bengio and Courville, Deep Learning, 6.2.2.
    """
    scores = outputs[how.output]
    scores = scores.reshape(len(scores), -1)
    if how.activation == "softmax":
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    if how.activation == "sigmoid":
        scores = 1 / (1 + np.exp(-scores))
    if scores.shape[1] == 1 and len(how.labels) == 2 and not how.several:
        scores = np.concatenate([1 - scores, scores], axis=1)
    return scores
