"""What cuts texts into words says the same in Python and in the graph, on any text."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from numen.core.signature import TensorSpec
from numen.train.ngrams import Ngrams, largest
from numen.train.words import FIRST, PAD, UNKNOWN, Nodes, Vocabulary, cut

LEARNT = [
    "Don't look at the École; it isn’t MINE! 日本語 😀",
    "the Привет мир, o'clock 3.5 x_y Straße\tend\nof İstanbul",
]
PIECES = [
    *["Don't", "don’t", "the", "THE", "École", "ÉCOLE", "éCole", "Привет", "ПРИВЕТ", "приВет", "日", "本", "😀", "!", "?", "'", "’", "-", "\n", "\x00", "\t"],
    " ", "x_y", "Straße", "STRASSE", "ǅ", "İ", "ı", "\u0301", "\u200d", "\ufeff", "\x7f", "\x85",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=300).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=200).map(" ".join),
)


def graph(part, dtype):
    """A session of what `part` appends."""
    nodes = Nodes()
    made = nodes.add("Cast", part(nodes), to=dtype)
    nodes.nodes.append(helper.make_node("Identity", [made], ["y"]))
    kind = "int32" if dtype == TensorProto.INT32 else "float32"
    model = nodes.model(TensorSpec("x", "string", (None, 1)), TensorSpec("y", kind, (None, None)))
    return onnxruntime.InferenceSession(model.SerializeToString())


def column(texts):
    made = np.empty((len(texts), 1), object)
    made[:, 0] = texts
    return made


WORDS = Vocabulary.learn(LEARNT, "words", 1_000, 150)
CHARACTERS = Vocabulary.learn(LEARNT, "characters", 1_000, 450)
SESSIONS = [
    (known, graph(lambda nodes, known=known: known.graph(nodes, "x"), TensorProto.INT32))
    for known in (WORDS, CHARACTERS)
]


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
@example([""])
@example(["", "\0"])
@example(["a " * 500, ""])
@example(["x" * 5_000])
@example(["日" * 200 + "'" * 300])
def test_python_and_the_graph_give_the_same_numbers(texts):
    for known, session in SESSIONS:
        (received,) = session.run(None, {"x": column(texts)})
        expected = known.rows(column(texts))
        width = min(received.shape[1], expected.shape[1])
        np.testing.assert_array_equal(received[:, :width], expected[:, :width])
        assert not received[:, width:].any()
        assert not expected[:, width:].any()
        assert not received[:, -1].any()  # runs of words end somewhere


def test_words():
    assert cut("Don't, it's 'so'!", "words") == ["don't", "it's", "so", "!"]
    assert cut("a-b c_d 3.5", "words") == ["a", "b", "c", "d", "3", "5"]
    assert cut("日本語😀ok", "words") == ["日", "本", "語", "😀", "ok"]
    assert cut("", "words") == cut(" \n\t.,;", "words") == []


def test_letters_beyond_ascii_are_known_in_three_ways():
    find = WORDS.numbers
    assert find["école"] == find["École"] == find["École"]
    assert WORDS.encode("École ÉCOLE école") == [find["école"]] * 3
    assert WORDS.encode("Привет ПРИВЕТ привет") == [find["привет"]] * 3
    assert WORDS.encode("приВет") == [UNKNOWN]
    assert WORDS.encode("don’t DON'T") == [find["don't"]] * 2
    assert min(find.values()) == FIRST > UNKNOWN > PAD


def test_the_most_frequent_are_known_and_the_rest_is_not():
    known = Vocabulary.learn(["a a a b b c", "d"], "words", 2, 10)
    assert known.encode("a b c d e") == [2, 3, UNKNOWN, UNKNOWN, UNKNOWN]
    assert known.size == 4
    assert Vocabulary.learn(["a a b"], "words", 9, 10, least=2).encode("a b") == [2, UNKNOWN]
    assert known.encode("a " * 99) == [2] * 10
    spaces = CHARACTERS.encode("\t \n\u3000")
    assert len(set(spaces)) == 1


RUNS = [
    Ngrams.learn(known, LEARNT * 3, (1, n), 500, 1) for known, n in ((WORDS, 3), (CHARACTERS, 4))
]
RUN_SESSIONS = [
    (runs, graph(lambda nodes, runs=runs: runs.graph(nodes, "x"), TensorProto.FLOAT))
    for runs in RUNS
]


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
@example([LEARNT[0], ""])
def test_runs_are_the_same_in_python_and_in_the_graph(texts):
    for runs, session in RUN_SESSIONS:
        (received,) = session.run(None, {"x": column(texts)})
        np.testing.assert_array_equal(received, runs.present(texts).toarray().astype("float32"))


def test_runs_and_their_rarity():
    known = Vocabulary.learn(["a b c"], "words", largest(2), 10)
    runs = Ngrams.learn(known, ["a b", "a b a b", "b c"], (1, 2), 100, 1)
    made = runs.present(["a b a b", "c", "x", ""]).toarray()
    assert made.shape == (4, 6)  # a, b, c, ab, ba, bc
    assert (made > 0).sum(axis=1).tolist() == [4, 1, 0, 0]
    weights = {f"{w:.4f}" for w in runs.weights}
    assert weights == {f"{np.log(4 / (1 + n)) + 1:.4f}" for n in (1, 2, 3)}
    assert len(Ngrams.learn(known, ["a b", "a b", "b c"], (1, 2), 100, 2).keys) == 3
    assert len(Ngrams.learn(known, ["a b", "a b", "b c"], (1, 2), 1, 1).keys) == 1


@pytest.mark.parametrize("longest", [1, 2, 3, 5, 6])
def test_a_run_of_the_largest_numbers_fits(longest):
    assert (largest(longest) + 1).bit_length() * longest <= 62
