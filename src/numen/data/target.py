"""What the rows of a table are learnt towards, told from one column or from several.

One column is a class, a quantity, or names of which a row carries any number: a list, or text with
a sign between them. Several columns are quantities, or labels that are 0 or 1. Refuses a mixture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from numen.core.errors import InvalidData, InvalidInput
from numen.core.signature import Array
from numen.data.encoder import as_truth, finite
from numen.data.facts import MAX_CLASSES, Facts, TableFile, as_text, casts, first_odd, names_in
from numen.data.reading import Reading
from numen.data.stored import flat

TARGETS: Final = ("label", "target", "class", "y", "labels")


@dataclass(frozen=True)
class Target:
    """How targets are read out of a table.

    Attributes:
        columns: Where they stand.
        kinds: What each of the columns looked like in the training rows.
        labels: Classes, or labels of which a row carries any number; None of quantities.
        several: A row carries any number of the labels.
        separator: What stands between labels in text.
        may_lack: Rows may have no target; theirs is -1, or not a number.
        notes: What a person should know.
    """

    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    labels: tuple[str, ...] | None
    several: bool = False
    separator: str = ""
    may_lack: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def learn(cls, where: str, facts: Mapping[str, Facts], reading: Reading) -> Target:
        """What the training rows say, and the reading.

        Raises:
            InvalidInput: The reading names what is not there, or a mixture.
            InvalidData: The column cannot be learnt.
        """
        names, notes = columns_of(where, list(facts), reading.target)
        lack = bool(reading.window)
        if len(names) > 1:
            return _of_columns(where, [facts[name] for name in names], reading.separator, lack)
        (name,) = names
        fact = facts[name]
        if reading.columns.get(name) == "number":
            return _of_numbers(where, fact, reading.separator, lack, notes)
        if reading.separator and not fact.holds_names and fact.kind != "empty":
            raise InvalidInput(
                f'{where}: read.separator: expected text in "{name}", it is {fact.kind}',
                field="separator",
            )
        separator = reading.separator or fact.parted()
        if fact.holds_names or separator:
            labels = fact.labels_carried(where, separator)
            if separator and not reading.separator:
                notes.append(f'"{name}" names several labels a row, with "{separator}" between')
            return cls(names, (fact.kind,), labels, True, separator, lack, tuple(notes))
        return cls(names, (fact.kind,), fact.labels(where), False, "", lack, tuple(notes))

    @property
    def name(self) -> str:
        """Of the column; of several, their names with commas between them."""
        return ",".join(self.columns)

    @property
    def quantities(self) -> tuple[str, ...]:
        """What the numbers of a row are called, where it has several quantities."""
        return self.columns if self.labels is None and len(self.columns) > 1 else ()

    def read(self, file: TableFile, batch: Any, start: int) -> Array:
        """The targets of a batch, the first of which is row `start` of `file`.

        Returns:
            `int64[n]` classes, `float32[n]`, or `float32[n, k]` of several quantities or labels.

        Raises:
            InvalidData: One is missing, unknown or no number; the message names file and row.
        """
        raws = [batch.column(name) for name in self.columns]
        if len(raws) > 1:
            read = self._flag if self.several else self._quantity
            return np.stack([read(file, n, raw, start) for n, raw in enumerate(raws)], axis=1)
        if self.several:
            return self._carried(file, raws[0], start)
        if self.labels is not None:
            return self._class(file, raws[0], start)
        return self._quantity(file, 0, raws[0], start)

    def _quantity(self, file: TableFile, place: int, raw: Any, start: int) -> Array:
        name = self.columns[place]
        if self.kinds[place] == "truth":
            raw = as_truth(raw)
        if not casts(raw, pa.float64()):
            odd = first_odd(raw, pa.float64())
            self._refuse(file, name, start + odd, f'expected a number, received "{raw[odd]}"')
        found = finite(file, name, raw, start)
        self._there(file, name, np.isnan(found), start)
        return found

    def _flag(self, file: TableFile, place: int, raw: Any, start: int) -> Array:
        found = self._quantity(file, place, raw, start)
        odd = (found != 0) & (found != 1) & ~np.isnan(found)
        if odd.any():
            at = int(odd.argmax())
            self._refuse(
                file,
                self.columns[place],
                start + at,
                f'expected 0 or 1, as in the training rows, received "{raw[at]}"',
            )
        return found

    def _class(self, file: TableFile, raw: Any, start: int) -> Array:
        (kind,), (name,) = self.kinds, self.columns
        text = pc.utf8_lower(as_text(raw)) if kind == "truth" else as_text(raw)
        if kind == "whole" and casts(raw, pa.int64()):
            text = raw.cast(pa.int64()).cast(pa.string())
        codes = pc.index_in(text, pa.array(self.labels, pa.string()))
        absent = ~flat(raw.is_valid().cast(pa.uint8())).astype(bool)
        found = flat(codes.fill_null(-1)).astype(np.int64)
        unknown = np.flatnonzero((found < 0) & ~absent)
        if len(unknown) and (self.may_lack or not absent[: unknown[0]].any()):
            self._unknown(file, start + int(unknown[0]), raw[int(unknown[0])])
        self._there(file, name, absent, start)
        return found

    def _carried(self, file: TableFile, raw: Any, start: int) -> Array:
        (name,) = self.columns
        absent = ~flat(raw.is_valid().cast(pa.uint8())).astype(bool)
        lists = raw
        if self.separator and pa.types.is_string(raw.type):
            lists = names_in(raw, self.separator)
            absent = absent if self.may_lack else np.zeros(len(raw), bool)  # empty text is no label
        self._there(file, name, absent, start, "; an empty list says that there are none")
        rows = flat(pc.list_parent_indices(lists)).astype(np.int64)
        names = lists.flatten()
        codes = flat(pc.index_in(names, pa.array(self.labels, pa.string())).fill_null(-1))
        if (codes < 0).any():
            at = int((codes < 0).argmax())
            self._unknown(file, start + int(rows[at]), names[at])
        found = np.zeros((len(raw), len(self.labels or ())), np.float32)
        found[rows, codes] = 1
        found[absent] = np.nan
        return found

    def _there(self, file: TableFile, name: str, absent: Array, start: int, more: str = "") -> None:
        if absent.any() and not self.may_lack:
            self._refuse(file, name, start + int(absent.argmax()), f"the target is missing{more}")

    def _unknown(self, file: TableFile, place: int, label: Any) -> NoReturn:
        what = f'label "{label}" is not among those of the training rows'
        self._refuse(file, self.columns[0], place, what)

    def _refuse(self, file: TableFile, name: str, place: int, what: str) -> NoReturn:
        raise InvalidData(f'{file.path} row {file.row(place)}: column "{name}": {what}', field=name)


def columns_of(where: str, names: Sequence[str], said: str) -> tuple[tuple[str, ...], list[str]]:
    """The target's columns, and a note where it had to be guessed.

    Raises:
        InvalidInput: One that is named is not there, or is named twice.
    """
    if said:
        found = (said,) if said in names else tuple(part.strip() for part in said.split(","))
        for name in found:
            if name not in names or found.count(name) > 1:
                what = f'no column "{name}"' if name not in names else f'"{name}" is named twice'
                raise InvalidInput(f"{where}: {what}; it has {', '.join(names)}", field="target")
        return found, []
    lower = {name.lower(): name for name in reversed(names)}
    for usual in TARGETS:
        if usual in lower:
            return (lower[usual],), []
    return (names[-1],), [f'the last column, "{names[-1]}", was taken as the target']


def _of_numbers(
    where: str, fact: Facts, separator: str, lack: bool, notes: Sequence[str]
) -> Target:
    """A column that is said to be a number: a quantity, few as its values may be."""
    if fact.kind not in ("whole", "number") or separator:
        what = f"is {fact.kind}, not number" if not separator else "has no labels to separate"
        raise InvalidInput(
            f'{where}: read.columns: the target "{fact.name}" {what}', field="columns"
        )
    return Target((fact.name,), (fact.kind,), None, may_lack=lack, notes=tuple(notes))


def _of_columns(where: str, facts: Sequence[Facts], separator: str, lack: bool) -> Target:
    names = tuple(fact.name for fact in facts)
    kinds = tuple(fact.kind for fact in facts)
    if separator:
        raise InvalidInput(
            f"{where}: read.separator: the labels of a row stand in {len(names)} columns already",
            hint="leave it out",
            field="separator",
        )
    for fact in facts:
        if fact.kind not in ("truth", "whole", "number"):
            raise InvalidInput(
                f"{where}: read.target: expected several columns of numbers, or of 0 and 1, "
                f'"{fact.name}" is {fact.kind}',
                hint="train a model of it by itself",
                field="target",
            )
    flags = [fact.name for fact in facts if fact.only_flags]
    if len(flags) == len(names):
        if len(names) > MAX_CLASSES:
            raise InvalidInput(
                f"{where}: read.target: expected at most {MAX_CLASSES} labels, received "
                f"{len(names)}",
                field="target",
            )
        return Target(names, kinds, names, True, may_lack=lack)
    notes = [f'"{name}" is 0 or 1, and is learnt as a quantity beside the others' for name in flags]
    return Target(names, kinds, None, may_lack=lack, notes=tuple(notes))
