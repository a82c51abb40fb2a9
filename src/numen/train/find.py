"""Which family suits data, which plug-in trains it, and which takes in a user's object.

They are asked for by name, never by type. One whose packages are not installed stands
aside until it is the one that is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from numen.core import plugins
from numen.core.errors import InvalidInput, MissingExtra, meant
from numen.core.manifest import (
    AudioInput,
    ColumnsInput,
    ImageInput,
    Preprocess,
    TextInput,
    WindowInput,
)
from numen.train.base import Exporter, Trainer
from numen.train.recipe import Recipe

TRAINERS = "numen.trainers"
EXPORTERS = "numen.exporters"
OWN = "keras"  # trains `module:build` unless the recipe names another
# Trains well without a word said, by kind of input.
_USUAL: Final[dict[type[Preprocess], str]] = {
    ImageInput: "cnn",
    ColumnsInput: "boosting",
    WindowInput: "sequence",
    TextInput: "words",
    AudioInput: "audio-cnn",
}
_MANY: Final[dict[type[Preprocess], str]] = {ColumnsInput: "forest", TextInput: "text-cnn"}


def usual_family(how: Preprocess, *, many: bool = False) -> str:
    """The family that data is trained with where none is named.

    Args:
        how: Its kind.
        many: The target is several quantities, or any number of labels a row.
    """
    return (_MANY if many else {}).get(type(how)) or _USUAL[type(how)]


def trainer_for(recipe: Recipe) -> Trainer:
    """The trainer of the recipe's family.

    Raises:
        InvalidInput: No plug-in knows the family; the message lists those that are known.
        MissingExtra: The plug-in that was asked for is not installed.
    """
    if recipe.trainer or ":" in recipe.family:
        return _make(TRAINERS, recipe.trainer or OWN)  # type: ignore[no-any-return]
    found, absent = families()
    if recipe.family in found:
        return _make(TRAINERS, found[recipe.family])  # type: ignore[no-any-return]
    if absent and not found:
        raise absent[0]
    raise InvalidInput(
        f"family: expected one of {', '.join(sorted(found))} or your own module:build, "
        f'received "{recipe.family}"',
        hint=meant(recipe.family, found) or (absent[0].hint if absent else None),
        field="family",
    )


def families() -> tuple[dict[str, str], list[MissingExtra]]:
    """Every family with the plug-in that trains it, and what kept other plug-ins out."""
    found: dict[str, str] = {}
    absent = []
    for name in plugins.names(TRAINERS):
        try:
            kind = plugins.load(TRAINERS, name)
        except MissingExtra as error:
            absent.append(error)
            continue
        for family in kind.families:
            found.setdefault(family, name)
    return found, absent


def usual_space(recipe: Recipe) -> Mapping[str, Any]:
    """What is worth trying of the recipe's family; empty where its trainer does not say.

    Raises:
        InvalidInput: No plug-in knows the family.
    """
    spaces: Mapping[str, Mapping[str, Any]] = getattr(trainer_for(recipe), "spaces", {})
    return spaces.get(recipe.family, {})


def exporter_for(model: Any) -> Exporter:
    """The exporter that takes in a user's object.

    Raises:
        InvalidInput: None does.
    """
    for name in plugins.names(EXPORTERS):
        try:
            exporter = _make(EXPORTERS, name)
        except MissingExtra:
            continue
        if exporter.matches(model):
            return exporter  # type: ignore[no-any-return]
    kind = type(model)
    raise InvalidInput(
        f"publish: expected a model of {', '.join(plugins.names(EXPORTERS))}, "
        f"received {kind.__module__}.{kind.__qualname__}",
        field="model",
    )


def _make(group: str, name: str) -> Any:
    return plugins.load(group, name)()
