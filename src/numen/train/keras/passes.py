"""Passes over a split: one that trains, one that measures.

In a compiled loop where model and rows allow it, else step by step as Keras does it; the rows come
in the same order and the figures are the same on both roads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from numen.core.errors import TooLarge
from numen.core.signature import Array
from numen.data.dataset import Batch, Split
from numen.train.front import Seed
from numen.train.keras.grouped import Grouped
from numen.train.keras.scan import Scan, Told, why_not

IN_MEMORY: Final = 2 << 30  # bytes of rows held at once; more are read in batches
_REDRAW: Final = 0.1  # seconds between two readings of the running metrics


@dataclass(frozen=True, slots=True)
class Rows:
    """A split as a model takes it.

    Attributes:
        split: The rows.
        pack: A batch of them to (x, y) or (x, y, weights).
        vary: What an epoch's seed makes of x, where the rows are varied anew each epoch.
    """

    split: Split | Grouped
    pack: Callable[[Batch], tuple[Array, ...]]
    vary: Callable[[Array, Seed], Array] | None = None

    def whole(self) -> tuple[Array, ...]:
        """All at once.

        Raises:
            TooLarge: They are more than is held in memory.
        """
        return self.pack(self.split.arrays(IN_MEMORY))

    def stream(self, size: int, seed: int | None) -> Iterator[tuple[Array, ...]]:
        """Batch by batch, in the order of the seed or as they are stored."""
        for number, batch in enumerate(self.split.batches(size, seed=seed)):
            packed = self.pack(batch)
            yield packed if seed is None else self.varied(packed, (seed, number))

    def varied(self, packed: tuple[Array, ...], seed: Seed) -> tuple[Array, ...]:
        """What was packed, as an epoch sees it."""
        if self.vary is None:
            return packed
        return (self.vary(packed[0], seed), *packed[1:])


class Passes:
    """Passes over some rows.

    Args:
        keras: The module.
        model: Compiled.
        rows: Held in memory if they fit, on the device if the loop can be used.
        batch_size: Rows a step.
        training: Whether they train the model, or only measure it.
    """

    def __init__(self, keras: Any, model: Any, rows: Rows, batch_size: int, *, training: bool):
        self._keras, self._model = keras, model
        self._rows, self._batch_size = rows, batch_size
        self._whole: tuple[Array, ...] | None = None
        self._scan: Scan | None = None
        #: Why it goes step by step; empty where it does not.
        self.why = why_not(keras, model)
        try:
            whole = rows.whole()
        except TooLarge:
            self.why = self.why or "the rows are too many to hold at once"
            return
        if self.why or rows.vary is not None:
            self._whole = whole
        if not self.why:
            self._scan = Scan(keras, model, whole, batch_size, training=training)

    def train(self, epoch: int, seed: int, told: Told) -> dict[str, float]:
        """One epoch, its rows in the order of the seed; `told` is told how it goes."""
        if self._scan is not None:
            if self._whole is not None:
                self._scan.feed(self._rows.varied(self._whole, seed))
            order = self._rows.split.places(seed)
            return self._scan.run(order, told)
        if self._whole is not None:
            order = self._rows.split.places(seed)
            given = self._arrays(self._rows.varied(self._whole, seed), order)
        else:
            steps = math.ceil(len(self._rows.split) / self._batch_size)
            given = {"x": self._rows.stream(self._batch_size, seed), "steps_per_epoch": steps}
        history = self._model.fit(
            **given,
            initial_epoch=epoch - 1,
            epochs=epoch,
            shuffle=False,
            verbose=0,
            callbacks=_listener(self._keras, self._model, told),
        ).history
        return {name: float(values[-1]) for name, values in history.items()}

    def measure(self) -> dict[str, float]:
        """The metrics over all rows; the model stays as it is."""
        if self._scan is not None:
            return self._scan.run(None, lambda _done, _metrics: True)
        if self._whole is not None:
            given = self._arrays(self._whole, slice(None))
        else:
            steps = math.ceil(len(self._rows.split) / self._batch_size)
            given = {"x": self._rows.stream(self._batch_size, None), "steps": steps}
        result = self._model.evaluate(**given, return_dict=True, verbose=0)
        return {name: float(value) for name, value in result.items()}

    def _arrays(self, whole: tuple[Array, ...], places: Any) -> dict[str, Any]:
        names = ("x", "y", "sample_weight")
        picked = {name: rows[places] for name, rows in zip(names, whole, strict=False)}
        return {**picked, "batch_size": self._batch_size}


def _listener(keras: Any, model: Any, told: Told) -> Any:
    """Tells of every step. Reading the metrics waits for the step, so that is done seldom."""

    class Listener(keras.callbacks.CallbackList):  # type: ignore[misc]
        metrics: Mapping[str, float] = {}
        read = 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            now = time.monotonic()
            if now - self.read >= _REDRAW:
                self.metrics = {name: float(value) for name, value in (logs or {}).items()}
                self.read = now
            told(batch + 1, dict(self.metrics))

    return Listener(model=model, add_history=True)
