"""The columns of a table become a row of numbers and a target, in two passes and constant memory.

The first pass learns what each column is; the second writes. What was taken for what, and why, is
kept beside the data, so that a person can look at it and say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import Column, ColumnsInput, Preprocess, TextInput, WindowInput
from numen.core.signature import Array
from numen.data import texts
from numen.data.encoder import Encoder
from numen.data.facts import Facts, TableFile
from numen.data.reading import ColumnKind, Reading, Taken
from numen.data.stored import Stored, seal
from numen.data.target import Target, columns_of
from numen.data.writing import FixedSplit

INPUT: Final = "features"


def write(files: Mapping[str, Sequence[TableFile]], reading: Reading, work: Path) -> Stored:
    """Writes the files of each split (training first) to `work`.

    Raises:
        InvalidInput: The reading names a column that is not there, or cannot be so read.
        InvalidData: Columns differ, a target is missing or unknown, a number is not finite.
    """
    facts: dict[str, Facts] = {}
    for split, parts in files.items():
        for file in parts:
            _study(file, facts, reading)
        if split == "train":
            where = str(files["train"][0].path)
            target = Target.learn(where, facts, reading)
    reading.refuse("tables", "centre")
    _check(where, reading, list(facts), target.columns)
    notes = list(target.notes)
    notes += [note for parts in files.values() for file in parts for note in file.notes]
    columns, taken = _take(facts, target.columns, reading)
    notes += [
        f'column "{each.name}" is left out: {each.why}' for each in taken if each.kind == "ignore"
    ]
    text = texts.column_of(columns, facts, reading)
    if text:
        reading.refuse("texts", "group", "order", "window", "centre")
        notes += [
            f'column "{c.name}" is left out: it numbers the rows' for c in columns if c.name != text
        ]
        plan = _stored(TextInput(text), target, notes)
        return texts.write(files, text, plan, target.read, work)
    if not columns:
        raise InvalidData(
            f"{where}: no column but the target can be learnt from",
            hint="is the separator a comma?" if len(facts) == 1 else "; ".join(notes),
        )
    ignored = (*target.columns, *(each.name for each in taken if each.kind == "ignore"))
    preprocess: Preprocess = ColumnsInput(INPUT, tuple(columns), ignored)
    if reading.window:
        preprocess = WindowInput(INPUT, tuple(columns), reading.window, ignored)
    encoder = Encoder(columns, facts, reading.group, reading.order)
    plan = _stored(preprocess, target, notes)
    splits = [
        _write(work, split, parts, encoder, target, plan, reading) for split, parts in files.items()
    ]
    # A category that no row had may come when serving: it counts as missing.
    missing = encoder.missing or bool(reading.window) or any(c.categories for c in columns)
    stored = msgspec.structs.replace(
        plan, missing=missing, taken=tuple(taken), group=reading.group, order=reading.order
    )
    return seal(work, stored, splits)


def _stored(preprocess: Preprocess, target: Target, notes: Sequence[str]) -> Stored:
    return Stored(
        preprocess,
        target.name,
        target.labels,
        notes=tuple(dict.fromkeys(notes)),
        several=target.several,
        quantities=target.quantities,
    )


def _write(
    work: Path,
    split: str,
    parts: Sequence[TableFile],
    encoder: Encoder,
    target: Target,
    plan: Stored,
    reading: Reading,
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
        target.name,
        ", ".join(str(file.path) for file in parts),
        (sum(column.width for column in encoder.columns),),
        "float32",
        beside,
        _by_group_in_order if window else None,
        target_dtype=plan.target_dtype,
        target_shape=plan.target_shape,
    )
    with written:
        done = 0
        for file in parts:
            start = 0
            for batch in file.batches():
                features, *others = encoder.encode(file, batch, start)
                if window:  # what is not said is one group, in the order of the file
                    one = [] if reading.group else [np.zeros(len(features), np.int64)]
                    row = [] if reading.order else [np.arange(done, done + len(features))]
                    others = [*one, *others, *row]
                written.append(features, target.read(file, batch, start), *others)
                start += batch.num_rows
                done += batch.num_rows
    return written


def _by_group_in_order(group: Array, order: Array) -> Array:
    return np.lexsort((order, group))


def _take(
    facts: Mapping[str, Facts], target: Sequence[str], reading: Reading
) -> tuple[list[Column], list[Taken]]:
    """What a model gets, and how every column but the target's was taken."""
    columns, taken = [], []
    for fact in facts.values():
        if fact.name in target:
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


def _check(where: str, reading: Reading, names: list[str], target: Sequence[str]) -> None:
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
            number = field == "columns" and reading.columns[name] == "number"
            if name in target and not number:
                raise InvalidInput(f'{where}: read.{field}: "{name}" is the target', field=field)


def _study(file: TableFile, facts: dict[str, Facts], reading: Reading) -> None:
    first = not facts
    start = 0
    for batch in file.batches():
        names = batch.schema.names
        if first and not facts:
            facts |= {name: Facts(name) for name in names}
            if reading.separator:
                for name in columns_of(str(file.path), names, reading.target)[0]:
                    facts[name].separator = reading.separator
        for name in facts.keys() ^ set(names):
            what = "is missing" if name in facts else "is not in the training file"
            raise InvalidData(f'{file.path}: column "{name}" {what}', field=name)
        for name, fact in facts.items():
            fact.see(file, batch.column(name), start)
        start += batch.num_rows
    if not start:
        raise InvalidData(f"{file.path}: expected at least one row, found none")
