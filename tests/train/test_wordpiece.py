"""BERT's tokenizer in the graph: piece by piece what the rules say, on any text."""

from __future__ import annotations

import unicodedata

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from numen.train.bodies.trie import Trie
from numen.train.bodies.wordpiece import WordPiece
from numen.train.words import IR_VERSION, Nodes

LENGTH = 12
VOCABULARY = [
    "[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgé,.!-'日ж", "##a", "##b", "##c", "##d",
    "##e", "##ж", "abc", "##bc", "##cd", "##cde", "ab", "decade", "dec", "##ade", "fab", "##,", "bad",
]  # fmt: skip
NUMBER = {piece: place for place, piece in enumerate(VOCABULARY)}


def cut_by_hand(text: str) -> list[int]:
    """The tokenizer as its authors tell it: clean, part, then the longest known piece each time."""
    clean = ""
    for c in text:
        category = unicodedata.category(c)
        if c in "\t\n\r" or category.startswith("Z"):
            clean += " "
        elif category not in ("Cc", "Cf", "Co", "Cs") and c != "\ufffd":
            chinese = 0x3400 <= ord(c) <= 0x4DBF or 0x4E00 <= ord(c) <= 0x9FFF
            clean += f" {c} " if chinese else c
    plain = "".join(
        c for c in unicodedata.normalize("NFD", clean) if unicodedata.category(c) != "Mn"
    )
    parted = ""
    for c in plain.lower():
        sign = unicodedata.category(c)[0] == "P" or (c.isascii() and not c.isalnum() and c != " ")
        parted += f" {c} " if sign else c
    found = [piece for word in parted.split(" ") if word for piece in pieces_of(word)]
    return [NUMBER["[CLS]"], *found[: LENGTH - 2], NUMBER["[SEP]"]]


def pieces_of(word: str) -> list[int]:
    if len(word) > 100:
        return [NUMBER["[UNK]"]]
    made, begin = [], 0
    while begin < len(word):
        for end in range(len(word), begin, -1):
            piece = ("##" if begin else "") + word[begin:end]
            if piece in NUMBER:
                made.append(NUMBER[piece])
                begin = end
                break
        else:
            return [NUMBER["[UNK]"]]
    return made


@pytest.fixture(scope="module")
def cut():
    nodes = Nodes()
    made = WordPiece(VOCABULARY, LENGTH).graph(nodes, "text")
    graph = helper.make_graph(
        nodes.nodes, "pieces",
        [helper.make_tensor_value_info("text", TensorProto.STRING, ["n", 1])],
        [helper.make_tensor_value_info(made, TensorProto.INT64, ["n", None])],
        nodes.constants_,
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=nodes.opsets(), ir_version=IR_VERSION,
    )  # fmt: skip
    session = onnxruntime.InferenceSession(model.SerializeToString())

    def run(texts: list[str]) -> list[list[int]]:
        rows = np.empty((len(texts), 1), object)
        rows[:, 0] = texts
        (found,) = session.run(None, {"text": rows})
        return [row[row != 0].tolist() for row in found]

    return run


KNOWN = [
    "abc", "ABC abcde decade", "abcd fab", "dec, bad!", "é É e\u0301", "日ab日", "a\u200bb c\u0301d",
    "x abx", "", " ", "\t\n", "!!!", "a-b 'c'", "a" * 101, "a" + "b" * 99, "ab " * 40, "[CLS] ##a",
    "Ж ж жж", "\u00a0a\u2003b\u2028c",
]  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_a_text_is_cut_as_by_hand(cut, text):
    assert cut([text]) == [cut_by_hand(text)]


def test_texts_beside_one_another_do_not_meet(cut):
    assert cut(KNOWN) == [cut_by_hand(text) for text in KNOWN]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from("abcde ABC.,'\u0301\u200b日жéx\n"), max_size=40),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_is_cut_as_by_hand(cut, texts):
    assert cut(texts) == [cut_by_hand(text) for text in texts]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_character_is_read(cut, text):
    (found,) = cut([text])
    assert found[0] == NUMBER["[CLS]"]
    assert found[-1] == NUMBER["[SEP]"]
    assert len(found) <= LENGTH


def test_a_long_text_costs_what_counts_of_it(cut):
    assert cut(["ab " * 200_000, "a" * 600_000]) == [
        cut_by_hand("ab " * 20), [NUMBER["[CLS]"], 2, 2, NUMBER["[SEP]"]]]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.lists(st.integers(1, 6), min_size=1, max_size=5).map(tuple),
            st.integers(1, 99), min_size=1, max_size=30,
        ), min_size=1, max_size=3,
    ),
    st.lists(st.integers(1, 6), min_size=1, max_size=6).map(tuple),
)  # fmt: skip
def test_a_trie_knows_its_words_and_no_other(sets, other):
    trie = Trie.of(sets, 7)
    for root, words in enumerate(sets):
        for word, value in words.items():
            assert trie.find(root, word) == value
        assert trie.find(root, other) == words.get(other, 0)
    assert trie.longest == max(len(word) for words in sets for word in words)
    assert not np.any(trie.check[trie.base[trie.dead] : trie.base[trie.dead] + 7] == trie.dead)
