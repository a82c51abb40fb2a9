"""numen: Model-as-a-Service that a team owns.

    import numen
    data = numen.Dataset.open("mnist")
    model = numen.train(data, "mlp", epochs=5)
    numen.publish(model, name="digits")

Nothing heavy is loaded before it is used: names below are found on first access.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from numen.core.errors import NumenError
from numen.core.signature import Signature, TensorSpec

if TYPE_CHECKING:
    from numen_client import AsyncClient, Client

    from numen.api.compress import compress
    from numen.api.model import Model
    from numen.api.publish import publish
    from numen.api.train import train
    from numen.api.tune import tune
    from numen.api.workspace import load, models, promote, rollback
    from numen.data.dataset import Dataset
    from numen.train.keras.fit import fit

__version__ = "0.1.0"
__all__ = [
    "AsyncClient",
    "Client",
    "Dataset",
    "Model",
    "NumenError",
    "Signature",
    "TensorSpec",
    "__version__",
    "compress",
    "fit",
    "load",
    "models",
    "promote",
    "publish",
    "rollback",
    "train",
    "tune",
]

_HOME: Final = {
    "AsyncClient": "numen_client",
    "Client": "numen_client",
    "Dataset": "numen.data.dataset",
    "compress": "numen.api.compress",
    "Model": "numen.api.model",
    "fit": "numen.train.keras.fit",
    "publish": "numen.api.publish",
    "train": "numen.api.train",
    "tune": "numen.api.tune",
    **dict.fromkeys(("load", "models", "promote", "rollback"), "numen.api.workspace"),
}


class _Package(ModuleType):
    """Keeps `numen.train` the verb: importing the room of that name would put it in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "train" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'numen' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
