"""How a value of a named field becomes numbers: alike when training and when serving.

Owns dates and words; only the standard library, so that serving needs nothing else. What a table's
columns are is learnt in `numen.data`.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from numen.core.errors import InvalidInput
from numen.core.manifest import Column

MISSING: Final = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?")
ORDERS: Final = frozenset({"ymd", "dmy", "mdy"})
_NOTHING: Final = frozenset(MISSING)
_LARGEST: Final = 3.4028234663852886e38  # of float32
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86_400.0
_NAMES: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTHS: Final = {
    written: place for place, name in enumerate(_NAMES, 1) for written in (name, name[:3])
}
_NUMBERS: Final = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})")
_NAMED: Final = re.compile(
    r"(?:(?P<d>\d{1,2})[-. ]{1,2})?(?P<m>[A-Za-z]{3,9})\.?[-, ]{1,2}"
    r"(?:(?P<e>\d{1,2}),?[- ])?(?P<y>\d{4})"
)
_TIME: Final = re.compile(
    r"(?:[Tt]|,? )(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?"
    r"(?: ?([AaPp])[Mm])?(?: ?(?:(Z|z|UTC|GMT)|([+-])(\d{2}):?(\d{2})?))?"
)
_WORD: Final = re.compile(r"\w+")


def flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose objects' fields stand beside its own, as `outer.inner`; one level deep."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            flat[name] = value
    return flat


def numbers_of(column: Column, value: Any) -> list[float] | None:
    """The numbers that a value becomes, as many as the column is wide; None where it is missing.

    A category that no training row had counts as missing: a service should not fail on a new one.

    Args:
        column: What the manifest says of it.
        value: A number, text, true or false, or None.

    Raises:
        InvalidInput: The value is not of the column's kind.
    """
    if value is None or (isinstance(value, str) and value.strip() in _NOTHING):
        return None
    if column.categories is not None:
        if isinstance(value, list | tuple | Mapping):
            raise _wrong(column, "a name", value)
        text = category(value)
        return [float(column.categories.index(text))] if text in column.categories else None
    if column.words:
        if not isinstance(value, str):
            raise _wrong(column, "text", value)
        return word_counts(value, column.words)
    if column.date:
        when = seconds(value, column.date) if isinstance(value, str) else stamp(value)
        if when is None:
            raise _wrong(column, "a date such as 2024-01-31 or 2024-01-31T12:00:00Z", value)
        return date_parts(when)
    number = _number(value)
    if number is None:
        raise _wrong(column, "a finite number", value)
    return [number]


def category(value: Any) -> str:
    """A value as the name of a category: 3 and 3.0 are one, true is `true`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.strip() if isinstance(value, str) else str(value)


def word_counts(text: str, buckets: int) -> list[float]:
    """How often words of each bucket occur, `log(1 + n)`: a hashed bag of words.

    The bucket is CRC-32 of the word in small letters; see Weinberger et al. 2009, Feature Hashing.
    """
    counts = [0] * buckets
    for word in _WORD.findall(text.lower()):
        counts[zlib.crc32(word.encode()) % buckets] += 1
    return [math.log1p(count) if count else 0.0 for count in counts]


def date_parts(when: float) -> list[float]:
    """Days since 1970, month, day of the month, weekday (Monday is 0), hour with its fraction."""
    days, rest = divmod(when, _DAY)
    day = date.fromordinal(_EPOCH + int(days))
    return [days, float(day.month), float(day.day), float(day.weekday()), rest / 3600]


def stamp(value: Any) -> float | None:
    """Seconds since 1970 of a number: of seconds, or of milliseconds where those would be far."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    when = value / 1000 if abs(value) > 1e11 else float(value)
    return when if -6e10 < when < 2.5e11 else None  # the years 69 to 9891


def seconds(text: str, order: str) -> float | None:
    """Seconds since 1970 (UTC where no zone is said) of a written date; None where it is none.

    Args:
        text: ISO 8601 and the common forms: 2024-01-31, 31.01.2024, 1/31/2024, 31 Jan 2024,
            Jan-2024, each with a time or without.
        order: Of the numbers where the year is not first: `dmy` or `mdy`.
    """
    text = text.strip()
    found = _NUMBERS.match(text)
    if found:
        day = _numeric(found, order)
    else:
        found = _NAMED.match(text)
        day = _named(found) if found else None
    if day is None or found is None:
        return None
    rest = text[found.end() :]
    time = _time(rest) if rest else 0.0
    return None if time is None else (day.toordinal() - _EPOCH) * _DAY + time


def orders(text: str) -> frozenset[str]:
    """Under which orders of its numbers a text is a date; all where it does not depend on them."""
    if seconds(text, "ymd") is not None:
        return ORDERS
    dotted = "." in text[:3]  # nobody writes the month first and dots
    fit = ("dmy",) if dotted else ("dmy", "mdy")
    return frozenset(order for order in fit if seconds(text, order) is not None)


def _numeric(found: re.Match[str], order: str) -> date | None:
    first, mark, second, third = found.groups()
    if len(first) == 4:
        year, month, day = int(first), int(second), int(third)
    elif order == "ymd" or len(first) > 2 or len(third) not in (2, 4):
        return None
    else:
        day, month = (first, second) if order == "dmy" else (second, first)  # type: ignore[assignment]
        year, month, day = int(third), int(month), int(day)
        if len(third) == 2:
            if mark != "/":  # 1.2.24 is as likely a version
                return None
            year += 1900 if year > 68 else 2000  # as POSIX has it
    return _day(year, month, day)


def _named(found: re.Match[str]) -> date | None:
    month = _MONTHS.get(found["m"].lower())
    if month is None or (found["d"] and found["e"]):
        return None
    return _day(int(found["y"]), month, int(found["d"] or found["e"] or 1))


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _time(text: str) -> float | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, part, half, _, sign, zone_hour, zone_minute = found.groups()
    hours = int(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "pP" else 0)
    if hours > 23 or int(minute) > 59 or int(second or 0) > 60:
        return None
    time = hours * 3600.0 + int(minute) * 60 + int(second or 0) + float(f"0.{part or 0}")
    away = int(zone_hour or 0) * 3600 + int(zone_minute or 0) * 60
    return time - (away if sign == "+" else -away)


def _number(value: Any) -> float | None:
    """A finite 32-bit number; text that says one is one, as it comes from a form or a CSV."""
    if isinstance(value, str):
        said = value.strip().lower()
        if said in ("true", "false"):
            return float(said == "true")
        if "_" in said:
            return None
    elif not isinstance(value, bool | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) <= _LARGEST else None


def _wrong(column: Column, expected: str, value: Any) -> InvalidInput:
    plain = isinstance(value, int | float | str)
    shown = (
        f'"{value}"' if isinstance(value, str) else str(value) if plain else type(value).__name__
    )
    return InvalidInput(
        f'field "{column.name}": expected {expected}, received {shown[:80]}', field=column.name
    )
