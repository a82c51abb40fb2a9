"""Archives of folders, unpacked with distrust: names stay inside, sizes stay sane.

Reads zip and tar, compressed or not. Refuses links, names that lead out of the archive, and what
unpacks to far more than it looks like. Hidden files are passed over.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Final, Literal

from numen.core.errors import InvalidData

SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
RATIO: Final = 100  # times its size that an archive may unpack to
SPARE: Final = 64 << 20  # bytes that any may unpack to
MOST: Final = 5_000_000  # files in it
_LOOKED_AT: Final = 256
_PIECE: Final = 1 << 20
_BROKEN: Final = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError,
    NotImplementedError, RuntimeError, UnicodeError,
)  # fmt: skip


def is_archive(where: str | Path) -> bool:
    """Whether it is a file that is called like an archive."""
    return str(where).lower().endswith(SUFFIXES) and Path(where).is_file()


def names(path: Path) -> tuple[str, ...]:
    """The first few hundred files in it, as `folder/file.png`, without unpacking the rest.

    Raises:
        InvalidData: It is broken, or a name leads out of it.
    """
    found = path.stat()
    return _names(path, found.st_mtime_ns, found.st_size)


@contextmanager
def opened(where: Path, work: Path) -> Iterator[Path]:
    """The folder at `where`, or what the archive there holds, for as long as it is looked at.

    Args:
        where: A folder or an archive.
        work: A folder beside which there is room to unpack.

    Raises:
        InvalidData: The archive is broken or does harm; the message says how.
    """
    if not is_archive(where):
        yield where
        return
    with tempfile.TemporaryDirectory(dir=work.parent) as folder:
        yield unpack(where, Path(folder) / where.name)


def unpack(path: Path, into: Path) -> Path:
    """Unpacks an archive to a folder that is made for it.

    Returns:
        The folder that holds its contents: further in, where all lies in one folder of folders.

    Raises:
        InvalidData: The archive is broken or does harm; the message says how.
    """
    room = max(SPARE, RATIO * path.stat().st_size)
    count = 0
    into.mkdir(parents=True)
    with _members(path) as members:
        for member in members:
            count += 1
            if count > MOST:
                raise InvalidData(f"{path}: expected at most {MOST} files")
            target = into / member.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                room = _copy(member, target, room)
            except (FileExistsError, NotADirectoryError) as error:
                raise InvalidData(f'{path}: "{member.name}" stands in it twice') from error
            if room < 0:
                raise InvalidData(
                    f"{path}: it unpacks to over {RATIO} times its size",
                    hint="unpack it yourself if you trust it, and name the folder",
                )
    return _innermost(into)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive; its name is checked."""

    name: PurePosixPath
    open: Callable[[], IO[bytes]]


@lru_cache(maxsize=64)
def _names(path: Path, _time: int, _size: int) -> tuple[str, ...]:
    with _members(path) as members:
        return tuple(str(member.name) for member in islice(members, _LOOKED_AT))


@contextmanager
def _members(path: Path) -> Iterator[Iterator[_Member]]:
    """The files of an archive, as they come."""
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as zipped:
                yield _zipped(path, zipped)
        else:
            with tarfile.open(path, "r:*") as tar:
                yield _tarred(path, tar)
    except _BROKEN as error:
        raise InvalidData(f"{path}: the archive is broken: {error or type(error)}") from error


def _zipped(path: Path, archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        mode = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        kind: Literal["file", "link"] = "file" if mode in (0, stat.S_IFREG) else "link"
        name = _checked(path, info.filename, kind)
        if name is not None:
            yield _Member(name, lambda info=info: archive.open(info))  # type: ignore[misc]


def _tarred(path: Path, archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if info.isdir():
            continue
        name = _checked(path, info.name, "file" if info.isreg() else "link")
        if name is not None:
            yield _Member(name, lambda info=info: archive.extractfile(info))  # type: ignore[misc,arg-type]


def _checked(path: Path, name: str, kind: Literal["file", "link"]) -> PurePosixPath | None:
    """The member's name where it may be unpacked; None where it is passed over."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or ".." in parts or not parts or ":" in parts[0]:
        raise InvalidData(f'{path}: "{name[:200]}" leads out of the archive')
    if any(part.startswith(".") for part in parts) or parts[0] == "__MACOSX":
        return None
    if kind == "link":
        raise InvalidData(f'{path}: expected files and folders, "{name[:200]}" is a link or device')
    return PurePosixPath(*parts)


def _copy(member: _Member, target: Path, room: int) -> int:
    """Writes a file while there is room; returns what is left, below 0 where it did not do."""
    with member.open() as source, target.open("xb") as file:
        while room >= 0 and (piece := source.read(_PIECE)):
            room -= len(piece)
            file.write(piece)
    return room


def _innermost(folder: Path) -> Path:
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        (only,) = inside
        if not any(path.is_dir() or path.suffix.lower() == ".csv" for path in only.iterdir()):
            return folder
        folder = only
