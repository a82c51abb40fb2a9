"""What a recipe may say that comes over the network: data by name, and families of numen's own.

A recipe on the machine itself may name files and the user's own code; one from elsewhere would
then read any file of the machine and run what it likes. The setting `any_recipe` allows it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from numen.core.errors import Forbidden, InvalidInput, NumenError
from numen.core.reference import Reference
from numen.train import recipe as recipes
from numen.train.recipe import Recipe

SAMPLE: Final = "sample:"
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PATH: Final = re.compile(r"[/\\:]|^~|^\.|\.\.")
MOST_EPOCHS: Final = 20_000
_HINT: Final = "start it on the server's machine, or let the server say any_recipe"


def checked(said: dict[str, Any], *, anything: bool) -> Recipe:
    """The recipe, if it may come over the network.

    Args:
        said: Its fields, as plain data.
        anything: Whether the server lets it be anything.

    Raises:
        InvalidInput: A field is not what it must be.
        Forbidden: It names files or code.
    """
    recipe = recipes.make(said)
    if not recipe.data:
        raise InvalidInput("data: expected the name of a data set, received none", field="data")
    if anything:
        return recipe
    for field in ("family", "trainer", "backend", "loss", "optimizer"):
        value = getattr(recipe, field)
        if value and not _WORD.fullmatch(value):
            raise _refused(field, "a name of numen's own", value)
    if recipe.data.startswith(SAMPLE):
        if not recipe.data.removeprefix(SAMPLE).isalnum():
            raise _refused("data", "sample: and a name", recipe.data)
    else:
        _reference("data", recipe.data)
    if recipe.body:
        _reference("body", recipe.body)
    if recipe.on not in ("", "ray"):
        raise _refused("on", "ray, the cluster that the server uses", recipe.on)
    for field in ("augment", "params", "tune"):
        _plain(field, getattr(recipe, field))
    if (recipe.epochs or 0) > MOST_EPOCHS:
        raise InvalidInput(
            f"epochs: expected at most {MOST_EPOCHS}, received {recipe.epochs}", field="epochs"
        )
    return recipe


def anywhere(recipe: Recipe) -> bool:
    """Whether a recipe names nothing that is on one machine only, if its data is the library's."""
    try:
        checked(msgspec.to_builtins(recipe), anything=False)
    except NumenError:
        return False
    return True


def _reference(field: str, text: str) -> None:
    try:
        Reference.parse(text)
    except InvalidInput as error:
        raise _refused(field, "a name in the library", text) from error


def _plain(field: str, value: Any) -> None:
    """Nothing in it looks like a path or like a name of code."""
    if isinstance(value, dict):
        for name, item in value.items():
            _plain(f"{field}.{name}", item)
    elif isinstance(value, list | tuple):
        for item in value:
            _plain(field, item)
    elif isinstance(value, str) and _PATH.search(value):
        raise _refused(field, "neither a path nor code", value)


def _refused(field: str, expected: str, value: str) -> Forbidden:
    return Forbidden(
        f"{field}: over the network expected {expected}, received {value[:80]!r}",
        hint=_HINT, field=field,
    )  # fmt: skip
