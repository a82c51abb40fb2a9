"""scikit-learn's vectorizers of words as operators that cut texts as scikit-learn does.

Left to itself, skl2onnx cuts at every letter beyond ASCII and keeps the single letters that
scikit-learn drops. What counts as a letter here is what Python says, as ranges of characters. Other
analyzers, patterns and stop words between the words of a run stay with skl2onnx.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper

from numen.train.words import FIRST, OPSETS, PAD, UNKNOWN, Nodes, forms

# scikit-learn's usual patterns, and how often a letter is there.
_PATTERNS: Final = {
    r"(?u)\b\w\w+\b": "{2,}",
    r"\b\w\w+\b": "{2,}",
    r"(?u)\b\w+\b": "+",
    r"\b\w+\b": "+",
    r"(?u)\w+": "+",
    r"\w+": "+",
}
_PLAIN: Final = ("preprocessor", "tokenizer", "strip_accents")
_TINY: Final = 1e-30


def steps_of_text(model: Any) -> list[Any]:
    """The vectorizers of a model, in whatever pipelines, unions and transformers they stand."""
    inner = [step for _, step in getattr(model, "steps", ())]
    inner += [step for _, step in getattr(model, "transformer_list", ())]
    inner += [step for _, step, _ in getattr(model, "transformers_", ())]
    own = type(model).__name__ in ("TfidfVectorizer", "CountVectorizer")
    return ([model] if own else []) + [each for step in inner for each in steps_of_text(step)]


def takes(step: Any) -> bool:
    """Whether a vectorizer is one of those written here."""
    return (
        step.analyzer == "word"
        and step.token_pattern in _PATTERNS
        and (step.stop_words is None or step.ngram_range[1] == 1)
        and all(getattr(step, name) is None for name in _PLAIN)
    )


def convert_vectorizer(scope: Any, operator: Any, container: Any) -> None:
    """skl2onnx's hook: adds the operators of a vectorizer."""
    nodes = Nodes()
    made = _graph(nodes, operator.raw_operator, operator.inputs[0].full_name)
    nodes.nodes.append(helper.make_node("Identity", [made], [operator.outputs[0].full_name]))
    prefix = scope.get_unique_operator_name("Words")
    inner = {name for node in nodes.nodes[:-1] for name in node.output}
    inner |= {tensor.name for tensor in nodes.constants_}
    new = {name: f"{prefix}/{name}" for name in inner}
    for tensor in nodes.constants_:
        tensor.name = new[tensor.name]
        container.initializers.append(tensor)
    for node in nodes.nodes:
        container.add_node(
            node.op_type,
            [new.get(name, name) for name in node.input],
            [new.get(name, name) for name in node.output],
            op_domain=node.domain,
            op_version=2 if node.op_type == "LabelEncoder" else OPSETS[node.domain],
            name=f"{prefix}/{node.name}" if node.name else prefix,
            **{a.name: helper.get_attribute_value(a) for a in node.attribute},
        )


def _graph(nodes: Nodes, step: Any, texts: str) -> str:
    flat = nodes.add("Reshape", texts, nodes.constant([-1]))
    if step.lowercase:
        flat = nodes.add(
            "StringNormalizer", flat, case_change_action="LOWER", is_case_sensitive=1, locale="C"
        )
    found = nodes.add(
        "Tokenizer",
        flat,
        domain="com.microsoft",
        mark=0,
        mincharnum=1,
        pad_value="",
        tokenexp=f"[{_letters()}]{_PATTERNS[step.token_pattern]}",
    )
    runs = sorted(step.vocabulary_.items(), key=lambda each: each[0].count(" "))
    numbers: dict[str, int] = {}
    for run, _ in runs:
        for word in run.split(" "):
            numbers.setdefault(word, FIRST + len(numbers))
    known = dict(numbers)
    if step.lowercase:
        for word, number in numbers.items():
            for form in forms(word):
                known.setdefault(form, number)
    ids = nodes.add(
        "LabelEncoder",
        found,
        domain="ai.onnx.ml",
        keys_strings=["", *known],
        values_int64s=[PAD, *known.values()],
        default_int64=UNKNOWN,
    )
    rows = nodes.add("Slice", nodes.add("Shape", flat), *nodes.constants([0], [1]))
    column = nodes.add("Concat", rows, nodes.constant([1]), axis=0)
    zeros = helper.make_tensor("value", TensorProto.INT64, [1], [PAD])
    ids = nodes.add("Concat", ids, nodes.add("ConstantOfShape", column, value=zeros), axis=1)
    shortest, longest = step.ngram_range
    pool: list[int] = []
    starts = []
    for size in range(1, longest + 1):
        starts.append(len(pool))
        for run, _ in runs:
            if run.count(" ") == size - 1:
                pool += [numbers[word] for word in run.split(" ")]
    counts = nodes.add(
        "TfIdfVectorizer",
        ids,
        mode="TF",
        min_gram_length=shortest,
        max_gram_length=longest,
        max_skip_count=0,
        pool_int64s=pool,
        ngram_counts=starts,
        ngram_indexes=[int(place) for _, place in runs],
    )
    return _weighted(nodes, step, counts)


def _weighted(nodes: Nodes, step: Any, counts: str) -> str:
    """What scikit-learn makes of counts: presence, logarithms, rarity, length one."""

    def number(value: Any) -> str:
        return nodes.constant(value, "float32")

    if step.binary:
        counts = nodes.add("Min", counts, number(1))
    if not hasattr(step, "use_idf"):
        return counts
    if step.sublinear_tf:
        logs = nodes.add("Log", nodes.add("Max", counts, number(1)))
        counts = nodes.add("Add", logs, nodes.add("Min", counts, number(1)))
    if step.use_idf:
        counts = nodes.add("Mul", counts, number(np.asarray(step.idf_)[None]))
    if step.norm is None:
        return counts
    length = nodes.add(f"Reduce{step.norm.upper()}", counts, axes=[1], keepdims=1)
    return nodes.add("Div", counts, nodes.add("Max", length, number(_TINY)))


@cache
def _letters() -> str:
    """What Python takes for letters, digits and `_`, as ranges for inside brackets."""
    every = np.fromiter(
        (chr(c).isalnum() or c == ord("_") for c in range(sys.maxunicode + 1)), bool
    )
    ends = np.flatnonzero(np.diff(np.concatenate([[False], every, [False]]).astype(np.int8)))
    return "".join(
        chr(first) if first == last else f"{chr(first)}-{chr(last)}"
        for first, last in zip(ends[::2].tolist(), (ends[1::2] - 1).tolist(), strict=True)
    )
