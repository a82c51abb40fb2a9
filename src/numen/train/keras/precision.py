"""Mixed precision: layers that compute in half of the digits while their weights keep all.

It is for training only. What is trained is then computed in single precision, so that it is
exported as it predicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def built_with(keras: Any, policy: str) -> Iterator[None]:
    """While it lasts, layers are made with a Keras dtype policy; empty leaves what is set."""
    before = keras.config.dtype_policy()
    if policy:
        keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def keep_end(model: Any) -> None:
    """Has the last layer compute in single precision: a loss needs all the digits there are."""
    model.layers[-1].dtype_policy = "float32"


def widen(model: Any) -> None:
    """Has every layer compute in single precision from now on."""
    for layer in model._flatten_layers():  # the layers of layers are reached by no public way
        layer.dtype_policy = "float32"
    model.make_predict_function(force=True)
