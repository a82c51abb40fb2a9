"""Choosing Keras's back end, the one place that knows there is more than one.

Keras reads its back end once, when it is imported, so the choice is made before that import or
not at all. Everything else in numen gets the module from here.
"""

from __future__ import annotations

import os
import random
import sys
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidInput, MissingExtra

DEFAULT: Final = "jax"
# Back end -> the extra of numen that installs the package of the same name.
EXTRAS: Final = {"jax": "train", "tensorflow": "tensorflow", "torch": "torch"}


def load_keras(wanted: str = "") -> Any:
    """Keras on the wanted back end.

    Args:
        wanted: `jax`, `tensorflow` or `torch`. Empty takes what Keras runs on already, else
            `KERAS_BACKEND` of the environment, else JAX.

    Raises:
        InvalidInput: No such back end, or Keras runs on another one in this process.
        MissingExtra: Keras or the back end is not installed.
    """
    running = sys.modules.get("keras")
    if running is not None and hasattr(running, "config"):
        current = running.config.backend()
        if wanted and wanted != current:
            raise InvalidInput(
                f'backend: expected "{wanted}", but Keras runs on "{current}" in this process',
                hint=f"start a new process, or set KERAS_BACKEND={wanted} before importing keras",
                field="backend",
            )
        return running
    name = wanted or os.environ.get("KERAS_BACKEND", "") or DEFAULT
    if name not in EXTRAS:
        raise InvalidInput(
            f'backend: expected one of {", ".join(EXTRAS)}, received "{name}"', field="backend"
        )
    if find_spec("keras") is None:
        raise MissingExtra.of("keras", "train")
    if find_spec(name) is None:
        raise MissingExtra.of(f'Keras back end "{name}"', EXTRAS[name])
    os.environ["KERAS_BACKEND"] = name
    # TensorFlow writes pages of notes about the processor while it loads.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras

    return keras


def describe(keras: Any) -> str:
    """Name, version and back end, such as `keras 3.15.1 (jax)`."""
    return f"keras {keras.__version__} ({keras.config.backend()})"


def seed_all(keras: Any, seed: int) -> None:
    """Seeds Python, NumPy and whichever frameworks are loaded.

    Keras's own `set_random_seed` imports TensorFlow wherever it is installed, which costs five
    seconds a run on JAX; without it, Python's and NumPy's seeds are all that JAX draws from.
    """
    random.seed(seed)
    np.random.seed(seed)
    if not sys.modules.keys().isdisjoint({"tensorflow", "torch"}):
        keras.utils.set_random_seed(seed)
