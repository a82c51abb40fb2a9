"""Plain data written as YAML: block style, the order as given, the same bytes every time.

What YAML 1.1 or 1.2 might read as anything but a string is quoted as JSON does. Nothing is read
here, and nothing but mappings, sequences, strings, whole numbers, truth and null is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*")
# What JSON writes as it is and YAML does not read so.
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WORDS: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


@dataclass(frozen=True, slots=True)
class Raw:
    """A scalar that is written as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """A value, with its key or dash, between two lines of something that is no YAML.

    Attributes:
        before: The line before, such as a comment.
        tree: The value.
        after: The line after; empty is none.
    """

    before: str
    tree: Any
    after: str = ""


def dump(tree: Any) -> str:
    """A document.

    Args:
        tree: Mappings, sequences and scalars, `Raw` and `Between`.
    """
    return "".join(f"{line}\n" for line in _lines(tree))


def _lines(tree: Any) -> Iterator[str]:
    if isinstance(tree, Between):
        yield tree.before
        yield from _lines(tree.tree)
        if tree.after:
            yield tree.after
    elif not _nests(tree):
        yield _scalar(tree)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _entry(key, value)
    else:
        for item in tree:
            yield from _item(item)


def _entry(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, Between):
        yield value.before
        yield from _entry(key, value.tree)
        if value.after:
            yield value.after
    elif _nests(value):
        yield f"{_scalar(key)}:"
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{_scalar(key)}: {_scalar(value)}"


def _item(item: Any) -> Iterator[str]:
    if isinstance(item, Between):
        yield item.before
        yield from _item(item.tree)
        if item.after:
            yield item.after
        return
    for number, line in enumerate(_lines(item)):
        yield f"{'  ' if number else '- '}{line}"


def _nests(tree: Any) -> bool:
    """Whether it is written on lines of its own."""
    return bool(tree) and isinstance(tree, Mapping | Sequence) and not isinstance(tree, str)


def _scalar(value: Any) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _ESCAPED.sub(lambda m: f"\\u{ord(m[0]):04x}", json.dumps(value, ensure_ascii=False))
