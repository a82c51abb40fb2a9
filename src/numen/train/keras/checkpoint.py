"""A Keras training on disk: the best weights, and the last whole state, as arrays by place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from numen.train.standing import State, check_same, opened, write


def save(path: Path, model: Any, state: State, *, optimizer: bool) -> None:
    """Writes the model's variables, and the optimizer's if asked, with the state."""
    arrays = {f"v{i}": np.asarray(v) for i, v in enumerate(model.variables)}
    if optimizer:
        arrays |= {f"o{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
    write(path, state, arrays)


def restore(path: Path, model: Any) -> None:
    """Puts saved values back into the model.

    Raises:
        CorruptBundle: The file is not what `save` wrote for this model.
    """
    with opened(path) as arrays:
        _assign(model.variables, arrays, "v")


def resume(path: Path, model: Any, made_by: dict[str, Any]) -> State:
    """Puts saved values back into model and optimizer, and says how far training had come.

    Raises:
        InvalidInput: Another recipe or other data began the run; names what differs.
        CorruptBundle: The file is not what `save` wrote for this model.
    """
    with opened(path) as arrays:
        state = msgspec.json.decode(arrays["state"].tobytes(), type=State)
        check_same(state.made_by, made_by)
        model.optimizer.build(model.trainable_variables)
        _assign(model.variables, arrays, "v")
        _assign(model.optimizer.variables, arrays, "o")
    return state


def _assign(variables: Any, arrays: Any, kind: str) -> None:
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"{kind}{i}"])
