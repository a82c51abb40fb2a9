"""CSV and TSV files in batches, and the row of whatever is broken in one.

UTF-8 with a header, every row as long as it. A row is numbered as an editor does: by the line it
begins on, the header being row 1. All values are text; `numen.data.facts` tells what they mean.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from numen.core.errors import InvalidData
from numen.core.fields import MISSING
from numen.data.facts import TableFile

_BLOCK: Final = 16 << 20  # bytes parsed at a time; no row may be longer


def open_csv(path: Path) -> TableFile:
    """Checks the header and the quotes.

    Raises:
        InvalidData: There is no header, a name is there twice, a quote stays open.
    """
    names = _header(path)
    if _quotes(path) % 2:
        _open_quote(path)
    notes = tuple(
        f"column {place} of {path.name} has no name and is left out"
        for place, name in enumerate(names, 1)
        if not name
    )
    return TableFile(path, partial(_batches, path, names), partial(_line, path), False, notes)


def _batches(path: Path, names: list[str]) -> Iterator[Any]:
    ragged = []

    def stop(row: Any) -> str:
        ragged.append(row)
        return "error"

    kept = [name for name in names if name]
    try:
        with pa.csv.open_csv(
            path,
            pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            pa.csv.ParseOptions(
                delimiter=_separator(path), newlines_in_values=True, invalid_row_handler=stop
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                include_columns=kept,
                null_values=list(MISSING),
                strings_can_be_null=True,
            ),
        ) as batches:
            for batch in batches:
                yield pa.record_batch([_trimmed(c) for c in batch.columns], names=kept)
    except pa.ArrowInvalid as error:
        if ragged:
            row = ragged[0]
            raise InvalidData(
                f"{path} row {_line(path, row.number - 2)}: "
                f"expected {row.expected_columns} fields, received {row.actual_columns}"
            ) from error
        _not_text(path)
        raise InvalidData(f"{path}: {error}") from error


def _trimmed(column: Any) -> Any:
    """Without blanks around the values; what is then nothing is missing."""
    bare = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(bare, pa.array(MISSING)), None, bare)


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _header(path: Path) -> list[str]:
    """The column names, which must be there and differ."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            row = next((row for row in csv.reader(file, delimiter=_separator(path)) if row), None)
    except UnicodeDecodeError:
        _not_text(path)
    except csv.Error as error:
        raise InvalidData(f"{path} row 1: {error}") from error
    if row is None:
        raise InvalidData(f"{path}: the file is empty")
    if all(re.fullmatch(r"[-+]?\d*\.?\d+(e[-+]?\d+)?", name.strip(), re.I) for name in row):
        raise InvalidData(
            f"{path} row 1: expected column names, found only numbers",
            hint="add a header",
        )
    for name in row:
        if name and row.count(name) > 1:
            raise InvalidData(f'{path} row 1: two columns are called "{name}"', field=name)
    if row.count("") > 1:
        raise InvalidData(f"{path} row 1: {row.count('')} columns have no name")
    return row


def _line(path: Path, place: int) -> int:
    """The line on which the row at `place` (from 0, blank lines aside) begins."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=_separator(path))
        begins, seen = 1, -1  # the header is before row 0
        for row in reader:
            if row:
                if seen == place:
                    return begins
                seen += 1
            begins = reader.line_num + 1
    return begins


def _not_text(path: Path) -> NoReturn:
    """Says which row is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                raise InvalidData(
                    f"{path} row {number}: expected UTF-8 text, found byte "
                    f"0x{line[error.start]:02x}",
                    hint="save it as UTF-8, such as with iconv -f latin1 -t utf-8",
                ) from error
    raise InvalidData(f"{path}: expected UTF-8 text")


def _quotes(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b'"') for block in iter(lambda: file.read(1 << 20), b""))


def _open_quote(path: Path) -> None:
    """Refuses a quote that is never closed: it would swallow all rows after it."""
    begins = 1
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=_separator(path), strict=True)
        try:
            for _ in reader:
                begins = reader.line_num + 1
        except csv.Error as error:
            raise InvalidData(f"{path} row {begins}: a quote is opened and not closed") from error
