"""A folder of class folders of pictures, or `train` and `test` folders of them.

A class is called as its folder. Every picture is decoded once, so that a broken one is found now;
what is kept is its file's bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import ImageInput
from numen.data.pixels import SUFFIXES, decode
from numen.data.reading import Reading
from numen.data.stored import Stored, class_index, seal
from numen.data.writing import EncodedSplit

_SPLITS: Final = ("train", "test", "validation")
_MAX_BYTES: Final = 256 << 20
TARGET: Final = "label"


class ImageFolderSource:
    """Reads folders of pictures."""

    def matches(self, where: str) -> bool:
        """A folder with a picture in one of its folders, or in one of theirs by split."""
        path = Path(where)
        if not path.is_dir():
            return False
        return any(_has_picture(kind) for root in _roots(path).values() for kind in _folders(root))

    def files(self, where: Sequence[str]) -> list[Path]:
        """All pictures, and the folders they lie in."""
        return [
            path
            for root in _one(where).values()
            for kind in _folders(root)
            for path in (kind, *_pictures(kind)[0])
        ]

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Writes the pictures; all are read at the size most of them have."""
        if reading.target not in ("", TARGET):
            raise InvalidInput(f'pictures: expected target "{TARGET}", received "{reading.target}"')
        reading.refuse("pictures", "columns", "group", "order", "window")
        roots = _one(where)
        labels = tuple(kind.name for kind in _folders(roots["train"]))
        index = class_index(labels)
        sizes: Counter[tuple[int, ...]] = Counter()
        colour = False
        left_out: list[str] = []
        splits = []
        for name, root in roots.items():
            with EncodedSplit(work, name, "image", TARGET, str(root)) as split:
                for kind in _folders(root):
                    pictures, others = _pictures(kind)
                    left_out += [str(path.relative_to(root.parent)) for path in others]
                    if pictures and kind.name not in index:
                        raise InvalidData(
                            f'{pictures[0]}: class "{kind.name}" is not among those of '
                            f"{roots['train']} ({', '.join(labels[:20])})"
                        )
                    if not pictures and name == "train":
                        raise InvalidData(f"{kind}: expected at least one picture, found none")
                    for path in pictures:
                        encoded = _read(path)
                        pixels = decode(encoded, str(path))
                        sizes[pixels.shape[:2]] += 1
                        colour = colour or pixels.ndim == 3
                        split.append(encoded, pixels, index[kind.name])
            splits.append(split)
        # The most common size; of equally common ones the largest.
        height, width = max(sizes, key=lambda size: (sizes[size], size))
        notes = []
        if len(sizes) > 1:
            others_count = sizes.total() - sizes[height, width]
            notes.append(
                f"{others_count} of {sizes.total()} pictures are of other sizes "
                f"and are resized to {width} x {height}"
            )
        if left_out:
            notes.append(f"{len(left_out)} files are not pictures, such as {left_out[0]}")
        layout = ImageInput("image", height, width, 3 if colour else 1, "hwc" if colour else "hw")
        stored = Stored(layout, TARGET, labels, encoded=True, notes=tuple(notes))
        return seal(work, stored, splits)


def _one(where: Sequence[str]) -> dict[str, Path]:
    if len(where) != 1:
        raise InvalidInput(f"pictures: expected one folder, received {len(where)}")
    return _roots(Path(where[0]))


def _roots(path: Path) -> dict[str, Path]:
    """The folder of class folders of each split, training first."""
    if (path / "train").is_dir() and any(_folders(path / "train")):
        return {name: path / name for name in _SPLITS if (path / name).is_dir()}
    return {"train": path}


def _folders(root: Path) -> list[Path]:
    return sorted(
        (path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: path.name,
    )


def _pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures in a folder by name, and other files."""
    files = sorted(
        (path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")),
        key=lambda path: path.name,
    )
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    return pictures, [path for path in files if path.suffix.lower() not in SUFFIXES]


def _has_picture(folder: Path) -> bool:
    return any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise InvalidData(f"{path}: expected at most {_MAX_BYTES} bytes, found {size}")
    return path.read_bytes()
