"""The columns of a table become a row of numbers and a target, in two passes and constant memory.

The first pass learns what each column is; the second writes. What was taken for what, and why, is
kept beside the data, so that a person can look at it and say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import Column, ColumnsInput, Preprocess, TextInput, WindowInput
from numen.core.signature import Array
from numen.data import texts
from numen.data.encoder import Encoder
from numen.data.facts import Facts, TableFile
from numen.data.reading import ColumnKind, Reading, Taken
from numen.data.stored import Stored, seal
from numen.data.writing import FixedSplit

TARGETS: Final = ("label", "target", "class", "y")
INPUT: Final = "features"


def write(files: Mapping[str, Sequence[TableFile]], reading: Reading, work: Path) -> Stored:
    """Writes the files of each split (training first) to `work`.

    Raises:
        InvalidInput: The reading names a column that is not there, or cannot be so read.
        InvalidData: Columns differ, a target is missing or unknown, a number is not finite.
    """
    facts: dict[str, Facts] = {}
    learnt: dict[str, Any] = {}
    for split, parts in files.items():
        for file in parts:
            _study(file, facts)
        if split == "train":
            where = str(files["train"][0].path)
            name, notes = _target(where, list(facts), reading.target or None)
            learnt = {"kind": facts[name].kind, "labels": _labels(where, facts[name], reading)}
    _check(where, reading, list(facts), name)
    notes += [note for parts in files.values() for file in parts for note in file.notes]
    columns, taken = _take(facts, name, reading)
    notes += [
        f'column "{each.name}" is left out: {each.why}' for each in taken if each.kind == "ignore"
    ]
    text = texts.column_of(columns, facts, reading)
    if text:
        reading.refuse("texts", "group", "order", "window")
        notes += [
            f'column "{c.name}" is left out: it numbers the rows' for c in columns if c.name != text
        ]
        alone = Encoder([], facts, name, learnt["labels"], learnt["kind"])
        plan = Stored(TextInput(text), name, alone.labels, notes=tuple(dict.fromkeys(notes)))
        return texts.write(files, text, plan, lambda *each: alone.encode(*each)[1], work)
    if not columns:
        raise InvalidData(
            f"{where}: no column but the target can be learnt from",
            hint="is the separator a comma?" if len(facts) == 1 else "; ".join(notes),
        )
    ignored = (name, *(each.name for each in taken if each.kind == "ignore"))
    preprocess: Preprocess = ColumnsInput(INPUT, tuple(columns), ignored)
    if reading.window:
        preprocess = WindowInput(INPUT, tuple(columns), reading.window, ignored)
    encoder = Encoder(
        columns, facts, name, learnt["labels"], learnt["kind"],
        reading.group, reading.order, may_lack=bool(reading.window),
    )  # fmt: skip
    splits = [_write(work, split, parts, encoder, reading) for split, parts in files.items()]
    # A category that no row had may come when serving: it counts as missing.
    missing = encoder.missing or bool(reading.window) or any(c.categories for c in columns)
    stored = Stored(
        preprocess,
        name,
        learnt["labels"],
        missing=missing,
        notes=tuple(dict.fromkeys(notes)),
        taken=tuple(taken),
        group=reading.group,
        order=reading.order,
    )
    return seal(work, stored, splits)


def _write(
    work: Path, split: str, parts: Sequence[TableFile], encoder: Encoder, reading: Reading
) -> FixedSplit:
    window = bool(reading.window)
    beside = {
        column: dtype
        for column, dtype in ((reading.group or "group", "int64"), (reading.order or "order", "f8"))
        if window or column in (reading.group, reading.order)
    }
    written = FixedSplit(
        work,
        split,
        INPUT,
        encoder.target,
        ", ".join(str(file.path) for file in parts),
        (sum(column.width for column in encoder.columns),),
        "float32",
        "float32" if encoder.labels is None else "int64",
        beside,
        _by_group_in_order if window else None,
    )
    with written:
        done = 0
        for file in parts:
            start = 0
            for batch in file.batches():
                features, target, *others = encoder.encode(file, batch, start)
                if window:  # what is not said is one group, in the order of the file
                    one = [] if reading.group else [np.zeros(len(target), np.int64)]
                    row = [] if reading.order else [np.arange(done, done + len(target))]
                    others = [*one, *others, *row]
                written.append(features, target, *others)
                start += batch.num_rows
                done += batch.num_rows
    return written


def _by_group_in_order(group: Array, order: Array) -> Array:
    return np.lexsort((order, group))


def _take(
    facts: Mapping[str, Facts], target: str, reading: Reading
) -> tuple[list[Column], list[Taken]]:
    """What a model gets, and how every column but the target was taken."""
    columns, taken = [], []
    for fact in facts.values():
        if fact.name == target:
            continue
        said = reading.columns.get(fact.name)
        if said is None and fact.name in (reading.group, reading.order):
            role = "group" if fact.name == reading.group else "order"
            column, why = None, f"rows are divided by it, as read.{role} says"
        else:
            column, why = fact.column(said)
        if column is not None:
            columns.append(column)
        taken.append(Taken(fact.name, _kind(column), why))
    return columns, taken


def _kind(column: Column | None) -> ColumnKind:
    if column is None:
        return "ignore"
    if column.categories is not None:
        return "category"
    return "date" if column.date else "text" if column.words else "number"


def _check(where: str, reading: Reading, names: list[str], target: str) -> None:
    """Refuses a reading that names what is not there."""
    said = {
        "group": [reading.group] if reading.group else [],
        "order": [reading.order] if reading.order else [],
        "columns": list(reading.columns),
    }
    for field, columns in said.items():
        for name in columns:
            if name not in names:
                raise InvalidInput(
                    f'{where}: read.{field}: no column "{name}"; it has {", ".join(names)}',
                    field=field,
                )
            if name == target and (field != "columns" or reading.columns[name] != "number"):
                raise InvalidInput(f'{where}: read.{field}: "{name}" is the target', field=field)


def _labels(where: str, target: Facts, reading: Reading) -> tuple[str, ...] | None:
    """The target's classes; of one that is said to be a number there are none, however few."""
    said = reading.columns.get(target.name)
    if said == "number" and target.kind not in ("whole", "number"):
        raise InvalidInput(
            f'{where}: read.columns: the target "{target.name}" is {target.kind}, not number',
            field="columns",
        )
    return None if said == "number" else target.labels(where)


def _study(file: TableFile, facts: dict[str, Facts]) -> None:
    first = not facts
    start = 0
    for batch in file.batches():
        names = batch.schema.names
        if first and not facts:
            facts |= {name: Facts(name) for name in names}
        for name in facts.keys() ^ set(names):
            what = "is missing" if name in facts else "is not in the training file"
            raise InvalidData(f'{file.path}: column "{name}" {what}', field=name)
        for name, fact in facts.items():
            fact.see(file, batch.column(name), start)
        start += batch.num_rows
    if not start:
        raise InvalidData(f"{file.path}: expected at least one row, found none")


def _target(where: str, names: list[str], target: str | None) -> tuple[str, list[str]]:
    """The target column, and a note where it had to be guessed."""
    if target is not None:
        if target not in names:
            raise InvalidInput(
                f'{where}: no column "{target}"; it has {", ".join(names)}', field="target"
            )
        return target, []
    lower = {name.lower(): name for name in reversed(names)}
    for usual in TARGETS:
        if usual in lower:
            return lower[usual], []
    return names[-1], [f'the last column, "{names[-1]}", was taken as the target']
