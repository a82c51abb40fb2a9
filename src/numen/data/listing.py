"""A table beside files that says of each what it is: `metadata.csv` or `labels.csv`.

Its columns are the file's path, its class and, where there are any, its split and its group.
Refuses paths that lead elsewhere, files that are not there, and a group in two splits.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np

from numen.core.errors import InvalidData, InvalidInput
from numen.data.folders import SPLITS, TARGET
from numen.data.reading import Reading

NAMES: Final = ("metadata.csv", "labels.csv")
_FILES: Final = ("file_name", "file", "filename", "path", "audio")
_TARGETS: Final = (TARGET, "class", "category", "target", "word", "y")
_SPLIT: Final = ("split", "subset")
_CALLED: Final = {
    "train": "train", "training": "train",
    "test": "test", "testing": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip
_MAX_BYTES: Final = 1 << 30
_HELD_OUT: Final = 0.2
_SEED: Final = 20_261_125  # of the groups held out


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a set.

    Attributes:
        path: The file.
        split: Which split it belongs to.
        label: Its class.
    """

    path: Path
    split: str
    label: str


def table_in(folder: Path) -> Path | None:
    """The table in a folder, where there is one."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def first_file(folder: Path) -> Path | None:
    """The first file that a folder's table tells of; None where no table tells of files."""
    table = table_in(folder)
    if table is None:
        return None
    try:
        number, row = next(_rows(table))
        file = _find(list(row), _FILES)
        return None if file is None else _inside(table, number, row[file])
    except InvalidData:
        return None


def listed(table: Path, reading: Reading) -> tuple[str, list[Listed]]:
    """What a table says of the files beside it.

    Args:
        table: The CSV file.
        reading: Its `target` and `group` name columns.

    Returns:
        The name of the column of classes, and the files in the table's order.

    Raises:
        InvalidInput: There is no such column, or too few groups to hold one out.
        InvalidData: A row is broken; the message names it.
    """
    rows = list(_rows(table))
    columns = [name for name in rows[0][1] if name]
    file = _find(columns, _FILES)
    if file is None:
        raise InvalidData(
            f"{table}: expected a column of files ({', '.join(_FILES)}), found {', '.join(columns)}"
        )
    split = _find(columns, _SPLIT)
    target = _target(table, columns, reading, {file, split})
    if reading.group and reading.group not in columns:
        raise InvalidInput(
            f'read.group: {table} has no column "{reading.group}"; it has {", ".join(columns)}',
            field="group",
        )
    paths = [_inside(table, number, row[file]) for number, row in rows]
    labels = [_said(table, number, row, target) for number, row in rows]
    splits = [_split(table, number, row, split) for number, row in rows]
    if reading.group:
        groups = [_said(table, number, row, reading.group) for number, row in rows]
        if split is None:
            splits = _by_groups(groups)
        _check_groups(table, reading.group, groups, splits)
    return target, [Listed(*each) for each in zip(paths, splits, labels, strict=True)]


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with the line people find it on."""
    if table.stat().st_size > _MAX_BYTES:
        raise InvalidData(f"{table}: expected at most {_MAX_BYTES} bytes")
    count = 0
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file, strict=True):
                count += 1
                if None in row or None in row.values():
                    raise InvalidData(f"{table} row {count}: expected one value a column")
                yield count, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise InvalidData(f"{table}: not a CSV file in UTF-8: {error}") from error
    if not count:
        raise InvalidData(f"{table}: expected at least one row, found none")


def _find(columns: Sequence[str], wanted: Sequence[str]) -> str | None:
    by_name = {name.strip().lower(): name for name in columns}
    return next((by_name[name] for name in wanted if name in by_name), None)


def _target(table: Path, columns: list[str], reading: Reading, others: set[str | None]) -> str:
    if reading.target:
        if reading.target not in columns:
            raise InvalidInput(
                f'{table}: no column "{reading.target}"; it has {", ".join(columns)}',
                field="target",
            )
        return reading.target
    left = [name for name in columns if name not in others and name != reading.group]
    found = _find(left, _TARGETS) or (left[0] if len(left) == 1 else None)
    if found is None:
        raise InvalidInput(
            f"{table}: expected a column of classes called {', '.join(_TARGETS)}, "
            f"found {', '.join(left) or 'none'}",
            hint="name it as the target",
            field="target",
        )
    return found


def _said(table: Path, number: int, row: Mapping[str, str], column: str) -> str:
    value = row[column].strip()
    if not value:
        raise InvalidData(f'{table} row {number}: column "{column}" is empty', field=column)
    return value


def _split(table: Path, number: int, row: Mapping[str, str], column: str | None) -> str:
    if column is None:
        return "train"
    found = _CALLED.get(row[column].strip().lower())
    if found is None:
        raise InvalidData(
            f'{table} row {number}: column "{column}": expected {", ".join(SPLITS)}, '
            f'found "{row[column][:80]}"',
            field=column,
        )
    return found


def _inside(table: Path, number: int, name: str) -> Path:
    parts = PurePosixPath(name.strip().replace("\\", "/"))
    if not parts.name or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise InvalidData(f'{table} row {number}: "{name[:200]}" is no file beside it')
    path = table.parent / parts
    if not path.is_file():
        raise InvalidData(f'{table} row {number}: there is no file "{name[:200]}"')
    return path


def _by_groups(groups: Sequence[str]) -> list[str]:
    """The split of each row: about a fifth tests, by whole groups, the same each time."""
    names, sizes = np.unique(np.asarray(groups), return_counts=True)
    if len(names) < 2:
        raise InvalidInput(
            f"read.group: expected at least two groups to test on one, found {len(names)}",
            field="group",
        )
    wanted = _HELD_OUT * len(groups)
    held: set[str] = set()
    for place in np.random.default_rng(_SEED).permutation(len(names)):
        if wanted >= sizes[place] / 2:  # nearer with it than without
            held.add(str(names[place]))
            wanted -= sizes[place]
    held = held or {str(names[sizes.argmin()])}
    return ["test" if group in held else "train" for group in groups]


def _check_groups(table: Path, column: str, groups: Sequence[str], splits: Sequence[str]) -> None:
    stands_in: dict[str, str] = {}
    for group, split in zip(groups, splits, strict=True):
        if stands_in.setdefault(group, split) != split:
            raise InvalidData(
                f'{table}: {column} "{group[:80]}" stands in {stands_in[group]} and in {split}',
                hint="mend the column of splits, or leave it out",
                field=column,
            )
