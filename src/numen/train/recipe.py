"""What to train, as plain data: a TOML file or a few arguments.

data = "mnist"
family = "mlp"            # or "my_models:build"
loss = "sparse_categorical_crossentropy"
optimizer = "adam"
epochs = 5
[params]                  # of the family
units = 128
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from numen.core.errors import InvalidInput, NotFound, meant
from numen.core.given import convert
from numen.data.reading import PLAIN, Reading

Positive = Annotated[int, msgspec.Meta(ge=1)]
Params = TypeVar("Params", bound=msgspec.Struct)


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to train a model. Empty values mean: what suits the family and the data.

    Attributes:
        family: A built-in family, or the user's own `module:build`; what is usual for the data
            when empty.
        data: The dataset's name or URL.
        read: How to read it, where its looks deceive; see `numen.data.reading`.
        name: What to publish the model as; empty publishes nothing.
        trainer: The plug-in; found from the family when empty.
        backend: Keras's back end: `jax`, `tensorflow` or `torch`.
        loss: A Keras loss name, for Keras families.
        optimizer: A Keras optimizer name, or `gradient-descent` (full batch).
        learning_rate: Step size.
        schedule: How the step size changes: `constant`, `cosine`, `linear`, `exponential`.
        weight_decay: How strongly weights are drawn to 0 at each step.
        class_weight: What a row of each class counts: by label, or `balanced`.
        precision: What Keras's layers compute in: single precision, or mixed with half of it where
            the hardware is faster so.
        augment: How training rows are varied, by the name of each variation.
        body: A network trained before whose layers are used as they are.
        epochs: Passes over the data, or rounds of boosting.
        batch_size: Rows a step.
        validation: Part of the training rows kept aside to choose the best epoch by.
        level: How often sets of labels, or intervals of a quantity, are to hold the truth; they
            are set on the rows that `validation` keeps aside.
        patience: Epochs without improvement before stopping early; 0 never stops early.
        select: Of a table, how many of its columns are chosen to learn from; all when empty.
        seed: Makes a run repeatable.
        on: Where it is trained: `ray`, or an address such as `ray://head:10001`; here when empty.
        params: The family's own parameters.
        tune: What `numen tune` tries: by name of a parameter, a list of values, or the least and
            the greatest.
    """

    family: str = ""
    data: str = ""
    read: Reading = PLAIN
    name: str = ""
    trainer: str = ""
    backend: str = ""
    loss: str = ""
    optimizer: str = ""
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    schedule: Literal["", "constant", "cosine", "linear", "exponential"] = ""
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    class_weight: dict[str, float] | Literal["", "balanced"] = ""
    precision: Literal["", "mixed_bfloat16", "mixed_float16"] = ""
    augment: dict[str, Any] = {}
    body: str = ""
    epochs: Positive | None = None
    batch_size: Positive | None = None
    validation: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    level: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.9
    patience: Annotated[int, msgspec.Meta(ge=0)] = 0
    select: Positive | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    on: str = ""
    params: dict[str, Any] = {}
    tune: dict[str, Any] = {}


def read(path: Path) -> Recipe:
    """Reads a recipe from a TOML file.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It is not TOML, or a value is not what it must be.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"recipe: no file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise InvalidInput(f"recipe {path}: {error}") from error
    return make(table, where=str(path))


def make(table: dict[str, Any], *, where: str = "recipe") -> Recipe:
    """Builds a recipe from plain values; text stands for numbers where they are asked for.

    Raises:
        InvalidInput: A name is unknown or a value is not what it must be.
    """
    known = [field.name for field in msgspec.structs.fields(Recipe)]
    for name in table:
        if name not in known:
            raise InvalidInput(
                f'{where}: "{name}" is unknown; the recipe knows {", ".join(known)}',
                hint=f"a parameter of the family goes under [params], as params.{name}",
                field=name,
            )
    return convert(table, Recipe, where)


def to_toml(recipe: Recipe) -> str:
    """The recipe as a file that `read` reads; what is not said is left out."""
    return _toml(msgspec.to_builtins(recipe))


def _toml(table: dict[str, Any], path: str = "") -> str:
    # TOML has no word for nothing; what is left out is nothing too.
    table = {name: value for name, value in table.items() if value is not None}
    plain = {name: value for name, value in table.items() if not isinstance(value, dict)}
    text = "".join(f"{_key(name)} = {_value(value)}\n" for name, value in plain.items())
    for name, value in table.items():
        if isinstance(value, dict):
            inner = f"{path}{_key(name)}"
            text += f"\n[{inner}]\n{_toml(value, inner + '.')}"
    return text


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # JSON's texts, numbers and truths are TOML's too.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def params_of(recipe: Recipe, kind: type[Params]) -> Params:
    """The family's own parameters as its struct; text stands for numbers where asked for.

    Raises:
        InvalidInput: One is unknown to the family, or is not what it must be.
    """
    known, own = ([field.name for field in msgspec.structs.fields(of)] for of in (kind, Recipe))
    for name in recipe.params:
        if name not in known:
            raise InvalidInput(
                f'params.{name}: family "{recipe.family}" knows {", ".join(known)}; '
                f"the recipe itself {', '.join(own)}",
                hint=meant(name, [*known, *own]), field=name,
            )  # fmt: skip
    return convert(recipe.params, kind, f'params of family "{recipe.family}"')


def refuse(recipe: Recipe, *names: str) -> None:
    """Says so when a recipe sets what its family has no use for, rather than ignore it.

    Raises:
        InvalidInput: One of the fields is set.
    """
    for name in names:
        if getattr(recipe, name):
            raise InvalidInput(
                f'{name}: family "{recipe.family}" has none, received {getattr(recipe, name)!r}',
                hint="leave it out",
                field=name,
            )
