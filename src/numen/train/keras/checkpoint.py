"""Where training stands, on disk: the best weights and the last whole state.

Arrays by place and a few plain values in one `.npz`, written beside and renamed, so a file is
whole or absent. No pickle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np

from numen.core.errors import CorruptBundle, InvalidInput

BEST = "best.npz"
LAST = "last.npz"


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


def save(path: Path, model: Any, state: State, *, optimizer: bool) -> None:
    """Writes the model's variables, and the optimizer's if asked, with the state."""
    arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(model.variables)}
    if optimizer:
        arrays |= {f"o{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
    text = np.frombuffer(msgspec.json.encode(state), "uint8")
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        np.savez(file, state=text, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def restore(path: Path, model: Any) -> None:
    """Puts saved values back into the model.

    Raises:
        CorruptBundle: The file is not what `save` wrote for this model.
    """
    with _opened(path) as arrays:
        _assign(model.variables, arrays, "v")


def resume(path: Path, model: Any, made_by: dict[str, Any]) -> State:
    """Puts saved values back into model and optimizer, and says how far training had come.

    Raises:
        InvalidInput: Another recipe or other data began the run; names what differs.
        CorruptBundle: The file is not what `save` wrote for this model.
    """
    with _opened(path) as arrays:
        state = msgspec.json.decode(arrays["state"].tobytes(), type=State)
        differ = [name for name in made_by if state.made_by.get(name) != made_by[name]]
        if differ:
            raise InvalidInput(
                f"resume: the run began with another {', '.join(differ)}",
                hint="give the recipe it began with, or start anew without --resume",
                field=differ[0],
            )
        model.optimizer.build(model.trainable_variables)
        _assign(model.variables, arrays, "v")
        _assign(model.optimizer.variables, arrays, "o")
    return state


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except (KeyError, ValueError, OSError, BadZipFile, msgspec.DecodeError) as error:
        raise CorruptBundle(f"checkpoint {path}: {error}") from error


def _assign(variables: Any, arrays: Any, kind: str) -> None:
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"{kind}{i}"])
