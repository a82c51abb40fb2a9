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
from numen.data.facts import Facts, TableFile, as_text, casts
from numen.data.stored import flat


@dataclass
class Encoder:
    """Turns batches into features, groups and times.

    Attributes:
        columns: What a model gets.
        facts: What was seen of each column.
        group: The column of groups, or nothing.
        order: The column of times, or nothing.
        missing: Some feature was missing so far.
    """

    columns: Sequence[Column]
    facts: Mapping[str, Facts]
    group: str = ""
    order: str = ""
    missing: bool = False
    _groups: dict[str, int] = field(default_factory=dict)

    def encode(self, file: TableFile, batch: Any, start: int) -> tuple[Array, ...]:
        """A batch's rows; `start` is the first one's place.

        Returns:
            `float32[n, numbers]`, and where they are asked for `int64[n]` groups and
            `float64[n]` times.

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
        made = [features]
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
            found = as_truth(raw)
        elif casts(raw, pa.float64()):
            found = raw
        else:  # said to be numbers, and some are none
            found = _each(raw, lambda value: _or_missing(column, value), pa.float64())
        return finite(file, column.name, found, start)

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


def finite(file: TableFile, name: str, raw: Any, start: int) -> Array:
    """A column's numbers, `float32[n]`; what is missing is NaN.

    Args:
        file: Where they stand.
        name: The column.
        raw: Its values, of any type that becomes a number.
        start: The place of the first row.

    Raises:
        InvalidData: One is not finite in 32 bits; the message names file and row.
    """
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


def as_truth(column: Any) -> Any:
    """True and false, as such or written, as 1 and 0."""
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    return pc.equal(pc.utf8_lower(column), "true").cast(pa.uint8())
