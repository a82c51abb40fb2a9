"""What a torch module is trained towards and by what rule, by the recipe's names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from numen.core.errors import InvalidInput
from numen.train.recipe import Recipe

GRADIENT_DESCENT: Final = "gradient-descent"
_DESCENT_RATE: Final = 0.5  # of full-batch descent, where one step an epoch is all there is
_CLASSES: Final = {
    "": "cross_entropy",
    "crossentropy": "cross_entropy",
    "sparsecategoricalcrossentropy": "cross_entropy",
    "categoricalcrossentropy": "cross_entropy",
    "nll": "nll_loss",
}
_QUANTITY: Final = {
    "": "mse_loss",
    "mse": "mse_loss",
    "meansquarederror": "mse_loss",
    "mae": "l1_loss",
    "meanabsoluteerror": "l1_loss",
    "huber": "huber_loss",
}
# They ask for more than a step's gradient.
_NOT_OPTIMIZERS: Final = frozenset({"Optimizer", "LBFGS", "SparseAdam", "Muon"})
# Of the first learning rate, by the part of the training that is done.
SCHEDULES: Final[dict[str, Callable[[float], float]]] = {
    "": lambda done: 1.0,  # noqa: ARG005
    "constant": lambda done: 1.0,  # noqa: ARG005
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "exponential": lambda done: 0.01**done,
}


def find_loss(torch: Any, recipe: Recipe, classes: bool) -> Callable[[Any, Any], Any]:
    """The mean loss of scores `[rows, classes]` or values `[rows, 1]` and their targets.

    Raises:
        InvalidInput: No such loss for this kind of target.
    """
    known = _CLASSES if classes else _QUANTITY
    name = known.get(_plain(recipe.loss))
    if name is None:
        what = "classes" if classes else "a quantity"
        raise InvalidInput(
            f"loss: torch on {what} knows {', '.join(filter(None, known))}, "
            f'received "{recipe.loss}"',
            field="loss",
        )
    return getattr(torch.nn.functional, name)  # type: ignore[no-any-return]


def make_optimizer(torch: Any, model: Any, recipe: Recipe) -> Any:
    """The optimizer of torch's that the recipe names; Adam where it names none.

    Raises:
        InvalidInput: There is none of that name, or the module has nothing to learn.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise InvalidInput(
            f'family "{recipe.family}": the module has no weights to learn', field="family"
        )
    options: dict[str, Any] = {}
    if recipe.learning_rate:
        options["lr"] = recipe.learning_rate
    if recipe.weight_decay:
        options["weight_decay"] = recipe.weight_decay
    if is_descent(recipe):
        return torch.optim.SGD(weights, **{"lr": _DESCENT_RATE, **options})
    kinds = {
        name: kind
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and name not in _NOT_OPTIMIZERS
    }
    by_name = {_plain(name): kind for name, kind in kinds.items()}
    kind = by_name.get(_plain(recipe.optimizer or "adam"))
    if kind is None:
        raise InvalidInput(
            f"optimizer: expected one of {', '.join([*sorted(kinds), GRADIENT_DESCENT])}, "
            f'received "{recipe.optimizer}"',
            field="optimizer",
        )
    try:
        return kind(weights, **options)
    except TypeError as error:
        raise InvalidInput(f"optimizer {recipe.optimizer}: {error}", field="optimizer") from error


def is_descent(recipe: Recipe) -> bool:
    """Whether each step is over all rows."""
    return _plain(recipe.optimizer) == _plain(GRADIENT_DESCENT)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
