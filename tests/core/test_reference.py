"""How models are named."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numen.core.errors import InvalidInput
from numen.core.reference import Reference, check_alias, check_name

names = st.from_regex(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True)
aliases = st.from_regex(r"[a-z](?:[a-z0-9_-]{0,62}[a-z0-9])?", fullmatch=True)


@example("digits", 0)
@settings(deadline=None)
@given(names, st.one_of(st.none(), st.integers(0, 999_999_999), aliases))
def test_what_is_written_is_read(name: str, tail: int | str | None) -> None:
    version = tail if isinstance(tail, int) else None
    alias = tail if isinstance(tail, str) else None
    reference = Reference(name, version, alias)
    assert Reference.parse(str(reference)) == reference
    assert str(reference) == (name if tail is None else f"{name}@{tail}")


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_invalid_input(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidInput:
        return
    assert check_name(reference.name) == text.partition("@")[0]


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "@3", "digits@", "digits@@3", "digits@3@4", "Digits", "di gits", "digits@Champion",
        "digits@1.5", "digits@-1", "digits@³", "digits@1234567890", "-digits", "digits.",
        "../digits", "a/b", "a\\b", "a\n", "digits@3\n", "digits@ 3", "é", "a" * 65, "digits@" + "a" * 65,
        "digits@1a", "a\x00b",
    ],
)  # fmt: skip
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Reference.parse(text)
    assert caught.value.field in ("name", "alias")


def test_a_message_says_what_was_expected_and_received() -> None:
    with pytest.raises(InvalidInput, match=r'dataset name: expected 1-64 .* received "Iris"'):
        check_name("Iris", "dataset")
    with pytest.raises(InvalidInput, match=r'alias: expected a letter, .* received "3x"'):
        check_alias("3x")
