"""What a network makes of rows, in few numbers: its last layer's input along the main directions.

A change of pictures, sounds or texts that no simple feature shows may still move what the network
sees. The directions are those in which the reference's rows differ most (principal components).
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array

_COUNT: Final = 4
_WIDEST: Final = 4_096  # of an embedding; over it a reference would be larger than many a model
_ROWS: Final = 2_000  # by which directions are found


class Directions(msgspec.Struct, frozen=True):
    """Main directions of embeddings.

    Attributes:
        mean: Of each number of an embedding.
        axes: Directions, each as long as `mean`.
    """

    mean: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if any(len(axis) != len(self.mean) for axis in self.axes):
            raise ValueError("directions: expected axes as long as the mean")

    def along(self, embeddings: Array) -> list[Array]:
        """How far each row lies along each direction, float64[rows] each.

        Args:
            embeddings: float[rows, width].

        Raises:
            InvalidInput: They are not as wide as those the directions were found by.
        """
        mean, axes = np.array(self.mean), np.array(self.axes)
        if embeddings.shape[1:] != mean.shape or axes.shape[1:] != mean.shape:
            raise InvalidInput(
                f"drift: expected embeddings [rows, {len(mean)}], received {list(embeddings.shape)}"
            )
        return list(((embeddings - mean) @ axes.T).T)


def find(embeddings: Array) -> Directions | None:
    """The main directions of some rows; None where an embedding is too wide.

    Args:
        embeddings: float[rows, width].
    """
    rows, width = embeddings.shape
    if width > _WIDEST or rows < 2:
        return None
    some = embeddings[np.linspace(0, rows - 1, min(rows, _ROWS)).astype(int)].astype(np.float64)
    mean = some.mean(0)
    _, _, axes = np.linalg.svd(some - mean, full_matrices=False)
    axes = axes[:_COUNT]
    # Either sign of an axis is as good: the larger part is made positive, so that one comes out.
    largest = np.abs(axes).argmax(1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    rounded = np.round(axes, 6)
    return Directions(tuple(mean.tolist()), tuple(tuple(axis) for axis in rounded.tolist()))
