"""Objects with holes, which are filled in here or left for Helm to fill in.

One tree is written in two ways: `fill` puts values into its holes, which gives plain YAML;
`template` puts expressions of Helm's language there, which find the same values in the chart. So
the two cannot say different things, unless a hole's two halves do, and those are a line each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from numen.deploy.yaml import Between, Raw

Values = Mapping[str, Any]
_ABSENT: Final = object()


def camel(name: str) -> str:
    """An option's name as charts write names."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@runtime_checkable
class Hole(Protocol):
    """A scalar, or a list of them, that depends on values."""

    def value(self, values: Values) -> Any:
        """What it is with these values."""

    def code(self) -> str:
        """Helm's expression for it; in brackets where it is more than a name."""


@dataclass(frozen=True, slots=True)
class Value:
    """One of the values.

    Attributes:
        name: Its name.
        said: Helm's expression for it; its place among the chart's values by default.
    """

    name: str
    said: str = ""

    def value(self, values: Values) -> Any:
        """The value."""
        return values[self.name]

    def code(self) -> str:
        """Its place; `$` is the root wherever it is written."""
        return self.said or f"$.Values.{camel(self.name)}"


@dataclass(frozen=True, slots=True)
class Text:
    """A string of texts and of values, which may be numbers."""

    parts: tuple[str | Value, ...]

    def value(self, values: Values) -> str:
        """The string."""
        found = (part if isinstance(part, str) else part.value(values) for part in self.parts)
        return "".join(map(str, found))

    def code(self) -> str:
        """As `printf` makes it."""
        said = (json.dumps(part) if isinstance(part, str) else part.code() for part in self.parts)
        return f'(printf "{"%v" * len(self.parts)}" {" ".join(said)})'


@dataclass(frozen=True, slots=True)
class Sum:
    """A whole number: a sum of numbers and of values."""

    parts: tuple[int | Value, ...]

    def value(self, values: Values) -> int:
        """The sum."""
        return sum(part if isinstance(part, int) else part.value(values) for part in self.parts)

    def code(self) -> str:
        """As `add` makes it of whole numbers; YAML's are not, for Helm."""
        said = (str(p) if isinstance(p, int) else f"(int {p.code()})" for p in self.parts)
        return f"(add {' '.join(said)})"


@dataclass(frozen=True, slots=True)
class Split:
    """The list that a value with commas stands for."""

    of: Value

    def value(self, values: Values) -> list[str]:
        """The list."""
        whole: str = self.of.value(values)
        return whole.split(",")

    def code(self) -> str:
        """As `splitList` makes it."""
        return f'(splitList "," {self.of.code()})'


@dataclass(frozen=True, slots=True)
class Not:
    """Whether a value is empty, false, or nought."""

    of: Hole

    def value(self, values: Values) -> bool:
        """Whether it is."""
        return not self.of.value(values)

    def code(self) -> str:
        """As `not` says it; what is true is the same to Helm as to Python."""
        return f"(not {self.of.code()})"


@dataclass(frozen=True, slots=True)
class Both:
    """Whether two values are there."""

    one: Hole
    other: Hole

    def value(self, values: Values) -> bool:
        """Whether they are."""
        return bool(self.one.value(values) and self.other.value(values))

    def code(self) -> str:
        """As `and` says it."""
        return f"(and {self.one.code()} {self.other.code()})"


@dataclass(frozen=True, slots=True)
class More:
    """Whether one number is larger than another."""

    one: Value
    than: Value

    def value(self, values: Values) -> bool:
        """Whether it is."""
        return bool(self.one.value(values) > self.than.value(values))

    def code(self) -> str:
        """As `gt` says it of whole numbers."""
        return f"(gt (int {self.one.code()}) (int {self.than.code()}))"


@dataclass(frozen=True, slots=True)
class When:
    """An object, an entry of a mapping, or an item of a list, that is there under a condition.

    An item that is a mapping must not begin with one, nor may all entries of a mapping be such.
    """

    test: Hole
    then: Any


def fill(tree: Any, values: Values) -> Any:
    """Plain data: the tree with values in its holes; None where all of it is absent."""
    filled = _fill(tree, values)
    return None if filled is _ABSENT else filled


def _fill(tree: Any, values: Values) -> Any:
    if isinstance(tree, When):
        return _fill(tree.then, values) if tree.test.value(values) else _ABSENT
    if isinstance(tree, Hole):
        return tree.value(values)
    if isinstance(tree, Mapping):
        entries = ((key, _fill(value, values)) for key, value in tree.items())
        return {key: value for key, value in entries if value is not _ABSENT}
    if isinstance(tree, list):
        return [item for item in (_fill(each, values) for each in tree) if item is not _ABSENT]
    return tree


def template(tree: Any) -> Any:
    """What `yaml.dump` writes as Helm's template: expressions in the holes."""
    if isinstance(tree, When):
        return Between(f"{{{{- if {tree.test.code()} }}}}", template(tree.then), "{{- end }}")
    if isinstance(tree, Hole):
        return Raw(f"{{{{ toJson {tree.code()} }}}}")
    if isinstance(tree, Mapping):
        return {key: template(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [template(item) for item in tree]
    return tree
