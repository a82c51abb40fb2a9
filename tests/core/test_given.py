"""What people give is refused in words that they know."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from numen.core.errors import InvalidInput
from numen.core.given import convert


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    rate: float = 0.0


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    kind: Literal["", "fast", "exact"] = ""
    when: Annotated[str, msgspec.Meta(pattern=r"^\d+s$", examples=["10s"])] = "1s"
    whether: bool = False
    weight: dict[str, float] | Literal["", "balanced"] = ""
    names: list[str] = []
    kinds: dict[str, Literal["fast", "exact"]] = {}
    inner: Inner = msgspec.field(default_factory=Inner)


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"count": "abc"}, "count", 'expected a whole number, received "abc"'),
        ({"count": 0}, "count", 'expected a whole number >= 1, received "0"'),
        ({"kind": "slow"}, "kind", 'expected one of fast, exact, received "slow"'),
        ({"kind": "a\nb"}, "kind", 'expected one of fast, exact, received "a\\nb"'),
        ({"kind": "a'b"}, "kind", 'expected one of fast, exact, received "a\'b"'),
        ({"count": "x" * 99}, "count", f'expected a whole number, received "{"x" * 80}"'),
        ({"inner": {"other": 1}}, "inner", "object contains unknown field other"),
        ({"weight": "odd"}, "weight", 'expected one of balanced, received "odd"'),
        ({"when": "now"}, "when", 'expected such as 10s, received "now"'),
        ({"whether": "perhaps"}, "whether", 'expected true or false, received "perhaps"'),
        ({"names": "a"}, "names", 'expected a list, received "a"'),
        ({"names": ["a", None]}, "names[1]", "expected text, received nothing"),
        ({"kinds": {"a": "slow"}}, "kinds[...]", 'expected one of fast, exact, received "slow"'),
        ({"inner": {"rate": []}}, "inner.rate", "expected a number, received a list"),
    ],
)
def test_what_does_not_fit_is_named(given: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        convert(given, Asked, "recipe")
    assert caught.value.message == f"recipe: {field}: {said}"
    assert caught.value.field == field


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^recipe: object contains unknown field other$"):
        convert({"other": 1}, Asked, "recipe")


def test_text_stands_for_numbers() -> None:
    assert convert({"count": "3", "whether": "true"}, Asked, "") == Asked(count=3, whether=True)
