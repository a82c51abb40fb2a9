"""A torch training on disk: weights and the optimizer's state as plain arrays.

No pickle, unlike torch's own files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from numen.core.errors import CorruptBundle
from numen.train.standing import State, check_same, opened, write


class TorchState(State):
    """How far a torch training has come.

    Attributes:
        plain: The optimizer's state that is no array, by weight and name.
    """

    plain: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


def save(path: Path, model: Any, state: TorchState, optimizer: Any = None) -> None:
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
    write(path, state, arrays)


def restore(torch: Any, path: Path, model: Any) -> None:
    """Puts saved weights back into the module.

    Raises:
        CorruptBundle: The file is not what `save` wrote for this module.
    """
    _put(torch, model, _read(path), path)


def resume(
    torch: Any, path: Path, model: Any, optimizer: Any, made_by: dict[str, Any]
) -> TorchState:
    """Puts saved values back into module and optimizer, and says how far training had come.

    Raises:
        InvalidInput: Another recipe or other data began the run; names what differs.
        CorruptBundle: The file is not what `save` wrote for this module.
    """
    arrays = _read(path)
    try:
        state = msgspec.json.decode(arrays["state"].tobytes(), type=TorchState)
    except (KeyError, msgspec.DecodeError) as error:
        raise CorruptBundle(f"checkpoint {path}: {error}") from error
    check_same(state.made_by, made_by)
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
    with opened(path) as arrays:
        return {name: arrays[name] for name in arrays.files}
