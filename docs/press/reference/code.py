"""Reads the source with griffe, which runs nothing, and writes docstrings as Markdown."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import griffe

_ROOT = Path(__file__).parents[3]
_NAMED = {"parameters": "Takes", "attributes": "Attributes", "raises": "Raises"}


@cache
def package(name: str) -> griffe.Module:
    """A package of the repository, read and not run."""
    found = griffe.load(
        name,
        search_paths=[_ROOT / "src", _ROOT / "clients/python"],
        docstring_parser="google",
        docstring_options={"warnings": False},
        allow_inspection=False,
    )
    assert isinstance(found, griffe.Module)
    return found


def find(path: str) -> Any:
    """The class, function or module at a dotted path."""
    root, _, rest = path.partition(".")
    return package(root)[rest] if rest else package(root)


def exported(module: griffe.Module) -> list[tuple[str, Any]]:
    """The names of `__all__` but those of data, each with what it stands for, in that order."""
    found = []
    for name in map(str, module.exports or ()):
        thing = module[name]
        thing = find(thing.target_path) if thing.is_alias else thing
        if thing.is_class or thing.is_function:
            found.append((name, thing))
    return found


def described(thing: Any) -> dict[str, str]:
    """What the docstring says of each attribute, by name."""
    for section in sections(thing):
        if section.kind.value == "attributes":
            return {each.name: one_line(each.description) for each in section.value}
    return {}


def sections(thing: Any) -> list[Any]:
    """The parsed docstring."""
    return thing.docstring.parsed if thing.docstring else []


def one_line(text: str) -> str:
    """The text without line breaks, safe in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def prose(thing: Any) -> str:
    """The docstring as Markdown: its text, then what it takes, returns and raises."""
    parts = []
    for section in sections(thing):
        match section.kind.value:
            case "text":
                parts.append(section.value)
            case "parameters" | "attributes" | "raises" as kind:
                rows = [
                    f"* `{getattr(each, 'name', None) or each.annotation}`: "
                    f"{one_line(each.description)}"
                    for each in section.value
                ]
                parts.append(f"**{_NAMED[kind]}**\n\n" + "\n".join(rows))
            case "returns" | "yields" as kind:
                said = " ".join(
                    f"{each.name}: {each.description}" if each.name else each.description
                    for each in section.value
                )
                parts.append(f"**{kind.capitalize()}** {one_line(said)}")
            case "admonition":
                parts.append(f"**{section.title}**\n\n{section.value.description}")
            case "examples":
                parts += [
                    each if kind.value == "text" else f"```pycon\n{each}\n```"
                    for kind, each in section.value
                ]
    return "\n\n".join(parts)


def signature(name: str, function: Any) -> str:
    """The call as Python writes it, a parameter a line where it is long."""
    parts, star = [], False
    for each in function.parameters:
        if each.name in {"self", "cls"}:
            continue
        kind = each.kind.value
        if kind == "keyword-only" and not star:
            parts.append("*")
            star = True
        star = star or kind == "variadic positional"
        mark = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
        part = f"{mark}{each.name}"
        if each.annotation is not None:
            part += f": {each.annotation}"
        if each.default is not None and not mark:
            part += f" = {each.default}" if each.annotation is not None else f"={each.default}"
        parts.append(part)
    returned = f" -> {function.returns}" if function.returns is not None else ""
    line = f"{name}({', '.join(parts)}){returned}"
    if len(line) <= 80:
        return line
    inner = "".join(f"    {part},\n" for part in parts)
    return f"{name}(\n{inner}){returned}"
