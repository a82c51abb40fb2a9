"""Batches of a table as rows of numbers, by what was learnt of its columns.

Each distinct date and text is looked at once a batch, by the same code that serving uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from numen.core.errors import InvalidData, InvalidInput
from numen.core.fields import category, numbers_of, seconds
from numen.core.manifest import Column, places
from numen.core.signature import Array
from numen.data.facts import Facts, TableFile, as_text, casts, first_odd
from numen.data.stored import flat


@dataclass
class Encoder:
    """Turns batches into features, targets, groups and times.

    Attributes:
        columns: What a model gets.
        facts: What was seen of each column.
        target: The target column.
        labels: Its classes; None for a quantity.
        kind: What it looked like in the training rows.
        group: The column of groups, or nothing.
        order: The column of times, or nothing.
        may_lack: Rows may have no target.
        missing: Some feature was missing so far.
    """

    columns: Sequence[Column]
    facts: Mapping[str, Facts]
    target: str
    labels: tuple[str, ...] | None
    kind: str
    group: str = ""
    order: str = ""
    may_lack: bool = False
    missing: bool = False
    _groups: dict[str, int] = field(default_factory=dict)

    def encode(self, file: TableFile, batch: Any, start: int) -> tuple[Array, ...]:
        """A batch's rows; `start` is the first one's place.

        Returns:
            `float32[n, numbers]`, `int64[n]` or `float32[n]`, and where they are asked for
            `int64[n]` groups and `float64[n]` times.

        Raises:
            InvalidData: A value is not what its column is; the message names file and row.
        """
        width = sum(column.width for column in self.columns)
        features = np.full((batch.num_rows, width), np.nan, np.float32)
        for place, column in places(self.columns):
            raw = batch.column(column.name)
            if column.date or column.words:
                self._written(column, raw, features[:, place : place + column.width])
            else:
                features[:, place] = self._single(file, column, raw, start)
        self.missing = self.missing or bool(np.isnan(features).any())
        made = [features, self._targets(file, batch.column(self.target), start)]
        if self.group:
            made.append(self._group(file, batch.column(self.group), start))
        if self.order:
            made.append(self._order(file, batch.column(self.order), start))
        return tuple(made)

    def _single(self, file: TableFile, column: Column, raw: Any, start: int) -> Array:
        fact = self.facts[column.name]
        if column.categories is not None:
            text = as_text(raw)
            if pa.types.is_floating(raw.type):
                text = _each(raw, category, pa.string())
            found = pc.index_in(text, pa.array(column.categories, pa.string()))
        elif fact.kind == "truth":
            found = _truth(raw)
        elif casts(raw, pa.float64()):
            found = raw
        else:  # said to be numbers, and some are none
            found = _each(raw, lambda value: _or_missing(column, value), pa.float64())
        return self._numbers(file, column.name, found, start)

    def _written(self, column: Column, raw: Any, rows: Array) -> None:
        """Fills in what dates and texts become."""
        if not column.date or not casts(raw, pa.float64()):
            raw = as_text(raw)
        else:
            raw = raw.cast(pa.float64())
        coded = raw.dictionary_encode()
        known = [numbers_of(column, value) for value in coded.dictionary.to_pylist()]
        absent = [0.0 if column.words else np.nan] * column.width
        table = np.asarray([absent, *(absent if k is None else k for k in known)], np.float32)
        rows[:] = table[flat(coded.indices.fill_null(-1)).astype(np.int64) + 1]

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
            codes = pc.index_in(text, pa.array(self.labels, pa.string()))
            absent = ~flat(known.cast(pa.uint8())).astype(bool)
            found = flat(codes.fill_null(-1)).astype(np.int64)
            unknown = np.flatnonzero((found < 0) & ~absent)
            if len(unknown) and (self.may_lack or not absent[: unknown[0]].any()):
                raise self._wrong(
                    file,
                    start + int(unknown[0]),
                    f'label "{raw[int(unknown[0])]}" is not among those of the training rows',
                )
        if absent.any() and not self.may_lack:
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

    def _group(self, file: TableFile, raw: Any, start: int) -> Array:
        """The number of each row's group, alike in all splits."""
        _whole(file, self.group, raw, start)
        coded = as_text(raw).dictionary_encode()
        known = [
            self._groups.setdefault(n, len(self._groups)) for n in coded.dictionary.to_pylist()
        ]
        return np.asarray(known, np.int64)[flat(coded.indices)]

    def _order(self, file: TableFile, raw: Any, start: int) -> Array:
        """Times as seconds since 1970, or the numbers that they are."""
        _whole(file, self.order, raw, start)
        if casts(raw, pa.float64()):
            return flat(raw.cast(pa.float64(), safe=False)).copy()
        fact = self.facts[self.order]
        date = fact.column("date")[0] if fact.kind == "date" else None
        if date is None:
            raise InvalidInput(
                f'read.order: expected dates or numbers in "{self.order}", '
                f"received {fact.undated or fact.kind}",
                field="order",
            )
        return flat(_each(raw, lambda value: seconds(value, date.date), pa.float64())).copy()

    def _wrong(self, file: TableFile, place: int, what: str) -> InvalidData:
        return InvalidData(
            f'{file.path} row {file.row(place)}: column "{self.target}": {what}',
            field=self.target,
        )


def _each(raw: Any, become: Any, kind: Any) -> Any:
    """The column with every distinct value replaced."""
    coded = raw.dictionary_encode()
    made = [None if value is None else become(value) for value in coded.dictionary.to_pylist()]
    return pa.array(made, kind).take(coded.indices)


def _or_missing(column: Column, value: Any) -> float | None:
    try:
        found = numbers_of(column, value)
    except InvalidInput:
        return None
    return None if found is None else found[0]


def _whole(file: TableFile, name: str, raw: Any, start: int) -> None:
    if raw.null_count:
        place = int(np.argmin(flat(raw.is_valid().cast(pa.uint8()))))
        raise InvalidData(
            f'{file.path} row {file.row(start + place)}: column "{name}": expected a value in '
            "each row, as rows are divided by it",
            field=name,
        )


def _truth(column: Any) -> Any:
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    return pc.equal(pc.utf8_lower(column), "true").cast(pa.uint8())
