"""Values that a person gave, as the struct that asks for them: refused in numen's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from numen.core.errors import InvalidInput

Struct = TypeVar("Struct", bound=msgspec.Struct)

_WHERE: Final = re.compile(
    r"(?P<what>.*?)(, got `(?P<got>[^`]*)`)?( - at `\$\.?(?P<path>.*)`)?", re.DOTALL
)
_OTHER: Final = re.compile(r"invalid enum value (['\"])(.*)\1", re.DOTALL)
_WORDS: Final = {
    "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false",
    "array": "a list", "object": "named values",
}  # fmt: skip


def convert(given: Mapping[str, Any], kind: type[Struct], where: str) -> Struct:
    """The struct that the values make; text stands for numbers where they are asked for.

    Args:
        given: Values by field.
        kind: The struct.
        where: What the message begins with.

    Raises:
        InvalidInput: A value is not what it must be; `field` names it.
    """
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        name, what = _refusal(str(error), kind, given)
        said = ": ".join(filter(None, (where, name, what)))
        raise InvalidInput(said, field=name or None) from error


def choices(type_: Any) -> list[str]:
    """What a field of this type may be, where it is one of several words."""
    bare = getattr(type_, "__origin__", type_) if hasattr(type_, "__metadata__") else type_
    if get_origin(bare) is Literal:
        return [str(each) for each in get_args(bare) if each]
    if get_origin(bare) in (Union, UnionType):
        return [word for each in get_args(bare) for word in choices(each)]
    return []


def _refusal(said: str, kind: type[msgspec.Struct], given: Mapping[str, Any]) -> tuple[str, str]:
    """The path of what is wrong and what is expected there, from msgspec's words."""
    found = _WHERE.fullmatch(said)
    assert found is not None, said
    path = found["path"] or ""
    name = re.split(r"[.\[]", path)[0]
    types = [each.type for each in msgspec.structs.fields(kind) if each.name == name]
    received = _in_words(found["got"]) if found["got"] else ""
    if path == name:
        received = f'"{str(given.get(name))[:80]}"'
    else:  # a value inside a list or a table
        types = [inner for each in types for inner in get_args(each)]
    expected = re.sub(r"`([^`]*)`", lambda typed: _in_words(typed[1]), found["what"])
    expected = expected[:1].lower() + expected[1:]
    if other := _OTHER.fullmatch(expected):
        expected = f"expected one of {', '.join(word for each in types for word in choices(each))}"
        received = f'"{other[2][:80]}"'
    elif "regex" in expected and (shown := [word for each in types for word in _examples(each)]):
        expected = f"expected such as {' or '.join(shown)}"
    if path and received and expected.startswith("expected"):
        return path, f"{expected}, received {received}"
    return path, expected


def _in_words(typed: str) -> str:
    kinds = [_WORDS.get(each, each) for each in typed.split(" | ") if each != "null"]
    return " or ".join(kinds) if kinds else "nothing"


def _examples(type_: Any) -> list[str]:
    metas = getattr(type_, "__metadata__", ())
    return [str(each) for meta in metas for each in meta.examples or ()]
