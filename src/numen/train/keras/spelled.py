"""Losses and optimizers as anybody writes them: `mse`, `MeanSquaredError`, `sgd(momentum=0.9)`.

Names are Keras's own, compared by letters and digits alone. In brackets stand the options of the
Keras class, as plain values; nothing written here is run as code.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from typing import Any, Final, NamedTuple

from numen.core.errors import InvalidInput

SHORT: Final = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "focal": "categorical_focal_crossentropy",
    "logcosh": "log_cosh",
}
_CALL: Final = re.compile(r"\s*([\w\s-]+?)\s*(?:\((.*)\))?\s*", re.DOTALL)


class Spelled(NamedTuple):
    """A name, plain, and its options."""

    name: str
    options: dict[str, Any]


def plain(name: str) -> str:
    """A name as it is compared: its letters and digits, small."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def read(text: str, field: str) -> Spelled:
    """Takes `name` or `name(option=value, …)` apart.

    Raises:
        InvalidInput: It is neither.
    """
    found = _CALL.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        call = ast.parse(f"f({found[2] or ''})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError
        options = {str(k.arg): ast.literal_eval(_spelled_as_toml(k.value)) for k in call.keywords}
    except (ValueError, SyntaxError) as error:
        raise InvalidInput(
            f'{field}: expected a name, or name(option=value), received "{text}"',
            hint='such as "sgd(momentum=0.9)" or "huber(delta=2)"',
            field=field,
        ) from error
    name = plain(found[1])
    return Spelled(plain(SHORT.get(name, name)), options)


def named(module: Any, without: set[str]) -> dict[str, Any]:
    """The public callables of a Keras module by plain name, classes before functions of a name."""
    names = [n for n in dir(module) if not n.startswith("_") and n not in without]
    things = {n: getattr(module, n) for n in names}
    things = {n: v for n, v in things.items() if callable(v)}
    ordered = sorted(things, key=lambda n: isinstance(things[n], type))
    return {plain(n): things[n] for n in ordered}


def find(known: dict[str, Any], name: str, field: str, also: tuple[str, ...] = ()) -> Any:
    """What goes by a name.

    Raises:
        InvalidInput: Nothing does; the message names all, and the nearest.
    """
    found = known.get(name)
    if found is None:
        spelling = {k: getattr(v, "__name__", k) for k, v in known.items()}
        spelling |= {plain(n): n for n in also}
        near = difflib.get_close_matches(name, [*spelling], 1, 0.5)
        shown = ", ".join(sorted(set(spelling.values())))
        raise InvalidInput(
            f'{field}: "{name}" is unknown; expected one of {shown}',
            hint=f'did you mean "{spelling[near[0]]}"?' if near else None,
            field=field,
        )
    return found


def make(kind: Any, options: dict[str, Any], field: str) -> Any:
    """A Keras object of a class with these options.

    Raises:
        InvalidInput: The class knows no such option, or refuses the value.
    """
    known = [n for n in inspect.signature(kind).parameters if n not in {"kwargs", "name"}]
    for option in options:
        if option not in known:
            raise InvalidInput(
                f'{field}: {kind.__name__} has no "{option}"; it knows {", ".join(known)}',
                field=field,
            )
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{field}: {kind.__name__}: {error}", field=field) from error


def _spelled_as_toml(value: ast.expr) -> ast.expr:
    """`true` and `false` are written as TOML has them too."""
    if isinstance(value, ast.Name) and value.id in {"true", "false"}:
        return ast.Constant(value.id == "true")
    return value
