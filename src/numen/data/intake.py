"""Raw files become a stored dataset, once: the plug-in is found by looks, the result is kept.

A converted dataset lies in a cache under numen's home, keyed by the files it came from. A key
that still fits means that no file changed; then nothing is parsed again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, cast

import msgspec

from numen.core import plugins
from numen.core.errors import InvalidData, InvalidInput, NotFound
from numen.data.reading import Reading
from numen.data.sources import Source
from numen.data.stored import DATASET, Stored, load

GROUP: Final = "numen.sources"
KEPT: Final = 32  # converted datasets in the cache; the one not used for longest goes first
_FORM: Final = 3  # raise it when the same files would now be stored differently
_UNREADABLE: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
)
_FRESH: Final = 2.0  # seconds within which a file may change without its times showing it


def find(where: str) -> str | None:
    """The name of the source plug-in that reads `where`, or None.

    Raises:
        InvalidData: It may not be looked at.
    """
    with _reading(where):
        for name in plugins.names(GROUP):
            if where and _source(name).matches(where):
                return name
    return None


def convert(where: Sequence[str], reading: Reading, work: Path) -> Stored:
    """Reads, checks and writes everything to the empty folder `work`.

    Raises:
        NotFound: A source does not exist, or no plug-in reads it.
        InvalidInput: The sources are of different kinds.
        InvalidData: Something is broken; the message names the file and the row.
    """
    name = _kind(where)
    with _reading(where[0]):
        return _source(name).read(where, reading, work)


def cached(where: Sequence[str], reading: Reading, home: Path) -> tuple[Path, Stored]:
    """The folder of the converted dataset, converting it only when its files changed.

    Raises:
        NotFound: A source does not exist, or no plug-in reads it.
        InvalidInput: The sources are of different kinds.
        InvalidData: Something is broken; the message names the file and the row.
    """
    name = _kind(where)
    with _reading(where[0]):
        key = _key(name, _source(name).files(where), reading)
    folder = home / "cache" / "data" / key
    if (folder / DATASET).is_file():
        os.utime(folder)
        return folder, load(folder)
    with working(home) as work:
        convert(where, reading, work)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            work.rename(folder)
        except OSError:  # another process converted the same files meanwhile
            if not (folder / DATASET).is_file():
                raise
    _trim(folder.parent)
    return folder, load(folder)


@contextmanager
def working(home: Path) -> Iterator[Path]:
    """An empty folder that is gone afterwards, unless it was moved away."""
    work = home / "work" / uuid.uuid4().hex
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _source(name: str) -> Source:
    return cast("Source", plugins.load(GROUP, name)())


def _kind(where: Sequence[str]) -> str:
    if not where:
        raise InvalidInput("data: expected at least one source, received none")
    names = {place: find(place) for place in where}
    for place, name in names.items():
        if name is None:
            known = ", ".join(plugins.names(GROUP))
            if not Path(place).exists():
                raise NotFound(f"data: {place} does not exist")
            raise NotFound(f"data: expected one of {known}, received {place}, which is none")
    kinds = sorted({name for name in names.values() if name is not None})
    if len(kinds) > 1:
        raise InvalidInput(f"data: expected sources of one kind, received {' and '.join(kinds)}")
    return kinds[0]


def _key(name: str, files: Sequence[Path], reading: Reading) -> str:
    """Names what was read: path, size and times of each file, as version control does it.

    A file that changed a moment ago could change again within the clock's tick, so its contents
    count as well.
    """
    now = time.time()
    facts: list[object] = [_FORM, name, reading]
    for path in files:
        stat = path.stat()
        times = (stat.st_mtime_ns, stat.st_ctime_ns)
        fact = [str(path.resolve()), stat.st_size, stat.st_ino, *times]
        if path.is_file() and now - max(times) / 1e9 < _FRESH:
            with path.open("rb") as file:
                fact.append(hashlib.file_digest(file, "sha256").hexdigest())
        facts.append(fact)
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:32]


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Says plainly that a file may not be read or is gone; a full disk stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        raise InvalidData(f"{str(error.filename or where)[:200]}: {error.strerror}") from error


def _trim(cache: Path) -> None:
    with suppress(FileNotFoundError):  # another process trims as well
        entries = [(entry.stat().st_mtime, entry) for entry in cache.iterdir()]
        for _, entry in sorted(entries, reverse=True)[KEPT:]:
            shutil.rmtree(entry, ignore_errors=True)
