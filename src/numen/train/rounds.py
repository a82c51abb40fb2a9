"""What boosting is by whatever library: rounds, rows kept aside for patience, losses it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from numen.core.errors import InvalidInput
from numen.train.recipe import Recipe

ROUNDS: Final = 100
_ASIDE: Final = 0.1  # of the training rows, where there is patience and no validation
_CLASSES: Final = ("", "sparse_categorical_crossentropy", "categorical_crossentropy")


def kept_aside(recipe: Recipe) -> float:
    """The part of the training rows that says when it is enough: trees learn the rest by heart."""
    return recipe.validation or (_ASIDE if recipe.patience else 0.0)


def best(history: Sequence[Mapping[str, float]], *, aside: bool) -> int:
    """The rounds to keep: up to the lowest loss on the rows kept aside, else all."""
    if not aside:
        return len(history)
    losses = [metrics["val_loss"] for metrics in history]
    return losses.index(min(losses)) + 1


def check_loss(loss: str, quantity: Mapping[str, str], labels: tuple[str, ...] | None) -> None:
    """Refuses a loss that boosting has not.

    Args:
        loss: The recipe's; empty is the usual one.
        quantity: The losses of quantities, by the recipe's names.
        labels: The classes, or None for a quantity.

    Raises:
        InvalidInput: It is unknown, or for the other kind of target.
    """
    if labels is None and loss not in quantity:
        known = ", ".join(filter(None, quantity))
        raise InvalidInput(
            f'loss: boosting of a quantity knows {known}, received "{loss}"', field="loss"
        )
    if labels is not None and loss not in _CLASSES:
        raise InvalidInput(
            f'loss: boosting of classes knows the cross-entropy, received "{loss}"', field="loss"
        )
