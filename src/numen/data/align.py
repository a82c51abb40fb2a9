"""Rows of one data set as another one, or a model, would have coded them.

A category is stored as its place among the categories, and a class as its place among the labels.
Another set may have found others, or found them in another order: here they go by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import Column, ColumnsInput, Preprocess, WindowInput
from numen.core.signature import Array
from numen.data.dataset import Dataset

_TABLES = (ColumnsInput, WindowInput)


def align(data: Dataset, how: Preprocess | None, labels: tuple[str, ...] | None) -> Dataset:
    """The data with a model's columns, categories and labels; what is known to both goes by name.

    A category that the model does not know becomes a missing value, as it has no code for it.

    Args:
        data: The rows.
        how: What the model takes.
        labels: The model's classes; None of a quantity. Names that are mere numbers 0, 1, … were
            never given, and stand for classes by place.

    Raises:
        InvalidInput: A column or a class is only in one of them.
    """
    recode: Callable[[Array], Array] | None = None
    mine = data.preprocess
    if isinstance(how, _TABLES) and isinstance(mine, _TABLES) and how.columns != mine.columns:
        recode = _columns(mine.columns, how.columns)
    codes = _labels(data.labels, labels)
    if recode is None and codes is None:
        return data
    splits = {}
    for name, split in data.splits.items():
        target = split.target if codes is None else codes[split.target]
        splits[name] = split.taught(target, recode)
    kept = mine if recode is None or how is None else how
    return replace(
        data, splits=splits, preprocess=kept, labels=labels if codes is not None else data.labels
    )


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


def _labels(mine: tuple[str, ...] | None, its: tuple[str, ...] | None) -> Array | None:
    """The model's class of each class of the data; None where they are the same."""
    if mine == its:
        return None
    if mine is None or its is None:
        kinds = ["a quantity" if names is None else "classes" for names in (its, mine)]
        raise InvalidInput(f"target: the model tells {kinds[0]}, the data have {kinds[1]}")
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
