"""Drawings made small as MNIST's digits were, whatever they are drawn on."""

from __future__ import annotations

import io

import msgspec
import numpy as np
import pytest
from PIL import Image

from numen.core.centre import centre, ink_of
from numen.core.errors import InvalidInput
from numen.core.manifest import ImageInput
from numen.runtime.process import decode_image

HOW = ImageInput("image", 28, 28, centre=True)


def seven(side: int = 200, left: int = 20, top: int = 10) -> np.ndarray:
    """Light ink on black."""
    drawn = np.zeros((side, side), np.uint8)
    drawn[top : top + 12, left : left + 60] = 255
    drawn[top : top + 90, left + 48 : left + 60] = 255
    return drawn


def seen(picture: Image.Image) -> np.ndarray:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return decode_image(file.getvalue(), HOW)["image"][0]


def test_the_longer_side_is_20_and_the_mass_lies_in_the_middle() -> None:
    made = centre(ink_of(seven()), 28, 28)
    rows, columns = np.flatnonzero(made.any(1)), np.flatnonzero(made.any(0))
    assert rows[-1] - rows[0] + 1 == 20
    assert columns[-1] - columns[0] + 1 == 13
    mass = made.astype(float)
    for axis, places in ((1, np.arange(28)), (0, np.arange(28))):
        assert abs((mass.sum(axis) * places).sum() / mass.sum() - 14) <= 0.5


def test_wherever_it_is_drawn_and_on_what_it_is_the_same() -> None:
    drawn = seven()
    wanted = centre(ink_of(drawn), 28, 28)
    assert np.array_equal(centre(ink_of(seven(left=120, top=100)), 28, 28), wanted)
    assert np.array_equal(seen(Image.fromarray(drawn)), wanted)
    assert np.array_equal(seen(Image.fromarray(255 - drawn)), wanted)
    paper = np.random.default_rng(1).integers(200, 221, drawn.shape)
    scan = np.where(drawn > 0, 20, paper).astype(np.uint8)
    assert (seen(Image.fromarray(scan)) > 0).sum() == (wanted > 0).sum()  # the grain is gone
    for colour in (0, 90, 255):  # drawn on nothing, in any colour
        clear = np.dstack([np.full((*drawn.shape, 3), colour, np.uint8), drawn])
        assert np.array_equal(seen(Image.fromarray(clear)), wanted)


def test_edges_dots_and_nothing() -> None:
    dot = np.zeros((50, 30), np.uint8)
    dot[49, 29] = 255
    assert centre(dot, 28, 28).sum() == 255 * 20 * 20
    assert not centre(np.zeros((9, 9), np.uint8), 28, 28).any()
    assert not seen(Image.new("L", (40, 20), 255)).any()
    lopsided = np.zeros((100, 100), np.uint8)
    lopsided[0, :] = lopsided[:, 99] = 255
    assert centre(lopsided, 28, 28).shape == (28, 28)


def test_a_bundle_that_does_not_centre_says_nothing_of_it() -> None:
    assert "centre" not in msgspec.to_builtins(ImageInput("image", 28, 28))
    assert msgspec.to_builtins(HOW)["centre"] is True
    with pytest.raises(InvalidInput, match="in grey"):
        ImageInput("image", 28, 28, 3, "hwc", centre=True)
