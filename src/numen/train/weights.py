"""What a row of each class counts in training, as the recipe says it."""

from __future__ import annotations

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.train.recipe import Recipe


def several_labels() -> InvalidInput:
    """Says that a row of several labels has no one weight."""
    return InvalidInput(
        "class_weight: a row may carry several labels, so it has no one class's weight",
        hint='leave it out; loss "binary_focal_crossentropy" draws rare labels out',
        field="class_weight",
    )


def class_weights(recipe: Recipe, labels: tuple[str, ...] | None, target: Array) -> Array | None:
    """The weight of each class, `float64[classes]`; None where all count alike.

    `balanced` is rows / (classes * rows of the class), as scikit-learn has it (King and Zeng
    2001), of the classes that there are.

    Args:
        recipe: Says them by label, or `balanced`; labels that it does not name count once.
        labels: The classes.
        target: The training rows' classes, `int64[n]`.

    Raises:
        InvalidInput: The target is a quantity, a row may carry several labels, or a label is
            unknown or its weight below 0.
    """
    said = recipe.class_weight
    if not said:
        return None
    if labels is None:
        raise InvalidInput(
            "class_weight: the target is a quantity, which has no classes", field="class_weight"
        )
    if target.ndim > 1:
        raise several_labels()
    if said == "balanced":
        counts = np.bincount(target, minlength=len(labels))
        return np.where(counts, len(target) / np.maximum(counts, 1) / (counts > 0).sum(), 1.0)
    assert isinstance(said, dict)
    for label, weight in said.items():
        if label not in labels or not 0 <= weight < float("inf"):
            raise InvalidInput(
                f"class_weight: expected a weight of at least 0 for some of {', '.join(labels)}, "
                f"received {label} = {weight}",
                field="class_weight",
            )
    return np.array([said.get(label, 1.0) for label in labels])
