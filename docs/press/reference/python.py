"""The Python API: the public names of numen, and of its client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from press.reference.code import exported, package, prose, signature

_HEAD = """# Python

What `import numen` offers, and the client, which knows nothing of numen's insides. Written from
the code.
"""
_CLIENT = """## The client

`numen.Client` and `numen.AsyncClient` are those of `numen_client`, a package of its own.
"""


def write() -> str:
    """The page."""
    parts = [_HEAD]
    for name, thing in exported(package("numen")):
        if not thing.path.startswith("numen_client"):
            parts += _entry(f"numen.{name}", thing)
    parts.append(_CLIENT)
    for name, thing in exported(package("numen_client")):
        parts += _entry(name, thing)
    return "\n\n".join(parts) + "\n"


def _entry(name: str, thing: Any) -> Iterator[str]:
    yield f"## `{name}` {{ #{name} }}"
    if thing.is_function:
        yield _code(signature(name, thing))
        yield prose(thing)
        return
    made = thing.members.get("__init__")
    if made is not None and made.is_function:
        yield _code(signature(name, made))
    elif thing.labels & {"dataclass"}:
        yield _code(f"{name}({', '.join(_fields(thing))})")
    yield prose(thing)
    for member in thing.members.values():
        if member.is_alias or member.name.startswith("_"):
            continue
        if member.is_function:
            yield f"### `{member.name}` {{ #{name}.{member.name} }}"
            yield _code(_call(name, member))
            yield prose(member)
        elif "property" in member.labels and member.docstring:
            yield f"### `{member.name}` {{ #{name}.{member.name} }}"
            yield _code(f"{member.name}: {member.annotation}")
            yield prose(member)


def _call(owner: str, method: Any) -> str:
    of_class = method.labels & {"classmethod", "staticmethod"}
    name = f"{owner}.{method.name}" if of_class else method.name
    return ("async " if "async" in method.labels else "") + signature(name, method)


def _fields(thing: Any) -> list[str]:
    return [
        f"{each.name}: {each.annotation}" + (f" = {each.value}" if each.value is not None else "")
        for each in thing.members.values()
        if each.is_attribute and "property" not in each.labels and each.annotation is not None
    ]


def _code(text: str) -> str:
    return f"```python\n{text}\n```"
