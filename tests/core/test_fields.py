"""What values of named fields become: dates, words, categories, and what is missing."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import hypothesis.strategies as st
import pytest
from hypothesis import given

from numen.core.errors import InvalidInput
from numen.core.fields import (
    MISSING,
    ORDERS,
    date_parts,
    flatten,
    numbers_of,
    orders,
    seconds,
    word_counts,
)
from numen.core.manifest import Column, places

DAY = datetime(2024, 1, 31, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "away"),
    [
        ("2024-01-31", 0),
        ("2024/1/31", 0),
        ("2024-01-31T10:20:30.5Z", 37230.5),
        ("2024-01-31 10:20", 37200),
        ("2024-01-31 10:20:30+0100", 33630),
        ("2024-01-31T10:20:30-01:30", 42630),
        ("31 Jan 2024", 0),
        ("31-January-2024", 0),
        ("Jan 31, 2024", 0),
        ("Jan 31 2024 3:20 pm", 55200),
        ("Jan-2024", -30 * 86400),
    ],
)
def test_forms_that_leave_no_doubt(text: str, away: float) -> None:
    assert orders(text) == ORDERS
    assert seconds(text, "ymd") == DAY + away


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("31.01.2024", {"dmy"}),
        ("1.2.2024", {"dmy"}),
        ("31/01/2024 23:59", {"dmy"}),
        ("1/31/24", {"mdy"}),
        ("1/2/2024", {"dmy", "mdy"}),
        ("31/31/2024", set()),
        ("1.2.24", set()),
        ("2024-02-30", set()),
        ("2024-01-31 25:00", set()),
        ("2024-01-31 and more", set()),
        ("Foo-2024", set()),
        ("hello", set()),
        ("", set()),
    ],
)
def test_what_the_order_of_the_numbers_says(text: str, fit: set[str]) -> None:
    assert orders(text) == fit


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_dates_come_apart_as_the_calendar_has_them(when: datetime) -> None:
    days, month, day, weekday, hour = date_parts(seconds(when.isoformat(), "ymd") or 0.0)
    assert (month, day, weekday) == (when.month, when.day, when.weekday())
    assert days == (when.date() - datetime(1970, 1, 1).date()).days
    seconds_of_day = when.hour * 3600 + when.minute * 60 + when.second + when.microsecond / 1e6
    assert hour * 3600 == pytest.approx(seconds_of_day, abs=1e-4)


def test_words_are_counted_whatever_their_case_and_marks() -> None:
    made = word_counts("Good, good game! ÜBER", 64)
    assert len(made) == 64
    assert sorted(made)[-3:] == pytest.approx([math.log(2), math.log(2), math.log(3)])
    assert made == word_counts("über GAME good good", 64)
    assert word_counts("good", 8)[2] > 0, "CRC-32 of the word; bundles of old depend on it"


@pytest.mark.parametrize("value", [None, *MISSING, " NA "])
def test_what_is_missing(value: str | None) -> None:
    for column in (Column("x"), Column("x", ("a",)), Column("x", date="ymd"), Column("x", words=4)):
        assert numbers_of(column, value) is None


@pytest.mark.parametrize(
    ("column", "value", "made"),
    [
        (Column("x"), 3, [3.0]),
        (Column("x"), "3.5", [3.5]),
        (Column("x"), "TRUE", [1.0]),
        (Column("x"), False, [0.0]),
        (Column("x", ("1", "2")), 2.0, [1.0]),
        (Column("x", ("false", "true")), True, [1.0]),
        (Column("x", ("a", "b")), "never seen", None),
        (Column("x", date="dmy"), "2024-01-31", date_parts(DAY)),
        (Column("x", date="dmy"), "31.1.2024", date_parts(DAY)),
        (Column("x", date="ymd"), DAY, date_parts(DAY)),
        (Column("x", date="ymd"), DAY * 1000, date_parts(DAY)),
    ],
)
def test_values(column: Column, value: object, made: list[float] | None) -> None:
    assert numbers_of(column, value) == made


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (Column("x"), "three", "a finite number"),
        (Column("x"), "1_000", "a finite number"),
        (Column("x"), 10**400, "a finite number"),
        (Column("x"), float("inf"), "a finite number"),
        (Column("x"), [1], "a finite number"),
        (Column("x", date="ymd"), "yesterday", "a date"),
        (Column("x", date="ymd"), True, "a date"),
        (Column("x", date="ymd"), 1e300, "a date"),
        (Column("x", words=4), 7, "text"),
    ],
)
def test_values_of_another_kind_are_refused(column: Column, value: object, expected: str) -> None:
    with pytest.raises(InvalidInput, match=f'field "x": expected {expected}'):
        numbers_of(column, value)


def test_columns_take_their_places() -> None:
    columns = (Column("a"), Column("b", date="ymd"), Column("c", words=3), Column("d", ("x",)))
    assert [place for place, _ in places(columns)] == [0, 1, 6, 9]
    assert [column.width for column in columns] == [1, 5, 3, 1]


def test_flatten_goes_one_level_deep() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c": {"d": 2}, "e": 3}
