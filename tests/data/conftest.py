"""Real files to read, and a library of one's own."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numen.data.library import Library
from numen.store.blobs import Blobs
from numen.store.catalog import Catalog


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """numen's home, away from the user's."""
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NUMEN_CATALOG", raising=False)
    monkeypatch.delenv("NUMEN_BLOBS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def catalog(home: Path) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{home / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture
def library(home: Path, catalog: Catalog) -> Library:
    return Library(catalog, Blobs(str(home / "blobs"), cache=home / "cache"))


def idx(array: np.ndarray, *, packed: bool = False) -> bytes:
    """The bytes of an IDX file of unsigned bytes."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = head + array.astype(np.uint8).tobytes()
    return gzip.compress(content) if packed else content


class IdxFolder:
    """A folder of four IDX files with known contents."""

    def __init__(self, folder: Path, packed: bool = False):
        self.folder = folder
        folder.mkdir(parents=True)
        random = np.random.default_rng(1)
        self.pixels = {
            "train": random.integers(0, 256, (40, 6, 5)).astype(np.uint8),
            "t10k": random.integers(0, 256, (10, 6, 5)).astype(np.uint8),
        }
        self.labels = {"train": np.arange(40) % 4, "t10k": np.arange(10) % 4}
        self.suffix = ".gz" if packed else ""
        for split in ("train", "t10k"):
            self.file(split, "images").write_bytes(idx(self.pixels[split], packed=packed))
            self.file(split, "labels").write_bytes(idx(self.labels[split], packed=packed))

    def file(self, split: str, role: str) -> Path:
        rank = 3 if role == "images" else 1
        return self.folder / f"{split}-{role}-idx{rank}-ubyte{self.suffix}"


@pytest.fixture
def digits(tmp_path: Path) -> IdxFolder:
    return IdxFolder(tmp_path / "digits")


def paint(
    path: Path, shade: int = 90, size: tuple[int, int] = (8, 6), mode: str = "L", seed: int = 0
) -> Path:
    """A picture file with a little noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    noise = np.random.default_rng(seed).integers(0, 9, shape)
    Image.fromarray((noise + shade).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of six grey pictures."""
    root = tmp_path / "pictures"
    for number in range(6):
        paint(root / "cat" / f"{number}.png", 20, seed=number)
        paint(root / "dog" / f"{number}.png", 200, seed=100 + number)
    return root


IRIS = "length,colour,id,kind\n" + "".join(
    f"{n / 10},{['red', 'blue', ''][n % 3]},r{n:04d},{['setosa', 'virginica'][n % 2]}\n"
    for n in range(100)
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "iris.csv"
    path.write_text(IRIS)
    return path
