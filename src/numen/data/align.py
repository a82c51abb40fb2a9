"""Rows of one data set as another one, or a model, would have coded them.

A category is stored as its place among the categories, and a class as its place among the labels.
Another set may have found others, or found them in another order: here they go by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import (
    Classification,
    Column,
    ColumnsInput,
    Preprocess,
    Regression,
    WindowInput,
)
from numen.core.signature import Array
from numen.data.dataset import Dataset

_TABLES = (ColumnsInput, WindowInput)


def align(data: Dataset, how: Preprocess | None, reading: Classification | Regression) -> Dataset:
    """The data with a model's columns, categories and labels; what is known to both goes by name.

    A category that the model does not know becomes a missing value, as it has no code for it.
    Where a row carries any number of labels, those that the data never had are on no row.

    Args:
        data: The rows.
        how: What the model takes.
        reading: What the model tells. Names of classes that are mere numbers 0, 1, … were never
            given, and stand for classes by place.

    Raises:
        InvalidInput: A column, a class or a quantity is only in one of them, or they are of
            different kinds.
    """
    recode: Callable[[Array], Array] | None = None
    mine = data.preprocess
    if isinstance(how, _TABLES) and isinstance(mine, _TABLES) and how.columns != mine.columns:
        recode = _columns(mine.columns, how.columns)
    retarget = _targets(data, reading)
    if recode is None and retarget is None:
        return data
    splits = {}
    for name, split in data.splits.items():
        target = split.target if retarget is None else retarget(split.target)
        splits[name] = split.taught(target, recode)
    kept = mine if recode is None or how is None else how
    made = replace(data, splits=splits, preprocess=kept)
    if retarget is None:
        return made
    if isinstance(reading, Regression):
        return replace(made, target=reading.target, quantities=reading.targets)
    return replace(made, labels=reading.labels)


def narrowed(data: Dataset, names: Collection[str]) -> Dataset:
    """The data of a table with some of its columns; the others may be sent and are not looked at.

    Args:
        data: The rows.
        names: The columns that stay.
    """
    how = data.preprocess
    assert isinstance(how, _TABLES)
    kept = tuple(column for column in how.columns if column.name in names)
    left = tuple(column.name for column in how.columns if column.name not in names)
    recode = _columns(how.columns, kept)
    splits = {name: split.taught(split.target, recode) for name, split in data.splits.items()}
    fewer = msgspec.structs.replace(how, columns=kept, ignored=(*how.ignored, *left))
    return replace(data, splits=splits, preprocess=fewer)


def _columns(mine: Sequence[Column], its: Sequence[Column]) -> Callable[[Array], Array]:
    starts = dict(
        zip((c.name for c in mine), np.cumsum([0, *(c.width for c in mine)]), strict=False)
    )
    known = {column.name: column for column in mine}
    places: list[int] = []
    codes: dict[int, Array] = {}
    for column in its:
        found = known.get(column.name)
        if found is None or found.width != column.width:
            raise InvalidInput(
                f'columns: the model needs "{column.name}", the data have '
                f"{', '.join(list(known)[:20])}",
                field=column.name,
            )
        if (found.categories is None) != (column.categories is None):
            kinds = ["a number" if c.categories is None else "a category" for c in (column, found)]
            raise InvalidInput(
                f'column "{column.name}": expected {kinds[0]} as the model learnt it, the data '
                f"have {kinds[1]}",
                field=column.name,
            )
        if found.categories != column.categories and column.categories and found.categories:
            table = [
                column.categories.index(name) if name in column.categories else np.nan
                for name in found.categories
            ]
            codes[len(places)] = np.array([*table, np.nan], np.float32)
        places += range(int(starts[column.name]), int(starts[column.name]) + column.width)

    def recode(rows: Array) -> Array:
        made = rows[..., places].astype(np.float32)
        for place, table in codes.items():
            there = np.nan_to_num(made[..., place], nan=len(table) - 1).astype(int)
            made[..., place] = table[there]
        return made

    return recode


def _targets(
    data: Dataset, reading: Classification | Regression
) -> Callable[[Array], Array] | None:
    """What makes the model's targets of the data's; None where they are the same."""
    own: Classification | Regression = (
        Regression("", data.target, data.quantities)
        if data.labels is None
        else Classification("", data.labels, several=data.several)
    )
    kinds = [_kind(each) for each in (reading, own)]
    if kinds[0] != kinds[1]:
        raise InvalidInput(f"target: the model tells {kinds[0]}, the data have {kinds[1]}")
    if isinstance(reading, Regression):
        return _columns_of(data.quantities, reading.targets, "quantities", exact=True)
    if reading.several:
        return _columns_of(data.labels or (), reading.labels, "labels", exact=False)
    codes = _labels(data.labels or (), reading.labels)
    return None if codes is None else lambda target: codes[target]


def _kind(reading: Classification | Regression) -> str:
    if isinstance(reading, Classification):
        return "any number of labels a row" if reading.several else "classes"
    return "several quantities" if reading.targets else "a quantity"


def _columns_of(
    mine: tuple[str, ...], its: tuple[str, ...], what: str, *, exact: bool
) -> Callable[[Array], Array] | None:
    """What puts the columns of targets in the model's order; None where they are in it."""
    if mine == its:
        return None
    unknown = [name for name in mine if name not in its]
    absent = [name for name in its if name not in mine]
    if unknown or (exact and absent):
        raise InvalidInput(
            f"{what}: the model knows {', '.join(its[:20])}; the data have {', '.join(mine[:20])}"
        )
    places = [its.index(name) for name in mine]

    def put(target: Array) -> Array:
        made = np.zeros((len(target), len(its)), np.float32)
        made[:, places] = target
        return made

    return put


def _labels(mine: tuple[str, ...], its: tuple[str, ...]) -> Array | None:
    """The model's class of each class of the data; None where they are the same."""
    if mine == its:
        return None
    if len(mine) == len(its) and its == tuple(map(str, range(len(its)))):
        return None
    unknown = [name for name in mine if name not in its]
    if unknown:
        raise InvalidInput(
            f"labels: the model knows {', '.join(its[:20])}; "
            f"the data have {', '.join(unknown[:20])}",
            hint="evaluate on data of the classes it was trained on",
        )
    return np.array([its.index(name) for name in mine], np.int64)
