"""Words as a trie in three arrays, so that many texts are walked at once by additions alone.

A slot's child by a code stands at `base[slot] + code`, if `check` there says the slot it came from
(the double array of Aoe 1989). Operators of ONNX that know no search can follow that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from numen.core.signature import Array

Codes = tuple[int, ...]


@dataclass(frozen=True)
class Trie:
    """Some sets of words, each below a root of its own.

    Attributes:
        base: By slot, where its children's places count from, `int64[slots]`.
        check: By slot, which slot it is a child of, `int64[slots]`; -1 where none.
        value: By slot, what stands for the word that ends there, `int64[slots]`; 0 where none.
        dead: A slot without children. The roots are the slots before it.
        longest: Codes of the longest word.
    """

    base: Array
    check: Array
    value: Array
    dead: int
    longest: int

    @classmethod
    def of(cls, sets: Sequence[Mapping[Codes, int]], codes: int) -> Trie:
        """A trie of words that are runs of codes.

        Args:
            sets: By set, what stands for each word, 1 or more.
            codes: One more than the largest code; codes of words begin at 1.
        """
        children: list[dict[int, int]] = [{} for _ in sets]
        values = [0] * len(sets)
        for root, words in enumerate(sets):
            for word, value in words.items():
                node = root
                for code in word:
                    node = children[node].setdefault(code, len(children))
                    if node == len(children):
                        children.append({})
                        values.append(0)
                values[node] = value
        bases = _placed(children, len(sets) + 1)
        size = max(bases) + codes
        base, check, ends = (np.full(size, fill, np.int64) for fill in (0, -1, 0))
        slots = [*range(len(sets)), *[0] * (len(children) - len(sets))]
        for node, below in enumerate(children):  # a child was made after its parent
            slot = slots[node]
            base[slot], ends[slot] = bases[node], values[node]
            for code, child in below.items():
                slots[child] = bases[node] + code
                check[slots[child]] = slot
        longest = max(len(word) for words in sets for word in words)
        return cls(base, check, ends, len(sets), longest)

    def find(self, root: int, word: Codes) -> int:
        """What stands for a word of a set; 0 where it is none."""
        slot = root
        for code in word:
            child = int(self.base[slot]) + code
            if self.check[child] != slot:
                return 0
            slot = child
        return int(self.value[slot])


def _placed(children: Sequence[Mapping[int, int]], reserved: int) -> list[int]:
    """By node, a place at which all of its children find a free slot.

    Those with most children choose first; those with one fill what is left. Nodes of as many
    children go on looking where the last of them found its place.
    """
    bases = [0] * len(children)
    taken = bytearray(b"\1" * reserved)
    many = 0
    slot = reserved
    for node in sorted(range(len(children)), key=lambda node: -len(children[node])):
        codes = sorted(children[node])
        if len(codes) != many:
            many, slot = len(codes), reserved
        if not codes:
            break
        slot = max(slot, codes[0])
        while True:
            free = taken.find(0, slot)
            slot = free if free >= 0 else max(slot, len(taken))
            base = slot - codes[0]
            taken.extend(bytes(max(0, base + codes[-1] + 1 - len(taken))))
            if not any(taken[base + code] for code in codes):
                break
            slot += 1
        bases[node] = base
        for code in codes:
            taken[base + code] = 1
    return bases
