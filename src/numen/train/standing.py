"""Where a run of training stands, and whether it may go on from there.

What is the same whatever framework trains: what began the run, each epoch's metrics, which epoch
was the best, a file that is whole or absent, and how often one is worth its time. No pickle.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile

import msgspec
import numpy as np

from numen.core.errors import CorruptBundle, InvalidInput
from numen.core.signature import Array

BEST = "best.npz"
LAST = "last.npz"
_SHORTEST: Final = 1.0  # seconds between two checkpoints, at least
_SHARE: Final = 0.01  # of the time may go into them


class State(msgspec.Struct):
    """How far training has come.

    Attributes:
        made_by: The parts of the recipe that must be the same to go on, and the data's digest.
        epoch: Epochs done.
        best: The lowest loss so far, and the epoch it was reached in.
        history: Metrics of each epoch.
    """

    made_by: dict[str, Any]
    epoch: int = 0
    best: float | None = None
    best_epoch: int = 0
    history: list[dict[str, float]] = []

    def take(self, number: int, metrics: dict[str, float], *, aside: bool) -> bool:
        """Takes in an epoch, and says whether it is the best so far.

        Args:
            number: The epoch, from 1.
            metrics: Its metrics.
            aside: Whether rows kept aside judge it, or those it was trained on.

        Raises:
            InvalidInput: The loss has no bound, and no epoch before was any good.
        """
        loss = metrics["val_loss" if aside else "loss"]
        if not math.isfinite(loss) and not self.best_epoch:
            raise InvalidInput(
                f"training: the loss is {loss} after epoch {number}",
                hint="lower the learning rate",
                field="learning_rate",
            )
        self.epoch = number
        self.history = [*self.history, metrics]
        if self.best is not None and not loss < self.best:
            return False
        self.best, self.best_epoch = loss, number
        return True


def check_same(began: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses to go on with what another recipe or other data began.

    Raises:
        InvalidInput: They differ; names in what.
    """
    differ = [name for name in now if began.get(name) != now[name]]
    if differ:
        raise InvalidInput(
            f"resume: the run began with another {', '.join(differ)}",
            hint="give the recipe it began with, or start anew without --resume",
            field=differ[0],
        )


def write(path: Path, state: State, arrays: Mapping[str, Array]) -> None:
    """Writes the state and arrays by name to one `.npz`, whole or not at all."""
    text = np.frombuffer(msgspec.json.encode(state), "uint8")
    with whole(path) as file:
        np.savez(file, state=text, **arrays)  # type: ignore[arg-type]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The arrays that `write` wrote, by name; `state` is the state as JSON.

    Raises:
        CorruptBundle: The file, or what is made of it within, is not what was written.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (KeyError, ValueError, TypeError, OSError, EOFError, BadZipFile,
            msgspec.DecodeError) as error:  # fmt: skip
        raise CorruptBundle(f"checkpoint {path}: {error}") from error


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which stands at `path` once it is on the disk and not before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class Pace:
    """When a checkpoint is due: a second after the last, or later where writing it takes long.

    So a training that is killed loses seconds, and one that is not spends a hundredth on them.
    """

    def __init__(self) -> None:
        self._due = time.monotonic() + _SHORTEST

    @property
    def due(self) -> bool:
        """Whether to write now."""
        return time.monotonic() >= self._due

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Times what is written within, which says when the next is due."""
        begin = time.monotonic()
        yield
        end = time.monotonic()
        self._due = end + max(_SHORTEST, (end - begin) / _SHARE)
