"""A folder of class folders of .txt files, or `train` and `test` folders of them.

A class is called as its folder; a file is one text. Files are UTF-8: one that is not is refused by
name rather than guessed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import TextInput
from numen.data.reading import Reading
from numen.data.stored import Stored, class_index, seal
from numen.data.texts import INPUT
from numen.data.writing import TextSplit

_SPLITS: Final = ("train", "test", "validation")
_MAX_BYTES: Final = 16 << 20
SUFFIX: Final = ".txt"
TARGET: Final = "label"


class TextFolderSource:
    """Reads folders of texts."""

    def matches(self, where: str) -> bool:
        """A folder with a .txt file in one of its folders, or in one of theirs by split."""
        path = Path(where)
        if not path.is_dir():
            return False
        classes = (kind for root in _roots(path).values() for kind in _folders(root))
        return any(_is_text(file) for kind in classes for file in kind.iterdir())

    def files(self, where: Sequence[str]) -> list[Path]:
        """All texts, and the folders they lie in."""
        return [
            path
            for root in _one(where).values()
            for kind in _folders(root)
            for path in (kind, *_texts(kind))
        ]

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Writes the texts, the files of a class by name."""
        if reading.target not in ("", TARGET):
            raise InvalidInput(f'texts: expected target "{TARGET}", received "{reading.target}"')
        reading.refuse("texts", "columns", "group", "order", "window", "centre")
        roots = _one(where)
        labels = tuple(kind.name for kind in _folders(roots["train"]) if any(_texts(kind)))
        index = class_index(labels)
        others: list[Path] = []
        splits = []
        for name, root in roots.items():
            with TextSplit(work, name, INPUT, TARGET, str(root)) as split:
                for kind in _folders(root):
                    found = list(_texts(kind))
                    others += [path for path in kind.iterdir() if not _is_text(path)]
                    if found and kind.name not in index:
                        raise InvalidData(
                            f'{found[0]}: class "{kind.name}" is not among those of '
                            f"{roots['train']} ({', '.join(labels[:20])})"
                        )
                    for path in found:
                        split.append([read_text(path)], np.array([index[kind.name]]))
            splits.append(split)
        notes: tuple[str, ...] = ()
        if others:
            first = sorted(others)[0]
            notes = (f"{len(others)} files are no {SUFFIX} files, such as {first.name}",)
        return seal(work, Stored(TextInput(INPUT), TARGET, labels, notes=notes), splits)


def _one(where: Sequence[str]) -> dict[str, Path]:
    if len(where) != 1:
        raise InvalidInput(f"texts: expected one folder, received {len(where)}")
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


def _texts(folder: Path) -> Iterator[Path]:
    yield from sorted(filter(_is_text, folder.iterdir()), key=lambda path: path.name)


def _is_text(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX and path.is_file() and not path.name.startswith(".")


def read_text(path: Path) -> str:
    """What a file of text says.

    Raises:
        InvalidData: It is not UTF-8, or of more than 16 MiB.
    """
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise InvalidData(f"{path}: expected at most {_MAX_BYTES} bytes, found {size}")
    raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidData(
            f"{path} row {line}: expected UTF-8 text, found byte 0x{raw[error.start]:02x}",
            hint="save it as UTF-8, such as with iconv -f latin1 -t utf-8",
        ) from error
