"""A folder of class folders of pictures, or `train` and `test` folders of them.

A class is called as its folder; an archive of such folders does as well. Every picture is decoded
once, so that a broken one is found now; what is kept is its file's bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import picture
from numen.data import folders
from numen.data.archive import is_archive, opened
from numen.data.folders import TARGET
from numen.data.pixels import SUFFIXES, decode
from numen.data.reading import Reading
from numen.data.stored import Stored, class_index, seal
from numen.data.writing import EncodedSplit

_MAX_BYTES: Final = 256 << 20


class ImageFolderSource:
    """Reads folders of pictures."""

    def matches(self, where: str) -> bool:
        """A folder with a picture in one of its folders, or in one of theirs by split."""
        return folders.holds(where, SUFFIXES)

    def files(self, where: Sequence[str]) -> list[Path]:
        """All pictures, and the folders they lie in; of an archive, itself."""
        path = folders.one(where, "pictures")
        if is_archive(path):
            return [path]
        return [
            path
            for root in folders.roots(path).values()
            for kind in folders.folders(root)
            for path in (kind, *folders.files(kind, SUFFIXES)[0])
        ]

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Writes the pictures; all are read at the size most of them have."""
        if reading.target not in ("", TARGET):
            raise InvalidInput(f'pictures: expected target "{TARGET}", received "{reading.target}"')
        reading.refuse("pictures", "columns", "group", "order", "window")
        with opened(folders.one(where, "pictures"), work) as path:
            return self._read(folders.roots(path), work, centre=bool(reading.centre))

    def _read(self, roots: dict[str, Path], work: Path, *, centre: bool) -> Stored:
        labels = tuple(kind.name for kind in folders.folders(roots["train"]))
        index = class_index(labels)
        sizes: Counter[tuple[int, ...]] = Counter()
        colour = False
        left_out: list[str] = []
        splits = []
        for name, root in roots.items():
            with EncodedSplit(work, name, "image", TARGET, str(root)) as split:
                for kind in folders.folders(root):
                    pictures, others = folders.files(kind, SUFFIXES)
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
        layout = picture(
            "image", (height, width, 3) if colour and not centre else (height, width), centre
        )
        stored = Stored(layout, TARGET, labels, encoded=True, notes=tuple(notes))
        return seal(work, stored, splits)


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise InvalidData(f"{path}: expected at most {_MAX_BYTES} bytes, found {size}")
    return path.read_bytes()
