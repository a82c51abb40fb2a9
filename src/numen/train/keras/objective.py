"""What a model is trained towards and by what rule: losses, optimizers, the shape of targets.

Names are Keras's own, written as anybody writes them: `mse`, `MeanSquaredError` and
`mean-squared-error` are one loss.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.train.recipe import Recipe

Falling = tuple[float, int]
GRADIENT_DESCENT: Final = "gradient-descent"
_LEARNING_RATE: Final = 0.5  # of full-batch descent, where one step an epoch is all there is
# What the modules hold beside losses and optimizers proper.
_NOT_LOSSES: Final = {"get", "serialize", "deserialize", "Loss", "CTC", "ctc", "Circle", "circle"}
_SHORT: Final = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
}
_NOT_OPTIMIZERS: Final = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}


def compile_model(
    keras: Any, model: Any, recipe: Recipe, labels: tuple[str, ...] | None, falling: Falling
) -> None:
    """Compiles as the recipe says; a model its author compiled stays so unless the recipe speaks.

    Args:
        keras: The module.
        model: What is compiled.
        recipe: Names loss, optimizer and learning rate, or leaves them open.
        labels: The classes, or None for a quantity.
        falling: First learning rate and steps until it is nothing; used where the recipe leaves
            optimizer and learning rate open.

    Raises:
        InvalidInput: A loss or optimizer is unknown, or the loss does not suit the target.
    """
    spoken = recipe.loss or recipe.optimizer or recipe.learning_rate
    if getattr(model, "compiled", False) and not spoken:
        return
    usual = "mse" if labels is None else "sparse_categorical_crossentropy"
    loss = _loss(keras, recipe.loss or usual)
    if labels is None:
        if is_sparse(loss):
            raise InvalidInput(
                f'loss "{recipe.loss}": expected classes, but the target is a quantity',
                hint="use mse, mae or huber",
                field="loss",
            )
        metric = keras.metrics.MeanAbsoluteError(name="mae")
    elif is_sparse(loss):
        metric = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    else:
        metric = keras.metrics.CategoricalAccuracy(name="accuracy")
    model.compile(optimizer=_optimizer(keras, recipe, falling), loss=loss, metrics=[metric])


def is_sparse(loss: Any) -> bool:
    """Whether a loss takes class indices; the others take one column a class."""
    if not isinstance(loss, str):
        loss = getattr(loss, "name", None) or getattr(loss, "__name__", "")
    return _plain(loss).startswith("sparse")


def targets_for(loss: Any, target: Array, labels: tuple[str, ...] | None) -> Array:
    """The target as the loss takes it.

    Args:
        loss: A Keras loss, its name or its function.
        target: int64[rows] class indices, float32[rows], or shares of every class
            float32[rows, classes].
        labels: The classes, or None for a quantity.

    Returns:
        int64[rows], float32[rows, classes] or float32[rows, 1].
    """
    if labels is None:
        return target.astype("float32").reshape(-1, 1)
    if is_sparse(loss) or target.ndim == 2:
        return target
    hot = np.zeros((len(target), len(labels)), "float32")
    hot[np.arange(len(target)), target] = 1
    return hot


def takes_logits(model: Any) -> bool:
    """Whether the loss a model is compiled with says its outputs are scores, not probabilities."""
    loss = getattr(model, "loss", None)
    if loss is None or isinstance(loss, str):
        return False
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits"))


def batch_size(recipe: Recipe, usual: int, rows: int) -> int:
    """Rows a step: all of them for plain gradient descent."""
    if _plain(recipe.optimizer) == _plain(GRADIENT_DESCENT):
        return rows
    return min(recipe.batch_size or usual, rows)


def _loss(keras: Any, name: str) -> Any:
    known = _named(keras.losses, _NOT_LOSSES)
    made = _find(known, _SHORT.get(name.lower(), name), "loss")
    return made() if isinstance(made, type) else made


def _optimizer(keras: Any, recipe: Recipe, falling: Falling) -> Any:
    name = recipe.optimizer or "adam"
    if falling[0] and not recipe.optimizer and not recipe.learning_rate:
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(*falling))
    if _plain(name) == _plain(GRADIENT_DESCENT):
        return keras.optimizers.SGD(recipe.learning_rate or _LEARNING_RATE)
    known = {k: v for k, v in _named(keras.optimizers, _NOT_OPTIMIZERS).items() if _is_class(v)}
    kind = _find(known, name, "optimizer", also=(GRADIENT_DESCENT,))
    options = {"learning_rate": recipe.learning_rate} if recipe.learning_rate else {}
    return kind(**options)


def _named(module: Any, without: set[str]) -> dict[str, Any]:
    """The public callables of a Keras module by plain name, functions before classes of a name."""
    names = [n for n in dir(module) if not n.startswith("_") and n not in without]
    things = {n: getattr(module, n) for n in names}
    things = {n: v for n, v in things.items() if callable(v)}
    ordered = sorted(things, key=lambda n: not _is_class(things[n]))
    return {_plain(n): things[n] for n in ordered}


def _find(known: dict[str, Any], name: str, field: str, also: tuple[str, ...] = ()) -> Any:
    found = known.get(_plain(name))
    if found is None:
        shown = sorted({getattr(v, "__name__", k) for k, v in known.items()} | set(also))
        near = difflib.get_close_matches(_plain(name), [*known, *map(_plain, also)], 1, 0.5)
        spelled = {**{k: getattr(v, "__name__", k) for k, v in known.items()}}
        spelled |= {_plain(n): n for n in also}
        raise InvalidInput(
            f'{field}: "{name}" is unknown; expected one of {", ".join(shown)}',
            hint=f'did you mean "{spelled[near[0]]}"?' if near else None,
            field=field,
        )
    return found


def _is_class(thing: Any) -> bool:
    return isinstance(thing, type)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
