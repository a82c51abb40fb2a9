"""Folders of pictures."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from data_files import paint
from PIL import Image

from numen.core.errors import InvalidData, InvalidInput, TooLarge
from numen.data.dataset import Dataset
from numen.data.pixels import decode, fit


def test_class_folders(pictures: Path) -> None:
    data = Dataset.open(pictures)
    assert data.labels == ("cat", "dog")
    assert data.spec.shape == (None, 6, 8)
    assert data.held_out
    batch = data.train.arrays()
    assert batch.inputs["image"].dtype == np.uint8
    dark = batch.inputs["image"].reshape(len(batch), -1).mean(axis=1) < 100
    np.testing.assert_array_equal(dark, batch.target == 0)


def test_pixels_are_those_of_the_file(pictures: Path) -> None:
    data = Dataset.open(pictures)
    stored = data.train.stored_rows()
    first = np.asarray(Image.open(pictures / "cat" / f"{stored[0]}.png"))
    np.testing.assert_array_equal(data.train.arrays().inputs["image"][0], first)


def test_train_and_test_folders_and_batches_by_seed(tmp_path: Path) -> None:
    for number in range(4):
        paint(tmp_path / "set" / "train" / "a" / f"{number}.png", 10, seed=number)
        paint(tmp_path / "set" / "train" / "b" / f"{number}.png", 200, seed=number)
    paint(tmp_path / "set" / "test" / "b" / "0.png", 200)
    data = Dataset.open(tmp_path / "set")
    assert (len(data.train), len(data.test), data.held_out) == (8, 1, False)
    once = [batch.target.tolist() for batch in data.train.batches(3, seed=4)]
    assert once == [batch.target.tolist() for batch in data.train.batches(3, seed=4)]
    assert sorted(label for batch in once for label in batch) == [0] * 4 + [1] * 4
    with pytest.raises(TooLarge):
        data.train.arrays(limit=8 * 48 - 1)


def test_sizes_and_colours_are_made_one(pictures: Path) -> None:
    paint(pictures / "dog" / "large.jpeg", 200, size=(16, 12), mode="RGB")
    data = Dataset.open(pictures)
    assert data.spec.shape == (None, 6, 8, 3)
    assert data.preprocess.channels == 3
    assert any("1 of 13 pictures are of other sizes" in note for note in data.notes)
    assert data.train.arrays().inputs["image"].shape[1:] == (6, 8, 3)


def test_lossless_formats_have_one_digest(tmp_path: Path) -> None:
    digests = set()
    for suffix in ("png", "bmp", "gif"):
        for name, shade in (("a", 10), ("b", 200)):
            for number in range(3):
                paint(tmp_path / suffix / name / f"{number}.{suffix}", shade, seed=number)
        digests.add(Dataset.open(tmp_path / suffix).digest)
    assert len(digests) == 1


def test_names_of_files_do_not_matter_but_classes_do(pictures: Path) -> None:
    before = Dataset.open(pictures).digest
    for path in (pictures / "cat").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    assert Dataset.open(pictures).digest == before
    (pictures / "cat").rename(pictures / "ant")
    assert Dataset.open(pictures).digest != before


def test_as_a_hugging_face_dataset(pictures: Path) -> None:
    data = Dataset.open(pictures)
    first = data.to_hf()[0]
    np.testing.assert_array_equal(
        np.asarray(first["image"]), data.train.arrays().inputs["image"][0]
    )


def huge(side: int) -> bytes:
    """A PNG of a few dozen bytes that says it is `side` pixels wide and high."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a picture"),
        (b"hello", "not a picture"),
        (huge(60_000), "decompression bomb"),
        (huge(9_000), "at most 67108864 pixels"),
    ],
    ids=["empty", "text", "bomb", "large"],
)
def test_an_unreadable_picture_is_named(pictures: Path, content: bytes, message: str) -> None:
    (pictures / "dog" / "bad.png").write_bytes(content)
    with pytest.raises(InvalidData, match=rf"dog/bad\.png: .*({message})"):
        Dataset.open(pictures)


def test_a_picture_cut_short_is_named(pictures: Path) -> None:
    path = paint(pictures / "dog" / "cut.png", size=(80, 80))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InvalidData, match=r"dog/cut\.png: the picture is broken"):
        Dataset.open(pictures)


def test_an_unknown_class_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        paint(tmp_path / "set" / "train" / name / "0.png")
    paint(tmp_path / "set" / "test" / "c" / "0.png")
    with pytest.raises(InvalidData, match=r'test/c/0\.png: class "c" is not among those of'):
        Dataset.open(tmp_path / "set")


def test_an_empty_class_is_named(pictures: Path) -> None:
    (pictures / "fox").mkdir()
    with pytest.raises(InvalidData, match="fox: expected at least one picture"):
        Dataset.open(pictures)


def test_one_class_only(tmp_path: Path) -> None:
    paint(tmp_path / "set" / "a" / "0.png")
    with pytest.raises(InvalidData, match="at least two classes, found a"):
        Dataset.open(tmp_path / "set")


def test_other_files_are_noted_and_hidden_ones_ignored(pictures: Path) -> None:
    (pictures / "dog" / "notes.txt").write_text("x")
    (pictures / "dog" / ".DS_Store").write_text("x")
    notes = Dataset.open(pictures).notes
    assert [note for note in notes if "not pictures" in note] == [
        "1 files are not pictures, such as pictures/dog/notes.txt"
    ]


def test_a_target_makes_no_sense(pictures: Path) -> None:
    with pytest.raises(InvalidInput, match='target "label"'):
        Dataset.open(pictures, target="price")


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("L", (4, 5)), ("1", (4, 5)), ("LA", (4, 5)), ("RGB", (4, 5, 3)), ("RGBA", (4, 5, 3))],
)
def test_modes(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (5, 4)).save(path)
    pixels = decode(path.read_bytes(), "a.png")
    assert (pixels.shape, pixels.dtype) == (shape, np.uint8)


def test_sixteen_bits_keep_the_upper_eight(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0x1234, 0xFFFF]], np.uint16)).save(tmp_path / "a.png")
    assert decode((tmp_path / "a.png").read_bytes(), "a.png").tolist() == [[0x12, 0xFF]]


def test_fit_makes_colour_of_grey() -> None:
    assert fit(np.full((2, 2), 7, np.uint8), (4, 4, 3)).tolist() == [[[7] * 3] * 4] * 4
