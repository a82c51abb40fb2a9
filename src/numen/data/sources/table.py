"""Tables: CSV (and TSV), Parquet and JSON Lines, alone or as a folder with `train` and `test`.

Tells which file is which split and opens it; `numen.data.columns` tells what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet

from numen.core.errors import InvalidData
from numen.data.columns import write
from numen.data.csvfile import open_csv
from numen.data.facts import TableFile
from numen.data.jsonlines import open_jsonl
from numen.data.listing import first_file
from numen.data.reading import Reading
from numen.data.stored import Stored

_SPLIT: Final = re.compile(r"(train|test|validation)(?=$|[-_.])", re.IGNORECASE)
_ROWS: Final = 16_384


Opener: TypeAlias = "staticmethod[[Path], TableFile]"


class _TableSource:
    """What the three have in common: which files are which split."""

    suffixes: ClassVar[tuple[str, ...]]
    opened: ClassVar[Opener]

    def matches(self, where: str) -> bool:
        """A file of this kind by its suffix, or a folder of one without the files it tells of."""
        path = Path(where)
        if path.is_dir():
            return first_file(path) is None and any(self._is_table(file) for file in path.iterdir())
        return self._is_table(path)

    def files(self, where: Sequence[str]) -> list[Path]:
        """All files of all splits."""
        return [path for paths in self._splits(where).values() for path in paths]

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Writes features and targets."""
        splits = {
            name: [self.opened(path) for path in paths]
            for name, paths in self._splits(where).items()
        }
        return write(splits, reading, work)

    def _is_table(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes and path.is_file()

    def _splits(self, where: Sequence[str]) -> dict[str, list[Path]]:
        """Files by split; a lone file, or files none of which says its split, are for training."""
        found: list[Path] = []
        for place in where:
            path = Path(place)
            inside = sorted(path.iterdir()) if path.is_dir() else [path]
            found += [file for file in inside if self._is_table(file)]
        splits: dict[str, list[Path]] = {}
        for path in found:
            named = _SPLIT.match(path.stem) if len(found) > 1 else None
            splits.setdefault(named[1].lower() if named else "", []).append(path)
        if "train" not in splits:
            if "" not in splits:
                raise InvalidData(f"{', '.join(where)}: expected a file of training rows (train…)")
            splits["train"] = splits.pop("")
        if "" in splits:
            raise InvalidData(
                f"{splits[''][0]}: its name says no split, as others do (train, test, validation)",
                hint="name the files to read one by one",
            )
        return {name: splits[name] for name in ("train", "test", "validation") if name in splits}


class CsvSource(_TableSource):
    """Reads CSV and TSV files with a header, in UTF-8."""

    suffixes = (".csv", ".tsv")
    opened = staticmethod(open_csv)


class JsonlSource(_TableSource):
    """Reads JSON Lines: an object a row, named fields of plain values."""

    suffixes = (".jsonl", ".ndjson")
    opened = staticmethod(open_jsonl)


def _parquet(path: Path) -> TableFile:
    try:
        with pa.parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidData(f"{path}: not a whole Parquet file: {error}") from error
    for name in names:
        if names.count(name) > 1:
            raise InvalidData(f'{path}: two columns are called "{name}"', field=name)
    return TableFile(path, partial(_parquet_batches, path), lambda place: place + 1, True)


def _parquet_batches(path: Path) -> Iterator[Any]:
    start = 0
    try:
        # Mapped, as else whole row groups of it would be read into memory.
        with pa.parquet.ParquetFile(path, memory_map=True) as file:
            for batch in file.iter_batches(_ROWS):
                yield pa.record_batch(
                    [_plain(column) for column in batch.columns], names=batch.schema.names
                )
                start += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise InvalidData(f"{path}: broken after row {start}: {error}") from error


def _plain(column: Any) -> Any:
    """The column without its encoding, text as `string`, numbers as Arrow computes with them."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if _of_texts(kind):
        return column.cast(pa.list_(pa.string()))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())  # as ISO 8601 has it
    return column.cast(pa.float32()) if pa.types.is_float16(kind) else column


def _of_texts(kind: Any) -> bool:
    """Whether values are lists of texts, in any of Arrow's forms but the plain one."""
    types = pa.types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    if types.is_dictionary(inner):
        inner = inner.value_type
    text = types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner)
    return bool(text and kind != pa.list_(pa.string()))


class ParquetSource(_TableSource):
    """Reads Parquet files."""

    suffixes = (".parquet",)
    opened = staticmethod(_parquet)
