"""Texts as numbers of words or of characters: in Python to train, in the graph to serve, the same.

ASCII letters are taken as small ones; other letters are not, since what that means depends on the
machine: their words are known in their usual three ways of writing instead. What a word is, is
said in ranges of characters, so that two engines of regular expressions agree on any text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from numen.core.signature import Array

OPSETS: Final = {"": 15, "ai.onnx.ml": 3, "com.microsoft": 1}
IR_VERSION: Final = 8
_ADDS: Final = 16  # the first opset whose ScatterElements can add
PAD, UNKNOWN, FIRST = 0, 1, 2
# What stands alone: ! and ?, pictographs, and the signs of scripts that write without spaces.
_ALONE: Final = (
    "!?\u2600-\u27bf\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001f000-\U0001faff"
)
# What parts words: control characters, spaces, punctuation, signs.
_BETWEEN: Final = (
    '\\x00-\\x20"-/:->@\\[-`{-\\xa9\\xab-\\xb1\\xb4\\xb6-\\xb8\\xbb\\xbf\\xd7\\xf7\u060c\u061b\u061f\u0964\u0965'
    "\u2000-\u206f\u20a0-\u20cf\u2190-\u25ff\u27c0-\u2bff\u3000-\u303f\ufe00-\ufe1f\ufe30-\ufe6f"
    "\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
_LETTER: Final = f"[^{_BETWEEN}{_ALONE}]"
WORD: Final = f"{_LETTER}+(?:['\u2019]{_LETTER}+)*|[{_ALONE}]"
_CHARACTER: Final = "(?s:.)"
# A text is cut into parts first, and so many parts are kept, so that one long text among many
# does not make the others as large as itself.
_PART_WORDS: Final = 64
_PART_CHARACTERS: Final = 200
_WORDS: Final = re.compile(WORD)
_SMALL: Final = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})
Unit = Literal["words", "characters"]


@dataclass(frozen=True)
class Vocabulary:
    """What is known by a number: 0 fills up, 1 is anything else, from 2 on the most frequent.

    Attributes:
        unit: What a text is cut into.
        numbers: The number of each word or character, in each way it is written.
        size: One more than the largest number.
        longest: How many of a text's words or characters count, from its beginning.
    """

    unit: Unit
    numbers: dict[str, int]
    size: int
    longest: int
    _parts: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        part = _PART_WORDS if self.unit == "words" else _PART_CHARACTERS
        object.__setattr__(self, "_parts", -(-self.longest // part))

    @classmethod
    def learn(
        cls, texts: Iterable[str], unit: Unit, most: int, longest: int, least: int = 1
    ) -> Vocabulary:
        """The most frequent words or characters of texts; of equally frequent ones by themselves.

        Args:
            texts: The training texts.
            unit: What to cut them into.
            most: How many to know.
            longest: How many of a text count.
            least: In how many places one must stand.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(cut(text.lower(), unit)[:longest])
        known = sorted((w for w in counts if counts[w] >= least), key=lambda w: (-counts[w], w))
        if unit == "characters":
            known = [" ", *(c for c in known if not c.isspace())]
        numbers = {word: place for place, word in enumerate(known[:most], FIRST)}
        for word in list(numbers):
            for form in forms(word):
                numbers.setdefault(form, numbers[word])
        if unit == "characters":
            numbers |= dict.fromkeys("\t\n\v\f\r\u0085\u00a0\u2028\u2029\u3000", FIRST)
        return cls(unit, numbers, FIRST + min(len(known), most), longest)

    def encode(self, text: str) -> list[int]:
        """The numbers of a text, as many as count."""
        find = self.numbers.get
        return [find(each, UNKNOWN) for each in cut(text, self.unit)[: self.longest]]

    def rows(self, texts: Array) -> Array:
        """Texts `[n, 1]` to `int32[n, longest]`, filled up with 0 behind."""
        made = np.zeros((len(texts), self.longest), np.int32)
        for row, text in enumerate(texts[:, 0].tolist()):
            found = self.encode(text)
            made[row, : len(found)] = found
        return made

    def graph(self, nodes: Nodes, texts: str) -> str:
        """The same as operators: `string[n, 1]` to `int64[n, …]`, at least one 0 behind each."""
        flat = nodes.add("Reshape", texts, nodes.constant([-1]))
        small = nodes.add(
            "StringNormalizer", flat, case_change_action="LOWER", is_case_sensitive=1, locale="C"
        )
        if self.unit == "words":
            part, each = f"(?:[{_BETWEEN}]*(?:{WORD})){{1,{_PART_WORDS}}}", WORD
        else:
            part, each = f"(?s:.{{1,{_PART_CHARACTERS}}})", _CHARACTER
        parts = nodes.add("Slice", _cut(nodes, small, part), *nodes.until(self._parts))
        rows = nodes.add("Slice", nodes.add("Shape", small), *nodes.constants([0], [1]))
        column = nodes.add("Concat", rows, nodes.constant([1]), axis=0)
        nothing = nodes.add("Expand", nodes.text(""), column)
        parts = nodes.add("Concat", parts, nothing, axis=1)  # an operator of nothing may fail
        numbers = nodes.add(
            "LabelEncoder",
            _cut(nodes, parts, each),
            domain="ai.onnx.ml",
            keys_strings=["", *self.numbers],
            values_int64s=[PAD, *self.numbers.values()],
            default_int64=UNKNOWN,
        )
        numbers = nodes.add("Flatten", numbers, axis=1)
        numbers = nodes.add("Slice", numbers, *nodes.until(self.longest))
        zeros = helper.make_tensor("value", TensorProto.INT64, [1], [PAD])
        behind = nodes.add("ConstantOfShape", column, value=zeros)
        return nodes.add("Concat", numbers, behind, axis=1)


def cut(text: str, unit: Unit) -> list[str]:
    """The words or the characters of a text, ASCII letters as small ones."""
    small = text.translate(_SMALL)
    return _WORDS.findall(small) if unit == "words" else list(small)


def forms(word: str) -> Iterable[str]:
    """How a word in small letters is written otherwise, once ASCII letters are small."""
    for form in (word, word.upper(), word.capitalize()):
        small = form.translate(_SMALL)
        yield from (small, small.replace("'", "\u2019"))


class Nodes:
    """An ONNX graph of texts in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants_: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Appends an operator and returns the name of its output."""
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, values: Any, dtype: str = "int64") -> str:
        """Adds an array and returns its name."""
        name = f"constant_{len(self.constants_)}"
        self.constants_.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def constants(self, *values: Any) -> list[str]:
        """Adds arrays of whole numbers and returns their names."""
        return [self.constant(each) for each in values]

    def text(self, value: str) -> str:
        """Adds a text `string[1, 1]` and returns its name."""
        name = f"constant_{len(self.constants_)}"
        self.constants_.append(helper.make_tensor(name, TensorProto.STRING, [1, 1], [value]))
        return name

    def until(self, stop: int) -> list[str]:
        """What Slice needs to keep the first `stop` columns."""
        return self.constants([0], [stop], [1])

    def opsets(self) -> list[onnx.OperatorSetIdProto]:
        """The operator sets that what was added is of."""
        used = {node.domain: OPSETS[node.domain] for node in self.nodes} | {"": OPSETS[""]}
        if any(each.name == "reduction" for node in self.nodes for each in node.attribute):
            used[""] = _ADDS
        return [helper.make_opsetid(*each) for each in used.items()]

    def model(self, source: Any, target: Any) -> onnx.ModelProto:
        """The finished model between a spec of texts and one of numbers."""
        kinds = {"string": TensorProto.STRING, "int32": TensorProto.INT32}
        ends = [
            helper.make_tensor_value_info(
                spec.name,
                kinds.get(spec.dtype, TensorProto.FLOAT),
                ["batch" if size is None else size for size in spec.shape],
            )
            for spec in (source, target)
        ]
        graph = helper.make_graph(self.nodes, "numen", ends[:1], ends[1:], self.constants_)
        made = helper.make_model(
            graph,
            opset_imports=self.opsets(),
            ir_version=IR_VERSION,
            producer_name="numen",
        )
        onnx.checker.check_model(made)
        return made


def _cut(nodes: Nodes, texts: str, expression: str) -> str:
    return nodes.add(
        "Tokenizer",
        texts,
        domain="com.microsoft",
        mark=0,
        mincharnum=1,
        pad_value="",
        tokenexp=expression,
    )
