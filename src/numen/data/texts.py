"""Rows that are texts: told from a table's columns, written as they are, and described.

A text stays as it was written, in UTF-8; what cuts it into words is the model's. A table is one of
texts when one column of free text is all there is to learn from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from numen.core.errors import InvalidData
from numen.core.manifest import Column, TextInput
from numen.core.signature import Array
from numen.data.facts import Facts, TableFile, as_text
from numen.data.reading import Reading
from numen.data.split import Split
from numen.data.stored import Stored, seal
from numen.data.writing import TextSplit

INPUT: Final = "text"
FREQUENT: Final = 20
_NUMBERED: Final = re.compile(r"(|.*[_\- ])(id|idx|index|row|uuid|guid|nr|no)|unnamed: \d+", re.I)
_WORD: Final = re.compile(r"\w+(?:['’]\w+)*")
# A file's rows and where they begin, to targets.
Targets = Callable[[TableFile, Any, int], Array]


class TextProfile(msgspec.Struct, frozen=True):
    """What the training texts look like.

    Attributes:
        empty: Texts without a word, in all splits.
        words: `min`, `mean`, `median` and `max` of words a text.
        characters: The same of characters.
        vocabulary: How many different words there are, in lower case.
        frequent: The most frequent words and how often they are there.
    """

    empty: int
    words: dict[str, float]
    characters: dict[str, float]
    vocabulary: int
    frequent: tuple[tuple[str, int], ...]


def column_of(columns: Sequence[Column], facts: Mapping[str, Facts], reading: Reading) -> str:
    """The one column of free text a table is about; empty where the table is of another kind.

    Args:
        columns: What a model could learn from.
        facts: What was seen of each column.
        reading: What the person said.
    """
    about = [c for c in columns if c.name in reading.columns or not _numbers(facts[c.name])]
    return about[0].name if len(about) == 1 and about[0].words else ""


def column_in(file: TableFile, but: str) -> str:
    """The column of texts in a table of rows without a label.

    Args:
        file: The table.
        but: The column of labels, should it be there.

    Raises:
        InvalidData: No column is called `text`, and none or several hold free text.
    """
    facts: dict[str, Facts] = {}
    start = 0
    for batch in file.batches():
        for name in batch.schema.names:
            facts.setdefault(name, Facts(name)).see(file, batch.column(name), start)
        start += batch.num_rows
    found = [name for name, fact in facts.items() if name != but and fact.kind == "text"]
    told = [name for name in found if not _numbers(facts[name])]
    if INPUT in found or len(told) == 1:
        return INPUT if INPUT in found else told[0]
    raise InvalidData(
        f'{file.path}: expected a column "{INPUT}" or one other column of text, '
        f"found {', '.join(told) or 'none'}",
        hint=f'call the column to label "{INPUT}"',
        field=INPUT,
    )


def write(
    files: Mapping[str, Sequence[TableFile]],
    column: str,
    plan: Stored,
    targets: Targets,
    work: Path,
) -> Stored:
    """Writes the texts of a table.

    Args:
        files: Of each split, training first.
        column: The column of texts.
        plan: Target, labels and notes.
        targets: Gives the targets of a batch of a file.
        work: The empty folder to write to.

    Raises:
        InvalidData: A target is missing or unknown.
    """
    splits = []
    absent = 0
    for name, parts in files.items():
        origin = ", ".join(str(file.path) for file in parts)
        with TextSplit(
            work, name, INPUT, plan.target, origin,
            target_dtype=plan.target_dtype, target_shape=plan.target_shape,
        ) as split:  # fmt: skip
            for file in parts:
                start = 0
                for batch in file.batches():
                    texts = as_text(batch.column(column))
                    absent += texts.null_count
                    split.append(texts.fill_null("").to_pylist(), targets(file, batch, start))
                    start += batch.num_rows
        splits.append(split)
    notes = plan.notes
    if absent:
        notes = (*notes, f'{absent} rows have no "{column}" and are read as empty texts')
    stored = msgspec.structs.replace(plan, preprocess=TextInput(INPUT), notes=notes)
    return seal(work, stored, splits)


def profile(splits: Mapping[str, Split]) -> TextProfile:
    """Reads every text once."""
    words: list[int] = []
    characters: list[int] = []
    counts: Counter[str] = Counter()
    empty = 0
    for name, split in splits.items():
        for batch in split.batches(1_024):
            (texts,) = batch.inputs.values()
            for text in texts[:, 0].tolist():
                found = _WORD.findall(text.lower())
                empty += not found
                if name == "train":
                    words.append(len(found))
                    characters.append(len(text))
                    counts.update(found)
    frequent = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:FREQUENT]
    return TextProfile(empty, _lengths(words), _lengths(characters), len(counts), tuple(frequent))


def fingerprints(texts: Array) -> Array:
    """A 64-bit number for each of `[n, 1]`: equal texts have equal ones."""
    prints = [blake2b(text.encode(), digest_size=8).digest() for text in texts[:, 0].tolist()]
    return np.frombuffer(b"".join(prints), np.uint64)


def _lengths(sizes: list[int]) -> dict[str, float]:
    found = np.asarray(sizes, np.float64)
    figures = {"min": found.min(), "mean": found.mean(), "median": np.median(found)}
    return {name: float(value) for name, value in (*figures.items(), ("max", found.max()))}


def _numbers(fact: Facts) -> bool:
    """Whether a column only tells rows apart, by its name and its values."""
    if not _NUMBERED.fullmatch(fact.name) or fact.kind not in ("whole", "text"):
        return False
    return fact.values is None or len(fact.values) == fact.rows - fact.missing
