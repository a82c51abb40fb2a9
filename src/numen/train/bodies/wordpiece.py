"""BERT's tokenizer as operators: texts in, numbers of word pieces out, no table of rules beside it.

What a word, a sign that stands alone and a letter is, is said character by character, as BERT's
uncased tokenizer does it (Devlin et al. 2018): accents and case are taken off, signs and Chinese
characters stand alone. A word is cut into the longest pieces that are known, from its beginning
on (Wu et al. 2016). Characters that fall into several, such as Hangul syllables, are unknown.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, Literal

import numpy as np
from onnx import TensorProto, helper

from numen.train.bodies.trie import Trie
from numen.train.words import Nodes

_CONTINUES: Final = "##"
_LONGEST_WORD: Final = 100  # characters; a longer one is unknown
# Texts are cut into parts first, so that one long text among many does not make the others as
# large as itself; a part ends between words unless they are very long.
_PART: Final = r"(?s:.{1,600})\S{0,200}"
_CHARACTERS_A_PART: Final = 600
_HIGHEST: Final = 0x20000  # beyond it stand Chinese characters, tags and private ones
# As BERT says what is Chinese; Hiragana, Katakana and Hangul are words like others.
_CHINESE: Final = (
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF), (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)  # fmt: skip
_PAD, _UNKNOWN, _FIRST = 0, 1, 2  # codes of characters
_DOUBLINGS: Final = _LONGEST_WORD.bit_length()
Kind = Literal["letter", "alone", "between", "dropped"]


class WordPiece:
    """A tokenizer.

    Args:
        vocabulary: The pieces by number; those that continue a word begin with `##`.
        length: Pieces of a text that count at most, with the two that mark its ends.
    """

    def __init__(self, vocabulary: Sequence[str], length: int):
        self._numbers = {piece: place for place, piece in enumerate(vocabulary)}
        self._inner = length - 2
        starting, continuing = {}, {}
        for piece, number in self._numbers.items():
            if piece.startswith(_CONTINUES) and len(piece) > len(_CONTINUES):
                continuing[piece.removeprefix(_CONTINUES)] = number
            elif not (piece.startswith("[") and piece.endswith("]") and len(piece) > 2):
                starting[piece] = number
        counts = Counter(c for words in (starting, continuing) for word in words for c in word)
        self._codes = {c: code for code, (c, _) in enumerate(counts.most_common(), _FIRST)}
        self._trie = Trie.of(
            [
                {tuple(self._codes[c] for c in word): number for word, number in words.items()}
                for words in (starting, continuing)
            ],
            _FIRST + len(self._codes),
        )

    def graph(self, nodes: Nodes, texts: str) -> str:
        """The operators: `string[n, 1]` to `int64[n, pieces]`, filled up behind with [PAD]."""
        words, rows, count = self._words(nodes, texts)
        codes = self._letters(nodes, words)
        pieces, lengths = self._longest(nodes, codes)
        found, of = self._cut(nodes, codes, pieces, lengths, rows)
        return self._laid(nodes, found, of, count)

    def _words(self, nodes: Nodes, texts: str) -> tuple[str, str, str]:
        """Of all texts together: the words `string[m]`, the text each is of, and how many texts.

        The last word is of no text: an operator of nothing may fail.
        """
        flat = nodes.add("Reshape", texts, nodes.constant([-1]))
        count = nodes.add("Shape", flat)
        column = nodes.add("Concat", count, nodes.constant([1]), axis=0)
        nothing = nodes.add("Expand", nodes.text(""), column)
        parts = -(-6 * self._inner // _CHARACTERS_A_PART) + 1
        cut = nodes.add("Slice", _cut(nodes, flat, _PART), *nodes.until(parts))
        cut = nodes.add("Concat", cut, nothing, axis=1)
        words = nodes.add("Flatten", _cut(nodes, cut, _word()), axis=1)
        words = nodes.add("Concat", words, nothing, axis=1)
        there = _known(nodes, words, {"": 0}, default=1)
        rank = nodes.add("CumSum", there, nodes.constant(1))
        early = nodes.add("LessOrEqual", rank, nodes.constant(self._inner))
        chosen = nodes.add("And", nodes.add("Greater", there, nodes.constant(0)), early)
        rows = nodes.add("Gather", nodes.add("NonZero", chosen), nodes.constant(0), axis=0)
        words = nodes.add("Compress", words, nodes.add("Reshape", chosen, nodes.constant([-1])))
        extra = nodes.add("Reshape", nodes.text("a"), nodes.constant([1]))
        words = nodes.add("Concat", words, extra, axis=0)
        return words, nodes.add("Concat", rows, count, axis=0), count

    def _letters(self, nodes: Nodes, words: str) -> str:
        """Words by the codes of their characters: `string[m]` to `int64[m, c]`."""
        part = f"(?s:.{{1,{3 * _LONGEST_WORD}}})"
        short = nodes.add("Slice", _cut(nodes, words, part), *nodes.until(1))
        letters = nodes.add("Flatten", _cut(nodes, short, f"[^{_ranges('dropped')}]"), axis=1)
        letters = nodes.add("Slice", letters, *nodes.until(_LONGEST_WORD + 1))
        keys = {
            chr(c): self._codes[base]
            for c, (_, base) in enumerate(_characters())
            if base in self._codes
        }
        keys |= {c: code for c, code in self._codes.items() if ord(c) >= _HIGHEST}
        return _known(nodes, letters, {"": _PAD, **keys}, default=_UNKNOWN)

    def _longest(self, nodes: Nodes, codes: str) -> tuple[str, str]:
        """The longest piece that begins at each character, and its length: `int64[m, c + 1]`."""
        trie, steps = self._trie, self._trie.longest
        base, check, value = nodes.constants(trie.base, trie.check, trie.value)
        padded = nodes.add("Pad", codes, nodes.constant([0, 0, 0, steps]), nodes.constant(_PAD))
        last = nodes.constant(np.iinfo(np.int64).max)

        def shifted(step: int) -> str:
            end = nodes.constant([1 + step - steps]) if step + 1 < steps else last
            end = nodes.add("Reshape", end, nodes.constant([1]))
            return nodes.add("Slice", padded, *nodes.constants([step]), end, *nodes.constants([1]))

        first = shifted(0)
        width = nodes.add("Slice", nodes.add("Shape", first), *nodes.constants([1], [2]))
        places = _counted(nodes, width)
        slot = nodes.add("Min", places, nodes.constant(1))  # the root of beginnings, or the other
        slot = nodes.add("Expand", slot, nodes.add("Shape", first))
        dead, none = nodes.constants(trie.dead, 0)
        pieces = lengths = nodes.add("Mul", first, none)
        for step in range(steps):
            code = first if step == 0 else shifted(step)
            child = nodes.add("Add", nodes.add("Gather", base, slot), code)
            held = nodes.add("Equal", nodes.add("Gather", check, child), slot)
            slot = nodes.add("Where", held, child, dead)
            found = nodes.add("Gather", value, slot)
            better = nodes.add("Greater", found, none)
            pieces = nodes.add("Where", better, found, pieces)
            lengths = nodes.add("Where", better, nodes.constant(step + 1), lengths)
        return pieces, lengths

    def _cut(
        self, nodes: Nodes, codes: str, pieces: str, lengths: str, rows: str
    ) -> tuple[str, str]:
        """The pieces that words are cut into, one behind the other, and the text each is of."""
        unknown, none = nodes.constants(self._numbers["[UNK]"], 0)
        real = nodes.add(
            "Pad",
            nodes.add("Cast", nodes.add("Greater", codes, none), to=TensorProto.INT64),
            nodes.constant([0, 0, 0, 1]),
            none,
        )
        # Where no piece begins, the word is unknown; the way goes on to its end.
        known = nodes.add("Greater", lengths, none)
        ids = nodes.add("Mul", nodes.add("Where", known, pieces, unknown), real)
        shape = nodes.add("Shape", ids)
        width = nodes.add("Slice", shape, *nodes.constants([1], [2]))
        places = _counted(nodes, width)
        end = nodes.add("Sub", width, nodes.constant(1))
        ahead = nodes.add("Where", known, nodes.add("Add", places, lengths), end)
        ahead = nodes.add("Min", ahead, end)
        # Who is reached from the first character: after n doublings, all within 2 ** n pieces.
        first = nodes.add("Cast", nodes.add("Equal", places, none), to=TensorProto.INT64)
        reached = nodes.add("Expand", first, shape)
        nothing = nodes.add("Mul", reached, none)
        for _ in range(_DOUBLINGS):
            there = nodes.add("ScatterElements", nothing, ahead, reached, axis=1, reduction="add")
            reached = nodes.add("Min", nodes.add("Add", reached, there), nodes.constant(1))
            ahead = nodes.add("GatherElements", ahead, ahead, axis=1)
        ids = nodes.add("Mul", ids, reached)
        bad = nodes.add("Cast", nodes.add("Equal", ids, unknown), to=TensorProto.INT64)
        bad = nodes.add("ReduceMax", bad, axes=[1], keepdims=1)
        letters = nodes.add("ReduceSum", real, nodes.constant([1]), keepdims=1)
        long = nodes.add("Greater", letters, nodes.constant(_LONGEST_WORD))
        bad = nodes.add("Or", nodes.add("Greater", bad, none), long)
        alone = nodes.add("Mul", first, unknown)
        ids = nodes.add("Where", bad, alone, ids)
        flat = nodes.constant([-1])
        kept = nodes.add("Reshape", nodes.add("Greater", ids, none), flat)
        of = nodes.add("Expand", nodes.add("Unsqueeze", rows, nodes.constant([1])), shape)
        return nodes.add("Compress", ids, kept), nodes.add("Compress", of, kept)

    def _laid(self, nodes: Nodes, found: str, of: str, count: str) -> str:
        """Each text's pieces in a row of their own, between [CLS] and [SEP]."""
        one, none, most = nodes.constants([1], [0], [self._inner])
        rows = nodes.add("Add", count, one)
        zeros = nodes.add("ConstantOfShape", rows, value=_int64(0))
        ones = nodes.add("ConstantOfShape", nodes.add("Shape", of), value=_int64(1))
        counts = nodes.add("ScatterElements", zeros, of, ones, reduction="add")
        start = nodes.add("CumSum", counts, nodes.constant(0), exclusive=1)
        place = nodes.add("CumSum", ones, nodes.constant(0), exclusive=1)
        place = nodes.add("Sub", place, nodes.add("Gather", start, of))
        fits = nodes.add("Less", place, most)
        found, of, place = (nodes.add("Compress", each, fits) for each in (found, of, place))
        counts = nodes.add("Min", counts, most)
        width = nodes.add("Add", nodes.add("ReduceMax", counts, keepdims=1), one)
        size = nodes.add("Mul", rows, width)
        whole = nodes.add("ConstantOfShape", size, value=_int64(self._numbers["[PAD]"]))
        at = nodes.add("Add", nodes.add("Mul", of, width), place)
        whole = nodes.add("ScatterElements", whole, at, found)
        each = nodes.add("Range", *(_scalar(nodes, x) for x in (none, rows, one)))
        at = nodes.add("Add", nodes.add("Mul", each, width), counts)
        ends = nodes.add("ConstantOfShape", rows, value=_int64(self._numbers["[SEP]"]))
        whole = nodes.add("ScatterElements", whole, at, ends)
        whole = nodes.add("Reshape", whole, nodes.add("Concat", rows, width, axis=0))
        whole = nodes.add("Slice", whole, none, count, none)  # without the row of no text
        column = nodes.add("Concat", count, one, axis=0)
        begins = nodes.add("ConstantOfShape", column, value=_int64(self._numbers["[CLS]"]))
        return nodes.add("Concat", begins, whole, axis=1)


def _cut(nodes: Nodes, texts: str, expression: str) -> str:
    return nodes.add(
        "Tokenizer", texts, domain="com.microsoft", mark=0, mincharnum=1, pad_value="",
        tokenexp=expression,
    )  # fmt: skip


def _known(nodes: Nodes, texts: str, numbers: dict[str, int], default: int) -> str:
    return nodes.add(
        "LabelEncoder", texts, domain="ai.onnx.ml", keys_strings=list(numbers),
        values_int64s=list(numbers.values()), default_int64=default,
    )  # fmt: skip


def _counted(nodes: Nodes, width: str) -> str:
    """0, 1, … up to a width `int64[1]`."""
    ones = nodes.add("ConstantOfShape", width, value=_int64(1))
    return nodes.add("CumSum", ones, nodes.constant(0), exclusive=1)


def _scalar(nodes: Nodes, x: str) -> str:
    return nodes.add("Squeeze", x, nodes.constant([0]))


def _int64(value: int) -> TensorProto:
    return helper.make_tensor("value", TensorProto.INT64, [1], [value])


def _word() -> str:
    """A run of letters with what is dropped among them, or a sign that stands alone."""
    letters, dropped = _ranges("letter"), _ranges("dropped")
    return f"[{letters}][{letters}{dropped}]*|[{_ranges('alone')}]"


@cache
def _ranges(kind: Kind) -> str:
    """The characters of a kind, as ranges for inside brackets."""
    kinds = [each for each, _ in _characters()]
    made = []
    begin = None
    for c, each in enumerate([*kinds, "between"]):
        if each == kind and begin is None:
            begin = c
        elif each != kind and begin is not None:
            made.append(f"\\x{{{begin:x}}}-\\x{{{c - 1:x}}}")
            begin = None
    beyond = {"alone": ((0x20000, 0x323AF),), "dropped": ((0xE0000, 0x10FFFF),)}
    made += [f"\\x{{{a:x}}}-\\x{{{b:x}}}" for a, b in beyond.get(kind, ())]
    return "".join(made)


@cache
def _characters() -> tuple[tuple[Kind, str], ...]:
    """What each character up to `_HIGHEST` is, and which one stands for it; "" where none."""
    return tuple(_all_characters())


def _all_characters() -> Iterator[tuple[Kind, str]]:
    for number in range(_HIGHEST):
        c = chr(number)
        category = unicodedata.category(c)
        if c in "\t\n\r" or category[0] == "Z":
            yield "between", ""
        elif category in ("Cc", "Cf", "Co", "Cs") or c == "\ufffd":
            yield "dropped", ""
        else:
            plain = [x for x in unicodedata.normalize("NFD", c) if unicodedata.category(x) != "Mn"]
            small = "".join(plain).lower()
            chinese = any(low <= number <= high for low, high in _CHINESE)
            if not small:
                yield "dropped", ""
            elif chinese or any(_is_sign(x) for x in small):
                yield "alone", small if len(small) == 1 else ""
            else:
                yield "letter", small if len(small) == 1 else ""


def _is_sign(c: str) -> bool:
    """Punctuation; of ASCII everything that is neither letter nor digit."""
    return unicodedata.category(c)[0] == "P" or (c.isascii() and not c.isalnum())
