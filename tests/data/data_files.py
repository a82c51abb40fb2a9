"""Makes real files for the tests of the data room."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

IRIS = "length,colour,id,kind\n" + "".join(
    f"{n / 10},{['red', 'blue', ''][n % 3]},r{n:04d},{['setosa', 'virginica'][n % 2]}\n"
    for n in range(100)
)


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


def paint(
    path: Path, shade: int = 90, size: tuple[int, int] = (8, 6), mode: str = "L", seed: int = 0
) -> Path:
    """A picture file with a little noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    noise = np.random.default_rng(seed).integers(0, 9, shape)
    Image.fromarray((noise + shade).astype(np.uint8)).save(path)
    return path


def sing(path: Path, hertz: float = 440, rate: int = 8_000, seconds: float = 0.3, **how) -> Path:
    """A sound file: a tone of a loudness that differs by `seed`, with a little noise."""
    random = np.random.default_rng(how.pop("seed", 0))
    at = np.arange(round(rate * seconds)) / rate
    tone = random.uniform(0.2, 0.8) * np.sin(2 * np.pi * hertz * at + random.uniform(0, 6))
    sound = tone + 0.01 * random.standard_normal(len(at))
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = how.pop("channels", 1)
    soundfile.write(path, np.repeat(sound[:, None], channels, axis=1), rate, **how)
    return path
