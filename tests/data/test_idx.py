"""IDX files: read exactly, refused exactly."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from data_files import IdxFolder, idx

from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.data.dataset import Dataset


def test_a_folder_is_read(digits: IdxFolder) -> None:
    data = Dataset.open(digits.folder)
    assert data.labels == ("0", "1", "2", "3")
    assert data.spec.shape == (None, 6, 5)
    np.testing.assert_array_equal(data.train.arrays().inputs["image"], digits.pixels["train"])
    np.testing.assert_array_equal(data.test.target, digits.labels["t10k"])


def test_packed_or_not_moved_or_not_the_digest_is_the_same(
    digits: IdxFolder, tmp_path: Path
) -> None:
    packed = IdxFolder(tmp_path / "elsewhere", packed=True)
    assert Dataset.open(digits.folder).digest == Dataset.open(packed.folder).digest


def test_one_other_pixel_is_another_digest(digits: IdxFolder) -> None:
    before = Dataset.open(digits.folder).digest
    digits.pixels["train"][3, 2, 1] ^= 1
    digits.file("train", "images").write_bytes(idx(digits.pixels["train"]))
    assert Dataset.open(digits.folder).digest != before


def test_one_file_brings_its_partner_and_a_fifth_is_held_out(digits: IdxFolder) -> None:
    data = Dataset.open(digits.file("train", "images"))
    assert data.held_out
    assert (len(data.train), len(data.test)) == (32, 8)
    assert np.bincount(data.test.target).tolist() == [2, 2, 2, 2]


def test_colour(tmp_path: Path) -> None:
    pixels = np.arange(20 * 4 * 3 * 3, dtype=np.uint8).reshape(20, 4, 3, 3)
    (tmp_path / "train-images-idx4-ubyte").write_bytes(idx(pixels))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(20) % 2))
    data = Dataset.open(tmp_path / "train-images-idx4-ubyte")
    assert data.spec.shape == (None, 4, 3, 3)
    assert data.preprocess.layout == "hwc"


def test_labels_that_skip_numbers_keep_their_names(digits: IdxFolder) -> None:
    digits.file("train", "labels").write_bytes(idx(digits.labels["train"] * 3 + 1))
    digits.file("t10k", "labels").write_bytes(idx(digits.labels["t10k"] * 3 + 1))
    data = Dataset.open(digits.folder)
    assert data.labels == ("1", "4", "7", "10")
    np.testing.assert_array_equal(data.train.target, digits.labels["train"])


def cut(raw: bytes) -> bytes:
    return raw[: 16 + 6 * 5 * 4 + 3]


BROKEN: list[tuple[str, str, Callable[[bytes], bytes], str]] = [
    ("train", "images", cut, r"train-images-idx3-ubyte row 5: cut short at byte 139"),
    ("train", "images", lambda raw: raw + b"x", r"train-images.*more from byte 1216 on"),
    ("train", "images", lambda raw: b"PNG!" + raw[4:], r"first bytes are 50 4e 47 21"),
    ("train", "images", lambda raw: raw[:10], r"cut short in its header, at byte 10"),
    ("train", "images", lambda raw: b"", r"expected an IDX file"),
    ("train", "images", lambda raw: b"\0\0\x0d" + raw[3:], r"found type 0x0d of 3 dimensions"),
    ("train", "labels", lambda raw: raw[:-4], r"train-labels-idx1-ubyte row 37: cut short"),
    ("train", "labels", lambda raw: raw + b"\1\1", r"train-labels.*more from byte 48 on"),
    ("train", "labels", lambda raw: idx(np.arange(39) % 4), r"40 pictures, but .*39 labels"),
    ("t10k", "labels", lambda raw: raw[:-1] + b"\7", r"t10k-labels.* row 10: label 7 is not"),
    ("t10k", "images", lambda raw: idx(np.zeros((10, 5, 6))), r"expected pictures of \[6, 5\]"),
    ("train", "images", lambda raw: idx(np.zeros((0, 6, 5))), r"0 pictures, but .* 40 labels"),
    ("train", "images", lambda raw: raw[:8] + b"\0\0\0\0" + raw[12:], r"of 1 to 16384 pixels|more"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("split", "role", "spoil", "message"), BROKEN)
def test_broken_files_are_named(
    tmp_path: Path,
    packed: bool,
    split: str,
    role: str,
    spoil: Callable[[bytes], bytes],
    message: str,
) -> None:
    files = IdxFolder(tmp_path / "broken", packed)
    path = files.file(split, role)
    raw = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    spoilt = spoil(raw)
    path.write_bytes(gzip.compress(spoilt) if packed else spoilt)
    with pytest.raises(InvalidData, match=message.replace("ubyte row", r"ubyte(\.gz)? row")):
        Dataset.open(files.folder)


@pytest.mark.parametrize("keep", [10, 100, -5])
def test_cut_compression_is_named(tmp_path: Path, keep: int) -> None:
    files = IdxFolder(tmp_path / "broken", packed=True)
    path = files.file("train", "images")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidData, match=r"train-images-idx3-ubyte\.gz: .*cut short"):
        Dataset.open(files.folder)


def test_huge_announced_sizes_take_no_memory(digits: IdxFolder) -> None:
    path = digits.file("train", "images")
    head = bytes([0, 0, 8, 3]) + b"\xff" * 12
    path.write_bytes(gzip.compress(head))
    with pytest.raises(InvalidData, match="1 to 16384 pixels"):
        Dataset.open(digits.folder)


@pytest.mark.parametrize("role", ["images", "labels"])
def test_a_missing_partner_is_named(digits: IdxFolder, role: str) -> None:
    digits.file("t10k", role).unlink()
    with pytest.raises(InvalidData, match=f"its file of {role} is missing"):
        Dataset.open(digits.folder)


def test_no_training_files(digits: IdxFolder) -> None:
    for role in ("images", "labels"):
        digits.file("train", role).unlink()
    with pytest.raises(InvalidData, match="training files"):
        Dataset.open(digits.folder)


def test_one_class_only(digits: IdxFolder) -> None:
    digits.file("train", "labels").write_bytes(idx(np.zeros(40)))
    digits.file("t10k", "labels").write_bytes(idx(np.zeros(10)))
    with pytest.raises(InvalidData, match="at least two classes"):
        Dataset.open(digits.folder)


def test_a_target_makes_no_sense(digits: IdxFolder) -> None:
    with pytest.raises(InvalidInput, match='target "label"'):
        Dataset.open(digits.folder, target="price")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        Dataset.open(tmp_path / "absent-idx3-ubyte")
