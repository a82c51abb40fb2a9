"""IDX files, as MNIST and its kin come: a file of pictures and a file of labels a split.

Plain or gzip-compressed, alone or in a folder. Type, sizes and length are checked to the byte.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import numpy as np

from numen.core.centre import centre, ink_of
from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import picture
from numen.core.signature import Array
from numen.data.reading import Reading
from numen.data.stored import Stored, seal
from numen.data.writing import FixedSplit

_NAME: Final = re.compile(r"idx[1-4][-.]u?byte(\.gz)?$|\.idx(\.gz)?$")
# The type codes of the format; numbers lie high byte first.
_TYPES: Final = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_BLOCK: Final = 16 << 20  # bytes read at a time
_MAX_SIDE: Final = 16_384
TARGET: Final = "label"


@dataclass(frozen=True)
class _Pair:
    split: str
    images: Path
    labels: Path


class IdxSource:
    """Reads IDX files."""

    def matches(self, where: str) -> bool:
        """A file named like `train-images-idx3-ubyte.gz`, or a folder holding one."""
        path = Path(where)
        if path.is_dir():
            return any(_is_idx(file) for file in path.iterdir())
        return _is_idx(path)

    def files(self, where: Sequence[str]) -> list[Path]:
        """All files of pictures and labels."""
        return [path for pair in _pairs(where) for path in (pair.images, pair.labels)]

    def read(
        self, where: Sequence[str], reading: Reading, work: Path, *, centred: bool = False
    ) -> Stored:
        """Writes pixels as they are; a label is a class index by its place among all labels.

        Args:
            where: Files, or a folder of them.
            reading: Whether they are drawings, which are then centred.
            work: An empty folder to write to.
            centred: They are drawings that somebody has centred before.
        """
        if reading.target not in ("", TARGET):
            raise InvalidInput(f'IDX: expected target "{TARGET}", received "{reading.target}"')
        reading.refuse("pictures", "columns", "group", "order", "window")
        pairs = _pairs(where)
        shape: tuple[int, ...] | None = None
        known: Array | None = None
        splits = []
        for pair in pairs:
            labels = _labels(pair.labels)
            known = np.unique(labels) if known is None else known
            codes = _codes(pair.labels, labels, known)
            with _opened(pair.images) as (file, size):
                rows, *found = _header(pair.images, file, size, (3, 4))
                if len(found) == 3 and found[2] != 3:
                    raise InvalidData(f"{pair.images}: expected 3 colours, found {found[2]}")
                if not all(0 < side <= _MAX_SIDE for side in found):
                    raise InvalidData(
                        f"{pair.images}: expected pictures of 1 to {_MAX_SIDE} pixels a side, "
                        f"found {found}"
                    )
                if rows != len(labels):
                    raise InvalidData(
                        f"{pair.images}: {rows} pictures, but {pair.labels} has "
                        f"{len(labels)} labels"
                    )
                shape = shape or tuple(found)
                if tuple(found) != shape:
                    raise InvalidData(
                        f"{pair.images}: expected pictures of {list(shape)} pixels as "
                        f"{pairs[0].images.name} has, found {found}"
                    )
                with FixedSplit(
                    work, pair.split, "image", TARGET, str(pair.images), shape, "uint8"
                ) as split:
                    for start, block in _blocks(pair.images, file, rows, shape):
                        labelled = codes[start : start + len(block)]
                        split.append(_centred(block) if reading.centre else block, labelled)
            splits.append(split)
        assert shape is not None
        assert known is not None
        stored = Stored(
            picture("image", shape, centred or bool(reading.centre)),
            TARGET,
            tuple(str(value) for value in known.tolist()),
        )
        return seal(work, stored, splits)


def _centred(drawings: Array) -> Array:
    return np.stack([centre(ink_of(each), *each.shape) for each in drawings])


def _is_idx(path: Path) -> bool:
    return _NAME.search(path.name.lower()) is not None and path.is_file()


def _pairs(where: Sequence[str]) -> list[_Pair]:
    """Pictures with their labels, training first; told by the files' names."""
    files: dict[tuple[str, str], Path] = {}
    for place in where:
        path = Path(place)
        found = [file for file in path.iterdir() if _is_idx(file)] if path.is_dir() else [path]
        if len(where) == 1 and path.is_file():  # one file stands for itself and its partner
            same = [f for f in path.parent.iterdir() if _is_idx(f) and _split(f) == _split(path)]
            partner = [file for file in same if _role(file) != _role(path)]
            found += [file for file in partner if file.suffix == path.suffix] or partner[:1]
        for file in sorted(found, reverse=True):  # where both lie there, the plain file wins
            files[_split(file), _role(file)] = file
    splits = sorted({split for split, _ in files}, key=lambda split: (split != "train", split))
    if splits and "train" not in splits:
        raise InvalidData(f"{', '.join(where)}: expected training files (train-…), found none")
    pairs = []
    for split in splits:
        for role in ("images", "labels"):
            if (split, role) not in files:
                have = next(file for (s, _), file in files.items() if s == split)
                raise InvalidData(f"{have}: its file of {role} is missing beside it")
        pairs.append(_Pair(split, files[split, "images"], files[split, "labels"]))
    return pairs


def _split(path: Path) -> str:
    return "test" if re.match(r"(t10k|test)", path.name.lower()) else "train"


def _role(path: Path) -> str:
    return "labels" if re.search(r"label|idx1", path.name.lower()) else "images"


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int | None]]:
    """The file, unpacked as it is read, and its size where that is known beforehand."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if packed:
                with gzip.open(raw) as file:
                    yield cast("IO[bytes]", file), None
            else:
                yield raw, path.stat().st_size
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidData(
            f"{path}: its gzip compression is broken or cut short ({error})",
            hint="fetch the file again",
        ) from error


def _header(
    path: Path, file: IO[bytes], size: int | None, ranks: tuple[int, ...]
) -> tuple[int, ...]:
    """The sizes a file announces, having checked its type and, where known, its length."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
        raise InvalidData(f"{path}: expected an IDX file, its first bytes are {magic.hex(' ')}")
    kind, rank = magic[2], magic[3]
    if rank not in ranks or (rank > 1 and kind != 8):
        expected = "one of labels" if ranks == (1,) else "unsigned bytes of 3 or 4 dimensions"
        raise InvalidData(
            f"{path}: expected {expected}, found type 0x{kind:02x} of {rank} dimensions"
        )
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise InvalidData(f"{path}: cut short in its header, at byte {4 + len(sizes)}")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    if size is not None:
        _length(path, size - 4 - 4 * rank, shape, np.dtype(_TYPES[kind]).itemsize)
    return (kind, *shape) if ranks == (1,) else shape


def _length(path: Path, found: int, shape: tuple[int, ...], itemsize: int) -> None:
    rows, row = shape[0], itemsize
    for n in shape[1:]:
        row *= n
    header = 4 + 4 * len(shape)
    if found < rows * row:
        raise InvalidData(
            f"{path} row {found // row + 1}: cut short at byte {header + found}; "
            f"expected {rows} rows, {header + rows * row} bytes",
            hint="fetch the file again",
        )
    if found > rows * row:
        raise InvalidData(
            f"{path}: expected {rows} rows, {header + rows * row} bytes; "
            f"found more from byte {header + rows * row} on"
        )


def _blocks(
    path: Path, file: IO[bytes], rows: int, shape: tuple[int, ...]
) -> Iterator[tuple[int, Array]]:
    """Pictures, a block at a time with the number of its first; then the end of the file."""
    row = int(np.prod(shape))
    most = max(1, _BLOCK // row)
    for start in range(0, rows, most):
        count = min(most, rows - start)
        data = file.read(count * row)
        if len(data) < count * row:
            _length(path, start * row + len(data), (rows, *shape), 1)
        yield start, np.frombuffer(data, np.uint8).reshape(count, *shape)
    _length(path, rows * row + len(file.read(1)), (rows, *shape), 1)


def _labels(path: Path) -> Array:
    with _opened(path) as (file, size):
        kind, rows = _header(path, file, size, (1,))
        dtype: np.dtype[Any] = np.dtype(_TYPES[kind])
        if dtype.kind == "f":
            raise InvalidData(f"{path}: expected whole numbers as labels, found {dtype.name}")
        data = b"".join(iter(lambda: file.read(_BLOCK), b""))
        _length(path, len(data), (rows,), dtype.itemsize)
    return np.frombuffer(data, dtype).astype(np.int64)


def _codes(path: Path, labels: Array, known: Array) -> Array:
    """Each label's place among those of the training rows."""
    codes = np.searchsorted(known, labels).clip(max=max(len(known) - 1, 0))
    wrong = np.flatnonzero(known[codes] != labels) if len(known) else np.arange(len(labels))
    if len(wrong):
        raise InvalidData(
            f"{path} row {wrong[0] + 1}: label {labels[wrong[0]]} is not among the "
            f"training labels ({', '.join(map(str, known.tolist()[:20]))})"
        )
    return codes.astype(np.int64)
