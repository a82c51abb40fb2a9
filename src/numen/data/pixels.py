"""Picture files become pixels: PNG, JPEG, BMP, GIF (its first frame) and WebP.

Grey stays grey, all else is red, green, blue; transparency is dropped. Guarded against files that
unpack to far more than they look like.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from numen.core.errors import InvalidData
from numen.core.signature import Array

FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"})
MAX_PIXELS: Final = 64 << 20


def thumbnails(pixels: Array, side: int = 14) -> Array:
    """Pictures `uint8[n, h, w]` or `[n, h, w, 3]`, small and grey: `float32[n, side * side]`."""
    grey = pixels if pixels.ndim == 3 else pixels.mean(axis=3).astype(np.uint8)
    small = [Image.fromarray(each).resize((side, side), Image.Resampling.BOX) for each in grey]
    return np.stack([np.asarray(each) for each in small]).reshape(len(grey), -1).astype("f4")


def decode(encoded: bytes | memoryview, origin: str) -> Array:
    """The picture as `uint8[h, w]` if it is grey, else `uint8[h, w, 3]`.

    Args:
        encoded: The bytes of its file.
        origin: What an error calls it.

    Raises:
        InvalidData: It cannot be read, or is over `MAX_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InvalidData(
                    f"{origin}: expected at most {MAX_PIXELS} pixels, "
                    f"found {image.width} x {image.height}"
                )
            return _pixels(ImageOps.exif_transpose(image), origin)
    except UnidentifiedImageError as error:
        raise InvalidData(f"{origin}: not a picture in any of {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidData(f"{origin}: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InvalidData(f"{origin}: the picture is broken: {error}") from error


def drawing(encoded: bytes | memoryview, origin: str) -> tuple[Array, Array | None]:
    """A picture in grey `uint8[h, w]`, and how opaque its pixels are where that is said.

    Args:
        encoded: The bytes of its file, which `decode` has read before.
        origin: What an error calls it.

    Raises:
        InvalidData: It cannot be read.
    """
    try:
        with Image.open(io.BytesIO(encoded), formats=FORMATS) as opened:
            image = ImageOps.exif_transpose(opened)
            if "A" not in image.getbands() and "transparency" not in image.info:
                return np.asarray(image.convert("L")), None
            rgba = image.convert("RGBA")
            return np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise InvalidData(f"{origin}: the picture is broken: {error}") from error


def fit(pixels: Array, shape: tuple[int, ...]) -> Array:
    """The picture at another size, and in colour where `shape` is `[h, w, 3]`.

    Args:
        pixels: `uint8[h, w]` or `uint8[h, w, 3]`; colour is never made grey.
        shape: What to return.
    """
    if pixels.shape[:2] != shape[:2]:
        size = (shape[1], shape[0])
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
    if len(shape) == 3 and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return pixels


def _pixels(image: Image.Image, origin: str) -> Array:
    if image.mode in ("L", "1", "LA", "La"):
        return np.asarray(image.convert("L"))
    if image.mode.startswith("I;16"):  # 16 bits a pixel: the upper 8 count
        return (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
    if image.mode in ("I", "F"):
        raise InvalidData(f"{origin}: expected 8 or 16 bits a pixel, found 32")
    pixels = np.asarray(image.convert("RGB"))
    if image.mode == "P" and (pixels == pixels[:, :, :1]).all():
        return np.ascontiguousarray(pixels[:, :, 0])
    return pixels
