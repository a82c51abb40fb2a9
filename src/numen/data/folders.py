"""Folders of class folders, or `train`, `test` and `validation` folders of them, and archives.

A class is called as its folder. Owns how they are found, whatever lies in them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from numen.core.errors import InvalidInput
from numen.data import archive

SPLITS: Final = ("train", "test", "validation")
TARGET: Final = "label"


def holds(where: str, suffixes: Collection[str]) -> bool:
    """Whether there is a folder, or an archive of one, with such files in its class folders."""
    path = Path(where)
    if archive.is_archive(path):
        found = map(PurePosixPath, archive.names(path))
        return any(len(name.parts) > 1 and name.suffix.lower() in suffixes for name in found)
    return path.is_dir() and any(
        inside.suffix.lower() in suffixes
        for root in roots(path).values()
        for kind in folders(root)
        for inside in kind.iterdir()
    )


def one(where: Sequence[str], what: str) -> Path:
    """The only place named.

    Raises:
        InvalidInput: There are several; the message says that of `what`.
    """
    if len(where) != 1:
        raise InvalidInput(f"{what}: expected one folder, received {len(where)}")
    return Path(where[0])


def roots(path: Path) -> dict[str, Path]:
    """The folder of class folders of each split, training first."""
    if (path / "train").is_dir() and any(folders(path / "train")):
        return {name: path / name for name in SPLITS if (path / name).is_dir()}
    return {"train": path}


def folders(root: Path) -> list[Path]:
    """The class folders in it by name; hidden ones are none."""
    return sorted(
        (path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")),
        key=lambda path: path.name,
    )


def files(folder: Path, suffixes: Collection[str]) -> tuple[list[Path], list[Path]]:
    """The files of a kind in a folder by name, and other files; hidden ones are neither."""
    found = sorted(
        (path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")),
        key=lambda path: path.name,
    )
    wanted = [path for path in found if path.suffix.lower() in suffixes]
    return wanted, [path for path in found if path.suffix.lower() not in suffixes]
