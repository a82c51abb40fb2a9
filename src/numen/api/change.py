"""What would change a model's answer to a row of a table: the doors of the search to a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from numen.api.overall import answers
from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import EDGE, Classification, Column, ColumnsInput, Regression, places
from numen.core.signature import Array
from numen.data.drift import REFERENCE, Counts, decode
from numen.explain import counterfactual as near
from numen.explain.counterfactual import Changed, Counterfactual, Margin, Move
from numen.explain.nearest import value_of
from numen.runtime import process

if TYPE_CHECKING:
    from numen.api.model import Model

Bounds: TypeAlias = Mapping[str, tuple[float | None, float | None]]
_TRIED: Final = 20  # values of a number


def counterfactual(
    model: Model,
    row: Mapping[str, Any],
    wanted: str | tuple[float | None, float | None],
    *,
    vary: Sequence[str] = (),
    fix: Sequence[str] = (),
    bounds: Bounds | None = None,
    most: int = 3,
) -> list[Counterfactual]:
    """See `Model.counterfactual`."""
    how = model.manifest.preprocess
    if not isinstance(how, ColumnsInput):
        raise InvalidInput("change: expected a model of a table's columns", field="model")
    if most < 1:
        raise InvalidInput(f"most: expected at least 1, received {most}", field="most")
    margin = _margin(model, wanted)
    (given,) = process.read_input(model.manifest, row).values()
    if len(given) != 1:
        raise InvalidInput(f"change: expected one row, received {len(given)}", field="input")
    start = given[0]
    if margin(given)[0] > 0:
        raise InvalidInput(
            f"the model answers so already: the row as it is has {_told(wanted)}", field="wanted"
        )
    moving = _moving(how.columns, vary, fix, bounds or {})
    moves = list(_moves(model, how.columns, moving, bounds or {}, start))
    found = near.search(margin, start, moves, most)
    if not found:
        raise NotFound(
            f"no change of {', '.join(moving)} (at most {near.MOST_COLUMNS} at once) within what "
            f"is allowed was found to make the model answer {_told(wanted)}",
            hint="vary more columns, or widen the bounds; another answer may be nearer",
            field="wanted",
        )
    said = model.classify(np.stack(found))
    return [
        Counterfactual(
            tuple(_changes(how.columns, start, state)), near.distance(start, state, moves), answer
        )
        for state, answer in zip(found, said, strict=True)
    ]


def _margin(model: Model, wanted: str | tuple[float | None, float | None]) -> Margin:
    """By how much a model answers as wanted; above 0 where it does."""
    how = model.manifest.postprocess
    if isinstance(how, Classification):
        if wanted not in how.labels:
            raise InvalidInput(
                f"wanted: expected one of {', '.join(how.labels[:40])}, received {_told(wanted)}",
                field="wanted",
            )
        place = how.labels.index(wanted)
        if how.several:
            return lambda rows: answers(model, rows)[:, place] - EDGE

        def ahead(rows: Array) -> Array:
            said = answers(model, rows)
            others = np.delete(said, place, axis=1).max(axis=1)
            return np.asarray(said[:, place] - others)

        return ahead
    if not isinstance(how, Regression) or how.targets or isinstance(wanted, str):
        raise InvalidInput(
            f"wanted: expected a label, or of one quantity a range (low, high), "
            f"received {_told(wanted)}",
            field="wanted",
        )
    low, high = (-np.inf if wanted[0] is None else wanted[0],
                 np.inf if wanted[1] is None else wanted[1])  # fmt: skip

    def inside(rows: Array) -> Array:
        value = answers(model, rows)[:, 0].astype(np.float64)
        return np.minimum(value - low, high - value)

    return inside


def _moving(
    columns: Sequence[Column], vary: Sequence[str], fix: Sequence[str], bounds: Bounds
) -> list[str]:
    """The columns that may change: numbers and categories, unless said otherwise."""
    known = {column.name: column for column in columns}
    for name in (*vary, *fix, *bounds):
        if name not in known:
            raise InvalidInput(
                f'column: expected one of {", ".join(list(known)[:40])}, received "{name}"',
                field="column",
            )
    for name in vary:
        if known[name].words or known[name].date:
            raise InvalidInput(f'column "{name}": dates and texts cannot be varied', field="vary")
    for name in bounds:
        if known[name].width > 1 or known[name].categories is not None:
            raise InvalidInput(f'bounds: column "{name}" is no number', field="bounds")
    free = vary or [name for name, column in known.items() if not (column.words or column.date)]
    moving = [name for name in free if name not in fix]
    if not moving:
        raise InvalidInput("vary: expected a column that may change, received none", field="vary")
    return moving


def _moves(
    model: Model, columns: Sequence[Column], moving: Sequence[str], bounds: Bounds, row: Array
) -> Iterator[Move]:
    """What each of the columns may become, by the rows the model learnt from."""
    counted = _counted(model)
    (recorded,) = model.bundle.golden().inputs.values()
    for place, column in places(columns):
        if column.name not in moving:
            continue
        values = recorded[:, place][np.isfinite(recorded[:, place])]
        counts = counted.get(column.name)
        if column.categories is not None:
            # One that no row had is no advice, even if the manifest knows it.
            seen = counts.categories if counts else dict.fromkeys(column.categories, 1)
            codes = [n for n, name in enumerate(column.categories) if seen.get(name)]
            yield Move(place, np.array(codes, np.float32), 0.0)
            continue
        given = np.append(values, row[place])
        whole = bool((np.nan_to_num(given) % 1 == 0).all())
        options, spread = _numbers(counts, values)
        if not len(options) and column.name not in bounds:
            continue  # no row says what it may be
        low, high = bounds.get(column.name, (None, None))
        low = float(options.min(initial=np.inf)) if low is None else low
        high = float(options.max(initial=-np.inf)) if high is None else high
        if low > high:
            raise InvalidInput(
                f'bounds: column "{column.name}": nothing lies between {low:g} and {high:g}',
                field="bounds",
            )
        tried = np.concatenate([options, np.linspace(low, high, _TRIED)])
        tried = np.unique((np.round(tried) if whole else tried).astype(np.float32))
        yield Move(place, tried[(tried >= low) & (tried <= high)], spread, whole)


def _counted(model: Model) -> dict[str, Counts]:
    """What was counted of the training rows, by column; empty where the bundle does not say."""
    if REFERENCE not in {file.path for file in model.manifest.files}:
        return {}
    found = decode(model.bundle.file(REFERENCE).read_bytes())
    return {counts.name: counts for counts in found.columns}


def _numbers(counts: Counts | None, recorded: Array) -> tuple[Array, float]:
    """Values that rows had, between the 2nd and the 98th percentile, and how far they spread."""
    if counts is None or not counts.edges:
        return recorded.astype(np.float64), float(recorded.std() if len(recorded) else 0) or 1.0
    edges = np.array(counts.edges)
    values, weights = np.append(edges, edges[-1]), np.array(counts.bins, np.float64)
    if not weights.sum():
        return edges, 1.0
    mean = np.average(values, weights=weights)
    return edges, float(np.average((values - mean) ** 2, weights=weights) ** 0.5) or 1.0


def _changes(columns: Sequence[Column], row: Array, state: Array) -> Iterator[Changed]:
    gone = near.changed(row, state)
    for place, column in places(columns):
        if place in gone:
            before, after = (value_of(column, numbers[place]) for numbers in (row, state))
            assert after is not None
            yield Changed(column.name, before, after)


def _told(wanted: object) -> str:
    if isinstance(wanted, str):
        return f'"{wanted}"'
    if isinstance(wanted, tuple):
        low, high = ("" if each is None else f"{each:g}" for each in wanted)
        return (
            f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
        )
    return repr(wanted)
