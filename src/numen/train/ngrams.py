"""Which runs of words or characters stand in a text: as a sparse matrix, and as one ONNX operator.

A run counts once a text however often it stands there, weighted by how rare it is among the
training texts (Spärck Jones 1972, smoothed as scikit-learn does): `log((1 + n) / (1 + df)) + 1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np

from numen.core.signature import Array
from numen.train.words import Nodes, Vocabulary

_BLOCK: Final = 2_048  # texts cut at a time
_HELD: Final = 4_000_000  # different runs held while they are counted
_BITS: Final = 60  # of the number that stands for a run


@dataclass(frozen=True)
class Ngrams:
    """Runs that are known.

    Attributes:
        vocabulary: What a text is cut into.
        longest: Words or characters of the longest run; there are shorter ones down to `shortest`.
        shortest: Those of the shortest.
        keys: A number for each run, `int64[runs]`, sorted.
        weights: How rare each is, `float32[runs]`.
    """

    vocabulary: Vocabulary
    shortest: int
    longest: int
    keys: Array
    weights: Array

    @classmethod
    def learn(
        cls,
        vocabulary: Vocabulary,
        texts: Sequence[str],
        sizes: tuple[int, int],
        most: int,
        least: int,
    ) -> Ngrams:
        """The runs that stand in most texts.

        Args:
            vocabulary: What a text is cut into; at most 2 ** (60 / longest run) entries.
            texts: The training texts.
            sizes: Words or characters of the shortest and of the longest run.
            most: How many to know.
            least: In how many texts one must stand.
        """
        keys, counts = np.empty(0, np.int64), np.empty(0, np.int64)
        for _, found, rows in _blocks(vocabulary, texts, sizes):
            known, place = np.unique(found, return_inverse=True)
            pairs = np.unique(place * _BLOCK + rows)
            merged, place = np.unique(np.concatenate([keys, known]), return_inverse=True)
            seen = np.bincount(pairs // _BLOCK, minlength=len(known))
            counts = np.bincount(place, np.concatenate([counts, seen])).astype(np.int64)
            keys = merged
            if len(keys) > _HELD:
                keys, counts = _most(keys, counts, _HELD // 2)
        keys, counts = keys[counts >= least], counts[counts >= least]
        keys, counts = _most(keys, counts, most)
        weights = np.log((1 + len(texts)) / (1 + counts)) + 1
        return cls(vocabulary, *sizes, keys, weights.astype(np.float32))

    def present(self, texts: Sequence[str]) -> Any:
        """Which runs stand in which text: a `scipy.sparse.csr_array[texts, runs]` of weights."""
        from scipy import sparse

        parts = []
        for count, found, rows in _blocks(self.vocabulary, texts, (self.shortest, self.longest)):
            place = np.searchsorted(self.keys, found)
            known = place < len(self.keys)
            known[known] = self.keys[place[known]] == found[known]
            once = np.unique(rows[known] * (len(self.keys) + 1) + place[known])
            row, column = np.divmod(once, len(self.keys) + 1)
            shape = (count, len(self.keys))
            parts.append(sparse.csr_array((self.weights[column], (row, column)), shape=shape))
        return sparse.vstack(parts, format="csr")

    def graph(self, nodes: Nodes, texts: str) -> str:
        """The same as operators: `string[n, 1]` to `float32[n, runs]`."""
        bits = _BITS // self.longest
        sizes = [self._size(bits, n) for n in range(1, self.longest + 1)]
        pool: list[int] = []
        starts, places = [], []
        for n, chosen in enumerate(sizes, 1):
            starts.append(len(pool))
            runs = self.keys[chosen]
            digits = [(runs >> (bits * (n - 1 - k))) & ((1 << bits) - 1) for k in range(n)]
            pool += np.stack(digits, axis=1).reshape(-1).tolist() if len(chosen) else []
            places += chosen.tolist()
        return nodes.add(
            "TfIdfVectorizer",
            self.vocabulary.graph(nodes, texts),
            mode="IDF",
            min_gram_length=self.shortest,
            max_gram_length=self.longest,
            max_skip_count=0,
            pool_int64s=pool,
            ngram_counts=starts,
            ngram_indexes=places,
            weights=self.weights[places].tolist(),
        )

    def _size(self, bits: int, n: int) -> Array:
        """Places of the runs of `n`: those whose number has so many digits."""
        low = np.int64(1) << (bits * (n - 1)) if n > 1 else np.int64(0)
        return np.flatnonzero((self.keys >= low) & (self.keys < np.int64(1) << (bits * n)))


def largest(longest: int) -> int:
    """How many words or characters a vocabulary may have for runs of `longest`."""
    return (1 << (_BITS // longest)) - 2


def _blocks(
    vocabulary: Vocabulary, texts: Iterable[str], sizes: tuple[int, int]
) -> Iterator[tuple[int, Array, Array]]:
    """Of some texts at a time: how many, every run's number, and the text it stands in.

    A run's number has its words' numbers as digits; none of them is 0, so that a run of two is
    never the number of a run of three.
    """
    bits = _BITS // sizes[1]
    each = iter(texts)
    while some := list(islice(each, _BLOCK)):
        encoded = [[*vocabulary.encode(text), 0] for text in some]
        rows = np.repeat(np.arange(len(some)), [len(found) for found in encoded])
        digits = np.array([digit for found in encoded for digit in found], np.int64)
        keys, of = [], []
        run, whole = np.zeros(len(digits), np.int64), np.ones(len(digits), bool)
        for n in range(1, sizes[1] + 1):
            ahead = digits[n - 1 :]
            count = len(ahead)
            run, whole = (run[:count] << bits) | ahead, whole[:count] & (ahead > 0)
            if n >= sizes[0]:
                keys.append(run[whole])
                of.append(rows[:count][whole])
        yield len(some), np.concatenate(keys), np.concatenate(of)


def _most(keys: Array, counts: Array, most: int) -> tuple[Array, Array]:
    """Those that stand in most texts, still sorted by their numbers."""
    if len(keys) > most:
        kept = np.sort(np.argsort(-counts, kind="stable")[:most])
        keys, counts = keys[kept], counts[kept]
    return keys, counts
