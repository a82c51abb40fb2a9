"""The columns of a table become a row of numbers and a target, in two passes and constant memory.

The first pass learns what each column is (number, truth, text); the second writes. Numbers stay
as they are, truth is 0 or 1, text with few distinct values is its place among them, sorted; text
that tells every row apart is left out with a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from numen.core.errors import InvalidData, InvalidInput
from numen.core.manifest import Column, ColumnsInput, TextInput
from numen.core.signature import Array
from numen.data import texts
from numen.data.facts import Facts, TableFile, as_text, casts, first_odd
from numen.data.reading import Reading
from numen.data.stored import Stored, flat, seal
from numen.data.writing import FixedSplit

TARGETS: Final = ("label", "target", "class", "y")


def write(files: Mapping[str, Sequence[TableFile]], reading: Reading, work: Path) -> Stored:
    """Writes the files of each split (training first) to `work`.

    Raises:
        InvalidInput: There is no such target.
        InvalidData: Columns differ, a target is missing or unknown, a number is not finite.
    """
    reading.refuse("tables", "group", "order", "window")
    facts: dict[str, Facts] = {}
    learnt: dict[str, Any] = {}
    for split, parts in files.items():
        for file in parts:
            _study(file, facts)
        if split == "train":
            where = str(files["train"][0].path)
            name, notes = _target(where, list(facts), reading.target or None)
            learnt = {"kind": facts[name].kind, "labels": facts[name].labels(where)}
    notes += [note for parts in files.values() for file in parts for note in file.notes]
    text, more = texts.column_of(files["train"], facts, name, reading)
    if text:
        alone = _Encoder([], facts, name, learnt["labels"], learnt["kind"])
        plan = Stored(TextInput(text), name, alone.labels, notes=tuple(dict.fromkeys(notes + more)))
        return texts.write(files, text, plan, lambda *each: alone.encode(*each)[1], work)
    reading.refuse("tables", "columns")
    columns = []
    for fact in facts.values():
        if fact.name != name:
            reason = fact.unfit()
            if reason:
                notes.append(f'column "{fact.name}" is left out: {reason}')
            else:
                categories = tuple(sorted(fact.values or ())) if fact.kind == "text" else None
                columns.append(Column(fact.name, categories))
    if not columns:
        raise InvalidData(
            f"{where}: no column but the target can be learnt from",
            hint="is the separator a comma?" if len(facts) == 1 else "; ".join(notes),
        )
    labels = learnt["labels"]
    encoder = _Encoder(columns, facts, name, labels, learnt["kind"])
    splits = []
    for split, parts in files.items():
        with FixedSplit(
            work,
            split,
            "features",
            name,
            ", ".join(str(file.path) for file in parts),
            (len(columns),),
            "float32",
            "float32" if labels is None else "int64",
        ) as written:
            for file in parts:
                start = 0
                for batch in file.batches():
                    written.append(*encoder.encode(file, batch, start))
                    start += batch.num_rows
        splits.append(written)
    preprocess = ColumnsInput("features", tuple(columns))
    stored = Stored(
        preprocess, name, labels, missing=encoder.missing, notes=tuple(dict.fromkeys(notes))
    )
    return seal(work, stored, splits)


@dataclass
class _Encoder:
    """Turns batches into features and targets by what the first pass learnt."""

    columns: Sequence[Column]
    facts: Mapping[str, Facts]
    target: str
    labels: tuple[str, ...] | None
    kind: str
    missing: bool = False

    def encode(self, file: TableFile, batch: Any, start: int) -> tuple[Array, Array]:
        """`float32[n, columns]`, and `int64[n]` or `float32[n]`; `start`: the first row's place."""
        features = np.empty((batch.num_rows, len(self.columns)), np.float32)
        for place, column in enumerate(self.columns):
            raw = batch.column(column.name)
            if column.categories is not None:
                found = pc.index_in(as_text(raw), pa.array(column.categories, pa.string()))
            elif self.facts[column.name].kind == "truth":
                found = _truth(raw)
            else:
                found = raw
            features[:, place] = self._numbers(file, column.name, found, start)
        self.missing = self.missing or bool(np.isnan(features).any())
        return features, self._targets(file, batch.column(self.target), start)

    def _targets(self, file: TableFile, raw: Any, start: int) -> Array:
        known = raw.is_valid()
        if self.labels is None:
            if not casts(raw, pa.float64()):
                place = first_odd(raw, pa.float64())
                raise self._wrong(
                    file, start + place, f'expected a number, received "{raw[place]}"'
                )
            found = self._numbers(file, self.target, raw, start)
            absent = np.isnan(found)
        else:
            text = pc.utf8_lower(as_text(raw)) if self.kind == "truth" else as_text(raw)
            if self.kind == "whole" and casts(raw, pa.int64()):
                text = raw.cast(pa.int64()).cast(pa.string())
            places = pc.index_in(text, pa.array(self.labels, pa.string()))
            absent = ~flat(known.cast(pa.uint8())).astype(bool)
            found = flat(places.fill_null(-1)).astype(np.int64)
            unknown = np.flatnonzero((found < 0) & ~absent)
            if len(unknown) and not absent[: unknown[0]].any():
                raise self._wrong(
                    file,
                    start + int(unknown[0]),
                    f'label "{raw[int(unknown[0])]}" is not among those of the training rows',
                )
        if absent.any():
            raise self._wrong(file, start + int(absent.argmax()), "the target is missing")
        return found

    def _numbers(self, file: TableFile, name: str, raw: Any, start: int) -> Array:
        values = flat(raw.cast(pa.float64(), safe=False).fill_null(float("nan")))
        with np.errstate(over="ignore"):
            found = values.astype(np.float32) + np.float32(0)  # no negative zeros
        endless = np.isinf(found)
        if endless.any():
            place = int(endless.argmax())
            raise InvalidData(
                f'{file.path} row {file.row(start + place)}: column "{name}": '
                f"expected a finite 32-bit number, received {values[place]}",
                field=name,
            )
        found[np.isnan(found)] = np.nan  # of one bit pattern
        return found

    def _wrong(self, file: TableFile, place: int, what: str) -> InvalidData:
        return InvalidData(
            f'{file.path} row {file.row(place)}: column "{self.target}": {what}',
            field=self.target,
        )


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


def _truth(column: Any) -> Any:
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    return pc.equal(pc.utf8_lower(column), "true").cast(pa.uint8())
