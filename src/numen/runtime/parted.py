"""A graph in two parts: what each player adds to its first layer, and all that is behind.

Coalitions are sums of the layer, so that no input is made for any of them, nor goes through the
layer; see `numen.explain.perturb.head`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from numen.core.errors import CorruptBundle
from numen.core.signature import Array
from numen.explain.perturb import Players
from numen.runtime.onnx import OnnxRuntime

NUMBERS: Final = 1 << 18  # that go in or through together: all layers' stay in the core's cache


class Parted:
    """Runs the tail of a graph on sums of what its head gives.

    Args:
        head: The file of the head.
        tail: That of the tail.
        threads: Threads that one run may use.

    Raises:
        CorruptBundle: They cannot be loaded.
    """

    def __init__(self, head: Path, tail: Path, threads: int):
        self._head, self._tail = OnnxRuntime(), OnnxRuntime()
        self._head.open(head, threads=threads)
        self._tail.open(tail, threads=threads)
        if len(self._tail.signature.inputs) != 2:
            raise CorruptBundle(f"{tail.name}: expected sets and what is added")

    def added(self, players: Players, row: Array) -> Array | None:
        """What each player adds to the first layer, behind the layer of the background.

        Args:
            players: What of the row is switched on and off.
            row: `[1, …]`.

        Returns:
            `[1 + players, copies · …]`; nothing where they do not add up, as a number that is
            missing would spread to sets it is not in.
        """
        alone = np.eye(players.count + 1, players.count, -1, dtype=bool)  # none first
        step = max(1, NUMBERS // (players.copies * row.size))
        parts = []
        for begin in range(0, len(alone), step):
            made = players.apply(row, alone[begin : begin + step])
            parts.append(_only(self._head, made.reshape(-1, *row.shape[1:])))
        layer = np.concatenate(parts).reshape(len(alone), -1)
        if not np.isfinite(layer).all():
            return None
        layer[1:] -= layer[0]
        return layer

    def answers(self, added: Array, asked: int, copies: int, sets: Array) -> Array:
        """float64[n, 1], one number of the graph's answers to all sets, the mean over copies.

        Args:
            added: See `added`.
            asked: The number's place.
            copies: Rows that one set becomes.
            sets: bool[n, players].
        """
        step = max(1, NUMBERS // added.shape[1])
        there = np.ones((len(sets), len(added)), added.dtype)
        there[:, 1:] = sets
        answers = np.empty((len(sets), 1))
        for begin in range(0, len(sets), step):
            part = there[begin : begin + step]
            said = _only(self._tail, part, added).reshape(len(part), copies, -1)
            answers[begin : begin + step, 0] = said[:, :, asked].mean(1, dtype=np.float64)
        return answers

    def close(self) -> None:
        """Drops the sessions."""
        self._head.close()
        self._tail.close()


def _only(graph: OnnxRuntime, *given: Array) -> Array:
    """The one output of a graph."""
    names = [spec.name for spec in graph.signature.inputs]
    (output,) = graph.predict(dict(zip(names, given, strict=True))).values()
    return output
