"""The perturb runtime: a model's answers, and what parts of its input are worth to them.

The file is an `.npz` of a plan, called GRAPH.METHOD.npz; the prediction graph lies beside it as
GRAPH.onnx. Any graph of one input and one output of numbers will do; where it could be parted
behind its first layer, GRAPH.head.onnx and GRAPH.tail.onnx lie there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from numen.core.errors import CorruptBundle
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.explain import ATTRIBUTION, EXPECTED, TOKENS, UNCERTAINTY, target
from numen.explain.perturb import METHODS, Estimate, Plan, Players, Words
from numen.runtime.onnx import OnnxRuntime
from numen.runtime.parted import NUMBERS, Parted

_TEXTS: Final = 128  # texts that run together: each may become a number for every word known


class PerturbRuntime:
    """Runs one graph as often as a plan says."""

    def __init__(self) -> None:
        self._graph = OnnxRuntime()
        self._parted: Parted | None = None
        self._signature = Signature((), ())

    def open(self, path: Path, *, threads: int = 1) -> None:
        """Loads plan and graph; see `Runtime.open`."""
        self._plan = Plan.load(path)
        graph, head, tail = (
            path.with_suffix("").with_suffix(f"{part}.onnx") for part in ("", ".head", ".tail")
        )
        self._graph.open(graph, threads=threads)
        if self._plan.many and head.exists():
            self._parted = Parted(head, tail, threads)
        known = self._graph.signature
        if len(known.inputs) != 1 or len(known.outputs) != 1:
            raise CorruptBundle(f"{path.name}: expected a graph of one input and one output")
        (rows,), (output,) = known.inputs, known.outputs
        self._rows, self._output = rows, output
        shape = (None, None) if self._plan.texts else rows.shape
        tokens = (TensorSpec(TOKENS, "string", shape),) if self._plan.texts else ()
        self._signature = Signature(
            (rows,) if output.row in ((), (1,)) else (rows, target.SPEC),
            (
                output,
                TensorSpec(f"{ATTRIBUTION}{rows.name}", "float32", shape),
                TensorSpec(f"{UNCERTAINTY}{rows.name}", "float32", shape),
                TensorSpec(EXPECTED, "float32", (None,)),
                *tokens,
            ),
        )

    @property
    def signature(self) -> Signature:
        """What the graph takes and `target`; what the graph gives and attributions."""
        return self._signature

    def predict(self, inputs: Arrays) -> dict[str, Array]:
        """Runs a batch; see `Runtime.predict`."""
        given = inputs[self._rows.name]
        outputs = self._graph.predict({self._rows.name: given})
        asked = target.places(inputs, outputs[self._output.name])
        values, errors, expected, words = [], [], [], []
        for part, players in self._parts(given):
            made = self._estimate(players, given[part], asked[part])
            expected.append(made.nothing)
            values += list(players.spread(made.values))
            errors += list(players.spread(made.errors))
            words += [players.words] if isinstance(players, Words) else []
        even = partial(_padded, fill=0.0) if words else np.stack
        found = {
            f"{ATTRIBUTION}{self._rows.name}": even(values).astype(np.float32),
            f"{UNCERTAINTY}{self._rows.name}": even(errors).astype(np.float32),
            EXPECTED: np.concatenate(expected).astype(np.float32),
        }
        if words:
            found[TOKENS] = _padded(words, "")
        return {**outputs, **found}

    def _parts(self, given: Array) -> Iterator[tuple[slice, Players]]:
        """Rows that are asked together; of a graph in parts one, whose shares fill the cache."""
        for part, players in self._plan.players(given):
            if self._parted:
                yield from ((slice(n, n + 1), players) for n in range(len(given))[part])
            else:
                yield part, players

    def _estimate(self, players: Players, rows: Array, asked: Array) -> Estimate:
        """What the players of some rows are worth to the numbers asked about."""
        value = partial(self._masked, players, rows, asked)
        if self._parted and (added := self._parted.added(players, rows)) is not None:
            value = partial(self._parted.answers, added, int(asked[0]), players.copies)
        return METHODS[self._plan.method](value, players.count, self._plan.evaluations)

    def _masked(self, players: Players, rows: Array, asked: Array, sets: Array) -> Array:
        """float64[sets, rows]: the answers to inputs with only some of their players."""
        most = _TEXTS if self._plan.texts else max(1, NUMBERS // rows[0].size)
        step = max(1, most // players.copies)
        several = max(1, step // len(sets))
        answers = np.empty((len(sets), len(rows)))
        for first in range(0, len(rows), several):
            part = slice(first, first + several)
            for begin in range(0, len(sets), step):
                made = players.apply(rows[part], sets[begin : begin + step])
                said = self._answers(made, asked[part])
                answers[begin : begin + step, part] = said.T
        return answers

    def _answers(self, made: Array, asked: Array) -> Array:
        """float64[rows, n] of inputs `[rows, n, copies, …]`."""
        flat = made.reshape(-1, *made.shape[3:])
        answers = self._graph.predict({self._rows.name: flat})[self._output.name]
        answers = answers.reshape(*made.shape[:3], -1)
        chosen = np.take_along_axis(answers, asked[:, None, None, None], 3)
        return np.asarray(chosen[..., 0].mean(2, dtype=np.float64))

    def close(self) -> None:
        """Drops the sessions."""
        self._graph.close()
        if self._parted:
            self._parted.close()


def _padded(rows: Sequence[Sequence[Any]], fill: Any) -> Array:
    """`[rows, words]` of what texts' words have; shorter texts are filled up behind.

    Args:
        rows: Of each text what its words have.
        fill: What stands behind; there is some where no text has words.
    """
    kind = object if isinstance(fill, str) else float
    made = np.full((len(rows), max([1, *map(len, rows)])), fill, kind)
    for n, row in enumerate(rows):
        made[n, : len(row)] = row
    return made
