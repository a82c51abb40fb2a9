"""Where a torch training stands, on disk: weights and the optimizer's state as plain arrays.

Written beside and renamed, so a file is whole or absent. No pickle, unlike torch's own files.
"""

from __future__ import annotations

import os
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
        made_by: What must be the same to go on.
        epoch: Epochs done.
        best: The lowest loss so far, and the epoch it was reached in.
        history: Metrics of each epoch.
        plain: The optimizer's state that is no array, by weight and name.
    """

    made_by: dict[str, Any]
    epoch: int = 0
    best: float | None = None
    best_epoch: int = 0
    history: list[dict[str, float]] = []
    plain: dict[str, dict[str, Any]] = {}


def save(path: Path, model: Any, state: State, optimizer: Any = None) -> None:
    """Writes the module's weights, and the optimizer's state if given, with how far it is."""
    arrays = {f"w:{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
    if optimizer is not None:
        state.plain = {}
        for place, values in optimizer.state_dict()["state"].items():
            for name, value in values.items():
                if hasattr(value, "numpy"):
                    arrays[f"o:{place}:{name}"] = value.numpy()
                else:
                    state.plain.setdefault(str(place), {})[name] = value
    text = np.frombuffer(msgspec.json.encode(state), "uint8")
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        np.savez(file, state=text, **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def restore(torch: Any, path: Path, model: Any) -> None:
    """Puts saved weights back into the module.

    Raises:
        CorruptBundle: The file is not what `save` wrote for this module.
    """
    _put(torch, model, _read(path), path)


def resume(torch: Any, path: Path, model: Any, optimizer: Any, made_by: dict[str, Any]) -> State:
    """Puts saved values back into module and optimizer, and says how far training had come.

    Raises:
        InvalidInput: Another recipe or other data began the run; names what differs.
        CorruptBundle: The file is not what `save` wrote for this module.
    """
    arrays = _read(path)
    try:
        state = msgspec.json.decode(arrays["state"].tobytes(), type=State)
    except (KeyError, msgspec.DecodeError) as error:
        raise CorruptBundle(f"checkpoint {path}: {error}") from error
    differ = [name for name in made_by if state.made_by.get(name) != made_by[name]]
    if differ:
        raise InvalidInput(
            f"resume: the run began with another {', '.join(differ)}",
            hint="give the recipe it began with, or start anew without --resume",
            field=differ[0],
        )
    _put(torch, model, arrays, path)
    values: dict[int, dict[str, Any]] = {
        int(place): dict(plain) for place, plain in state.plain.items()
    }
    for name, array in arrays.items():
        if name.startswith("o:"):
            _, place, key = name.split(":", 2)
            values.setdefault(int(place), {})[key] = torch.from_numpy(array)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": values, "param_groups": groups})
    return state


def _put(torch: Any, model: Any, arrays: dict[str, Any], path: Path) -> None:
    weights = {k[2:]: torch.from_numpy(v) for k, v in arrays.items() if k.startswith("w:")}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CorruptBundle(f"checkpoint {path}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (KeyError, ValueError, OSError, BadZipFile) as error:
        raise CorruptBundle(f"checkpoint {path}: {error}") from error
