from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from numen.deploy.yaml import Between, Raw, dump

WORDS = ["", "on", "No", "null", "~", "1e3", "0x1f", "0o7", "12:30", "2001-01-01", "1_000", "a: b",
         "a #b", "- a", "{{ x }}", "<<", "=", "nan", ".inf", "a:b", "*x", "&x", "!x", "%x", "@x",
         "Nein", "a\nb", " a", "a:", "\u2028", "\x85", "\ufeff", "é", "數字", "\U0001f600"]  # fmt: skip
texts = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(trees)
def test_what_is_written_is_read_back(tree: Any) -> None:
    assert yaml.safe_load(dump(tree)) == tree


@pytest.mark.parametrize("text", WORDS)
def test_a_string_stays_a_string(text: str) -> None:
    assert yaml.safe_load(dump({text: [text]})) == {text: [text]}


def test_lines_of_another_language_stand_around_what_they_are_about() -> None:
    tree = {
        "a": Between("{{- if x }}", {"b": [1, Between("# two", 2)]}, "{{- end }}"),
        "c": Raw("{{ y }}"),
    }
    assert dump(tree) == (
        "{{- if x }}\na:\n  b:\n    - 1\n    # two\n    - 2\n{{- end }}\nc: {{ y }}\n"
    )
