"""What a column of a table is: a number, truth, a date, categories, text, or nothing to learn from.

Learnt over all rows, a batch at a time; what differs from file to file is refused here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from numen.core.errors import InvalidData, InvalidInput
from numen.core.fields import ORDERS, orders
from numen.core.manifest import Column
from numen.data.reading import ColumnKind

MAX_CATEGORIES: Final = 1_000
MAX_CLASSES: Final = 1_000
WORDS: Final = 128  # numbers a text becomes
_NUMBERS: Final = {"truth": "true or false", "whole": "whole numbers", "number": "numbers"}
_FEW: Final = 50
NAMES: Final = "names"  # the family of lists of names
SEPARATORS: Final = ("|", ";")
_BLANKS: Final = 1.5  # in a value, on average, from which on text is words and not names


@dataclass(frozen=True)
class TableFile:
    """One file of a table.

    Attributes:
        path: The file.
        batches: Reads it from the start, as `pyarrow.RecordBatch`es; text is `string`.
        row: The number people know a row by, from its place among the rows (from 0).
        typed: Its columns have types; else all are text whose type is told by looks.
        notes: What a person should know.
    """

    path: Path
    batches: Callable[[], Iterator[Any]]
    row: Callable[[int], int]
    typed: bool
    notes: tuple[str, ...] = ()


@dataclass
class Facts:
    """What was seen of a column: flags fall as values contradict them."""

    name: str
    family: str = ""
    number: bool = True
    whole: bool = True
    truth: bool = True
    other: str = ""
    rows: int = 0
    missing: int = 0
    values: set[str] | None = field(default_factory=set)
    odd: str = ""
    dates: frozenset[str] = ORDERS  # of their numbers, under which all values are dates
    undated: str = ""
    blanks: int = 0
    separator: str = ""  # said to stand between names

    @property
    def kind(self) -> str:
        """`truth`, `whole`, `number`, `date`, `text`, `empty` or `other`."""
        if self.other:
            return "other"
        if self.missing == self.rows:
            return "empty"
        if self.truth:
            return "truth"
        if self.number:
            return "whole" if self.whole else "number"
        return "date" if self.dates else "text"

    def see(self, file: TableFile, column: Any, start: int) -> None:
        """Takes in a batch of values, the first of which is row `start` of `file`.

        Raises:
            InvalidData: They are of another type than those of an earlier file.
        """
        if self.separator and pa.types.is_string(column.type):
            column = names_in(column, self.separator)
        kind = column.type
        self.rows += len(column)
        if pa.types.is_floating(kind):
            column = pc.if_else(pc.is_nan(column), None, column)
        self.missing += column.null_count
        present = column.drop_null()
        if not len(present):
            return
        family = _family(kind)
        if file.typed and self.family and family != self.family:
            raise InvalidData(
                f'{file.path}: column "{self.name}": expected {self.family} as before, '
                f"found {family}",
                field=self.name,
            )
        self.family = family
        if family == "text" and not file.typed:
            self._guess(file, column, present, start)
        else:
            self.truth &= family == "truth"
            self.number &= family == "number"
            self.whole &= pa.types.is_integer(kind)
            if family not in ("text", "number", "truth"):
                self.other = "a list of names" if family == NAMES else str(kind)
                if family == NAMES:
                    self._take(pc.unique(present.flatten().drop_null()))
                return
        if family == "text" and not self.number:
            self._words(file, column, present, start)
        self._take(pc.unique(present))

    def _take(self, distinct: Any) -> None:
        if self.values is not None:
            self.values.update(as_text(distinct).to_pylist())
            if len(self.values) > max(MAX_CATEGORIES, MAX_CLASSES):
                self.values = None

    @property
    def holds_names(self) -> bool:
        """Whether a value is any number of names."""
        return self.family == NAMES

    @property
    def only_flags(self) -> bool:
        """Whether values are true and false, or 0 and 1."""
        numbers = self.kind in ("whole", "number")
        return self.kind == "truth" or (
            numbers and self.values is not None and self.values <= {"0", "1", "0.0", "1.0"}
        )

    def parted(self) -> str:
        """What stands between names in the values, where that is beyond doubt; else nothing.

        There are fewer names than values, and each name that stands beside another stands in a
        second value as well: `a|b`, `b`, `a|c`, `c` are sets of three names, while `cat;feline` and
        `dog;canine` are two classes.
        """
        for separator in SEPARATORS if self.kind == "text" and self.values else ():
            sets = [_pieces(value, separator) for value in self.values or ()]
            counts = Counter(name for names in sets for name in set(names))
            beside = {name for names in sets if len(names) > 1 for name in names}
            if (
                sum(len(names) > 1 for names in sets) > 1
                and len(counts) < len(sets)
                and all(name and counts[name] > 1 for name in beside)
            ):
                return separator
        return ""

    def _guess(self, file: TableFile, column: Any, present: Any, start: int) -> None:
        if self.truth:
            self.truth = pc.all(
                pc.is_in(pc.utf8_lower(present), pa.array(["true", "false"]))
            ).as_py()
        if self.number and not casts(present, pa.float64()):
            self.number = self.whole = False
            place = first_odd(column, pa.float64())
            if start + place:  # numbers came before
                self.odd = f'"{column[place]}" in {file.path} row {file.row(start + place)}'
        self.whole = self.whole and casts(present, pa.int64())

    def _words(self, file: TableFile, column: Any, present: Any, start: int) -> None:
        self.blanks += pc.sum(pc.count_substring(present, " ")).as_py()
        if self.dates:
            for value in pc.unique(present).to_pylist():
                left = self.dates & orders(value)
                if not left:
                    place = start + pc.index(column, value).as_py()
                    self.undated = f'"{value[:80]}" in {file.path} row {file.row(place)}'
                self.dates = left
                if not left:
                    break

    def column(self, said: ColumnKind | None = None) -> tuple[Column | None, str]:
        """What a model gets of it, if anything, and why.

        Args:
            said: What a person says it is; its looks count where None.

        Raises:
            InvalidInput: It cannot be what is said.
        """
        if said is None:
            return self._by_looks()
        if said == "ignore":
            return None, "as you said"
        if self.kind in ("other", "empty"):
            raise self._not(said, self._nothing())
        if said == "number":
            odd = f"; missing where it is none, such as {self.odd}" if self.odd else ""
            if self.kind in ("text", "date") and not self.odd:
                raise self._not(said, f"it is {self.kind}")
            return Column(self.name), f"as you said{odd}"
        if said == "category":
            if self.values is None or len(self.values) > MAX_CATEGORIES:
                raise self._not(said, f"it has over {MAX_CATEGORIES} distinct values")
            return Column(self.name, tuple(sorted(self.values))), "as you said"
        if said == "text":
            return Column(self.name, words=WORDS), "as you said"
        if self.kind not in ("date", "whole", "number"):
            raise self._not(said, f"the first value that is none is {self.undated}")
        return Column(self.name, date=self._order()[0]), "as you said"

    def _by_looks(self) -> tuple[Column | None, str]:
        kind = self.kind
        if kind in ("other", "empty"):
            return None, self._nothing()
        if kind in _NUMBERS:
            return Column(self.name), _NUMBERS[kind]
        if kind == "date":
            order, why = self._order()
            return Column(self.name, date=order), why
        count = None if self.values is None else len(self.values)
        many = count is None or count > MAX_CATEGORIES or (count > _FEW and count > self.rows / 2)
        present = self.rows - self.missing
        sentences = self.blanks >= _BLANKS * present
        if not many and not (sentences and (count or 0) > present / 2):
            return Column(self.name, tuple(sorted(self.values or ()))), f"{count} distinct values"
        if sentences:
            return Column(self.name, words=WORDS), f"{self.blanks / present + 1:.0f} words a row"
        distinct = f"over {MAX_CATEGORIES}" if count is None else str(count)
        odd = f"; the first that is not a number is {self.odd}" if self.odd else ""
        return None, f"text with {distinct} distinct values in {self.rows} rows{odd}"

    def _order(self) -> tuple[Any, str]:
        if "ymd" in self.dates:
            return "ymd", "dates"
        if len(self.dates) == 2:
            return "mdy", "dates, 1/2/2024 taken as month/day; write 2024-01-31 where it is not"
        (order,) = self.dates
        return order, "dates, the day first" if order == "dmy" else "dates, the month first"

    def _nothing(self) -> str:
        if self.kind == "empty":
            return "it has no values"
        return f"{self.other} is neither number, truth nor text"

    def _not(self, said: str, why: str) -> InvalidInput:
        return InvalidInput(
            f'read.columns: "{self.name}" cannot be read as {said}: {why}', field=self.name
        )

    def labels_carried(self, where: str, separator: str) -> tuple[str, ...]:
        """The names that values are made of.

        Args:
            where: The file.
            separator: What stands between them in text.

        Raises:
            InvalidData: There are too many, or none.
        """
        if self.values is None:
            raise InvalidData(
                f'{where}: the target "{self.name}" has over {MAX_CLASSES} different labels',
                field=self.name,
            )
        parts = [self.values] if self.holds_names else [_pieces(v, separator) for v in self.values]
        return tuple(sorted({name for names in parts for name in names}))

    def labels(self, where: str) -> tuple[str, ...] | None:
        """The classes, if a target like this stands for classes."""
        if self.kind in ("other", "empty"):
            raise InvalidData(
                f'{where}: the target "{self.name}" cannot be learnt: {self._nothing()}',
                field=self.name,
            )
        if self.kind == "truth":
            return ("false", "true")
        if self.kind in ("text", "date"):
            if self.values is None or len(self.values) > MAX_CLASSES:
                raise InvalidData(
                    f'{where}: the target "{self.name}" is text with over {MAX_CLASSES} '
                    "distinct values",
                    hint="name another column as the target, or say read.separator where a row "
                    "carries several labels",
                    field=self.name,
                )
            return tuple(sorted(self.values))
        if self.kind == "number" or self.values is None:
            return None
        whole = sorted({int(value) for value in self.values})
        few = len(whole) <= 2 or (len(whole) <= _FEW and len(whole) <= self.rows / 5)
        return tuple(map(str, whole)) if few else None


def _family(kind: Any) -> str:
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return NAMES
    return "text" if pa.types.is_string(kind) else str(kind)


def names_in(column: Any, separator: str) -> Any:
    """Text with a sign between names as lists of them, without blanks around; of none, empty."""
    lists = pc.split_pattern(column.fill_null(""), separator)
    names = pc.utf8_trim_whitespace(lists.flatten())
    kept = pc.not_equal(names, "")
    rows = pc.list_parent_indices(lists).filter(kept).to_numpy(zero_copy_only=False)
    ends = np.cumsum(np.bincount(rows, minlength=len(column)))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, names.filter(kept))


def _pieces(text: str, separator: str) -> list[str]:
    return [name.strip() for name in text.split(separator)]


def as_text(column: Any) -> Any:
    """The values as `string`."""
    return column.cast(pa.string())


def casts(column: Any, kind: Any) -> bool:
    """Whether every value can become one of `kind`."""
    try:
        column.cast(kind, safe=kind == pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def first_odd(column: Any, kind: Any) -> int:
    """The place of the first value that does not cast."""
    low, high = 0, len(column)  # it lies in low…high
    while high - low > 1:
        middle = (low + high) // 2
        if casts(column.slice(low, middle - low), kind):
            low = middle
        else:
            high = middle
    return low
