"""What a numen network ends in: a probability for each class, or one quantity."""

from __future__ import annotations

from typing import Any

from numen.data.dataset import Dataset


def head(keras: Any, data: Dataset, x: Any) -> Any:
    """The last layer, over numbers `[rows, …]`, named as the output is."""
    if data.labels is None:
        # Learning near 0 and scaling after it: targets of any size train alike.
        target = data.train.target.astype("float64")
        x = keras.layers.Dense(1)(x)
        return keras.layers.Rescaling(target.std() or 1.0, target.mean(), name="value")(x)
    return keras.layers.Dense(len(data.labels), activation="softmax", name="probabilities")(x)
