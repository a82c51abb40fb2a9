"""What tuning tries: the recipe's `[tune]` table as a space of values.

A list is a choice, two rising numbers are a range, a table says more. Refuses what no recipe could
hold; whether a family can use a value is for its trainer to say.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from numen.core.errors import InvalidInput, MissingExtra
from numen.train.recipe import Recipe, make

try:
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
except ModuleNotFoundError as absent:
    raise MissingExtra.of("tuning", "train") from absent

Space: TypeAlias = Mapping[str, BaseDistribution]
Values: TypeAlias = Mapping[str, Any]

_LARGE: Final = 10  # a range whose ends have at least this ratio is tried on a logarithmic scale
# What says how a search is judged, or what is searched, is not itself tried.
_FIXED: Final = frozenset(
    {
        "family", "data", "read", "name", "trainer", "backend", "validation", "level", "seed",
        "params", "tune", "augment",
    }
)  # fmt: skip
_TRIED: Final = tuple(
    field.name for field in msgspec.structs.fields(Recipe) if field.name not in _FIXED
)
_FITS: Final = (
    "a list of values, [least, greatest], or {low = …, high = …, log = true, step = …}, "
    "or {choices = […]}"
)


def read(table: Mapping[str, Any], usual: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The space's table: the recipe's own, else what is usual for its family.

    Of the usual, what the recipe itself says is left as it says.

    Args:
        table: As the recipe has it; may be empty.
        usual: What the family's trainer suggests.
        recipe: The recipe to vary.

    Raises:
        InvalidInput: Neither names anything to try.
    """
    said = {name.removeprefix("params."): values for name, values in table.items()}
    if said:
        return said
    plain = Recipe()
    left = {
        name: values
        for name, values in usual.items()
        if name not in recipe.params and getattr(recipe, name, None) == getattr(plain, name, None)
    }
    if not left:
        raise InvalidInput(
            f'tune: family "{recipe.family}" has nothing left to try of its own accord',
            hint="say what to try: [tune] learning_rate = [0.0001, 0.01]",
            field="tune",
        )
    return left


def build(table: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """The space of a table.

    Raises:
        InvalidInput: A name is not to be tried, or its values are none of what fits.
    """
    return {name: _distribution(name, values) for name, values in table.items()}


def apply(recipe: Recipe, values: Values) -> Recipe:
    """The recipe with some values of a space put in.

    Raises:
        InvalidInput: A value is not what its field must be.
    """
    table = msgspec.to_builtins(recipe)
    table |= {name: value for name, value in values.items() if name in _TRIED}
    table.pop("tune", None)
    table["params"] = {
        **table.get("params", {}),
        **{name: value for name, value in values.items() if name not in _TRIED},
    }
    return make(table, where="tune")


def ends(space: Space) -> Iterator[dict[str, Any]]:
    """A few points among which every choice and both ends of every range are found."""
    sides = {name: _sides(kind) for name, kind in space.items()}
    for place in range(max(map(len, sides.values()))):
        yield {name: values[min(place, len(values) - 1)] for name, values in sides.items()}


def every(space: Space, most: int, seed: int) -> list[dict[str, Any]] | None:
    """All points in an order drawn by lot, or None where there are more than `most`."""
    grids = []
    for kind in space.values():
        if isinstance(kind, CategoricalDistribution):
            grids.append(list(kind.choices))
        elif isinstance(kind, IntDistribution) and (kind.high - kind.low) // kind.step < most:
            grids.append(list(range(kind.low, kind.high + 1, kind.step)))
        else:
            return None
    if math.prod(map(len, grids)) > most:
        return None
    points = [dict(zip(space, values, strict=True)) for values in itertools.product(*grids)]
    random.Random(seed).shuffle(points)  # noqa: S311 - an order, no secret
    return points


def _sides(kind: BaseDistribution) -> list[Any]:
    if isinstance(kind, CategoricalDistribution):
        return list(kind.choices)
    assert isinstance(kind, FloatDistribution | IntDistribution)
    return [kind.low, kind.high]


def _distribution(name: str, values: Any) -> BaseDistribution:
    if name in _FIXED:
        raise InvalidInput(
            f"tune.{name}: it is not to be tried; expected {', '.join(_TRIED)}, "
            "or a parameter of the family",
            field=name,
        )
    if isinstance(values, Mapping):
        return _table(name, dict(values))
    if isinstance(values, list | tuple):
        if len(values) == 2 and all(map(_is_number, values)) and values[0] < values[1]:
            return _range(name, *values)
        return _choice(name, values)
    raise _wrong(name, values)


def _table(name: str, said: dict[str, Any]) -> BaseDistribution:
    if said.keys() == {"choices"} and isinstance(said["choices"], list | tuple):
        return _choice(name, said["choices"])
    unknown = said.keys() - {"low", "high", "log", "step"}
    if unknown or not {"low", "high"} <= said.keys() or not isinstance(said.get("log", True), bool):
        raise _wrong(name, said)
    low, high, step = said["low"], said["high"], said.get("step")
    numbers = [low, high] if step is None else [low, high, step]
    if not all(map(_is_number, numbers)) or low >= high:
        raise _wrong(name, said)
    return _range(name, low, high, said.get("log"), step)


def _choice(name: str, values: Any) -> BaseDistribution:
    values = list(values)
    plain = all(value is None or isinstance(value, str) or _is_known(value) for value in values)
    if not values or not plain or len(set(map(repr, values))) < len(values):
        raise _wrong(name, values)
    return CategoricalDistribution(values)


def _range(
    name: str, low: float, high: float, log: bool | None = None, step: float | None = None
) -> BaseDistribution:
    if log is None:
        log = step is None and low > 0 and high / low >= _LARGE
    if log and (low <= 0 or step is not None):
        raise InvalidInput(
            f"tune.{name}: a logarithmic range begins above 0 and has no step, "
            f"received {low} to {high}" + (f" by {step}" if step is not None else ""),
            field=name,
        )
    if step is not None and not 0 < step <= high - low:
        raise InvalidInput(
            f"tune.{name}: expected a step above 0 and at most {high - low}, received {step}",
            field=name,
        )
    if all(isinstance(number, int) for number in (low, high, 1 if step is None else step)):
        top = int(high) if step is None else int(high - (high - low) % step)
        return IntDistribution(int(low), top, log=log, step=1 if step is None else int(step))
    if step is not None:  # a whole number of steps, by the decimals that were written
        least, most, each = (Decimal(str(number)) for number in (low, high, step))
        high = float(least + (most - least) // each * each)
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _is_number(value: Any) -> bool:
    return _is_known(value) and not isinstance(value, bool)


def _is_known(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _wrong(name: str, values: Any) -> InvalidInput:
    return InvalidInput(f"tune.{name}: expected {_FITS}; received {values!r}", field=name)
