"""What a model is trained towards and by what rule: losses, optimizers, the shape of targets."""

from __future__ import annotations

import inspect
from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import EDGE
from numen.core.signature import Array
from numen.train.keras import spelled
from numen.train.keras.pairs import BY_SIZE, MARGIN, RANKING, SPARSE, from_logits, loss_name
from numen.train.keras.ranking import pairwise_logistic
from numen.train.keras.spelled import plain
from numen.train.recipe import Recipe
from numen.train.weights import several_labels

Falling = tuple[float, int]
GRADIENT_DESCENT: Final = "gradient-descent"
_LEARNING_RATE: Final = 0.5  # of full-batch descent, where one step an epoch is all there is
_LAST: Final = 0.01  # of the first learning rate is left at the end of an exponential fall
# What the modules hold beside losses and optimizers proper.
_NOT_LOSSES: Final = {"get", "serialize", "deserialize", "Loss", "CTC", "ctc", "Circle", "circle"}
_NOT_OPTIMIZERS: Final = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap"}


def compile_model(
    keras: Any, model: Any, recipe: Recipe, labels: tuple[str, ...] | None, falling: Falling,
    *, head: str = "softmax", units: int = 0, several: bool = False,
) -> None:  # fmt: skip
    """Compiles as the recipe says; a model its author compiled stays so unless the recipe speaks.

    Args:
        keras: The module.
        model: What is compiled.
        recipe: Names loss, optimizer, learning rate and schedule, or leaves them open.
        labels: The classes, or None for a quantity.
        falling: First learning rate and steps in all; the rate falls to nothing on a cosine where
            the recipe leaves optimizer, learning rate and schedule open, if it is not 0.
        head: The activation the model ends in.
        units: Width of its output; 1 with two classes is the probability of the second.
        several: A row carries any number of the labels.

    Raises:
        InvalidInput: A loss or optimizer is unknown, or has no such option.
    """
    spoken = (
        recipe.loss, recipe.optimizer, recipe.learning_rate, recipe.schedule, recipe.weight_decay
    )  # fmt: skip
    if getattr(model, "compiled", False) and not any(spoken):
        return
    usual = "mse" if labels is None else "sparse_categorical_crossentropy"
    if several or (labels is not None and units == 1):
        usual = "binary_crossentropy"
    loss = _loss(keras, recipe.loss or usual, linear=labels is not None and head == "linear")
    linear = head == "linear"
    if several:
        metrics = [_f1(keras, linear=linear)]
    else:
        metrics = _metrics(keras, loss, labels, units, linear=linear)
    model.compile(optimizer=_optimizer(keras, recipe, falling), loss=loss, metrics=metrics)


def is_sparse(loss: Any) -> bool:
    """Whether a loss takes class indices; the others take one column a class."""
    return loss_name(loss) in SPARSE


def wants_scores(recipe: Recipe) -> bool:
    """Whether the recipe's loss wants scores without bounds, not probabilities."""
    return bool(recipe.loss) and spelled.read(recipe.loss, "loss").name in MARGIN


def counts_by_size(recipe: Recipe) -> bool:
    """Whether the recipe's loss of a quantity grows with the numbers that it is given in."""
    name = spelled.read(recipe.loss or "mse", "loss").name
    return loss_name(name) in BY_SIZE


def targets_for(loss: Any, target: Array, labels: tuple[str, ...] | None, units: int = 0) -> Array:
    """The target as the loss takes it.

    Args:
        loss: A Keras loss, its name or its function.
        target: int64[rows] class indices, float32[rows], float32[rows, k] of several quantities
            or labels, or shares of every class float32[rows, classes].
        labels: The classes, or None for a quantity.
        units: Width of the model's output.

    Returns:
        int64[rows], float32[rows, classes] or float32[rows, k].
    """
    if labels is None or units == 1:
        return target.astype("float32").reshape(len(target), -1)
    if is_sparse(loss) or target.ndim == 2:
        return target
    hot = np.zeros((len(target), len(labels)), "float32")
    hot[np.arange(len(target)), target] = 1
    return hot


def class_weights(recipe: Recipe, target: Array, labels: tuple[str, ...] | None) -> Array | None:
    """What a row of each class counts, float32[classes]; None where all count alike.

    `balanced` gives every class the same share: rows / (classes * rows of the class), as King and
    Zeng (2001) weigh rare events.

    Raises:
        InvalidInput: The target has no classes, or not the one that is named, or a row may carry
            several.
    """
    said = recipe.class_weight
    if not said:
        return None
    if labels is None:
        raise InvalidInput(
            "class_weight: the target is a quantity, it has no classes",
            hint="leave it out", field="class_weight",
        )  # fmt: skip
    if target.ndim > 1:
        raise several_labels()
    if isinstance(said, str):
        counts = np.bincount(target, minlength=len(labels))
        return (len(target) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype("float32")
    for label, weight in said.items():
        if label not in labels:
            raise InvalidInput(
                f'class_weight: expected labels of {", ".join(labels[:20])}, received "{label}"',
                field="class_weight",
            )
        if not (np.isfinite(weight) and weight >= 0):
            raise InvalidInput(
                f'class_weight: expected a weight of 0 or more for "{label}", received {weight}',
                field="class_weight",
            )
    return np.array([said.get(label, 1.0) for label in labels], "float32")


def takes_logits(model: Any) -> bool:
    """Whether the loss a model is compiled with says its outputs are scores, not probabilities."""
    return from_logits(getattr(model, "loss", None))


def batch_size(recipe: Recipe, usual: int, rows: int) -> int:
    """Rows a step: all of them for plain gradient descent."""
    if plain(recipe.optimizer) == plain(GRADIENT_DESCENT):
        return rows
    return min(recipe.batch_size or usual, rows)


def _loss(keras: Any, text: str, *, linear: bool) -> Any:
    known = spelled.named(keras.losses, _NOT_LOSSES)
    known |= {plain("pairwise_logistic"): pairwise_logistic}
    name, options = spelled.read(text, "loss")
    kind = spelled.find(known, name, "loss")
    if not isinstance(kind, type):
        if options:
            raise InvalidInput(f'loss: "{kind.__name__}" has no options', field="loss")
        return kind
    if linear and "from_logits" in inspect.signature(kind).parameters:
        options = {"from_logits": True, **options}  # the model gives scores, so the loss takes them
    return spelled.make(kind, options, "loss")


def _metrics(
    keras: Any, loss: Any, labels: tuple[str, ...] | None, units: int, *, linear: bool
) -> list[Any]:
    if labels is None:
        ranks = loss_name(loss) in RANKING
        return [] if ranks else [keras.metrics.MeanAbsoluteError(name="mae")]
    if units == 1:
        edge = 0.0 if linear else 0.5
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=edge)]
    if is_sparse(loss):
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    return [keras.metrics.CategoricalAccuracy(name="accuracy")]


def _f1(keras: Any, *, linear: bool) -> Any:
    """F1 over the labels of all rows together, of scores or of probabilities."""

    class F1(keras.metrics.F1Score):  # type: ignore[misc]
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            said = keras.ops.sigmoid(y_pred) if linear else y_pred
            return super().update_state(y_true, said, sample_weight)

    return F1(average="micro", threshold=EDGE, name="f1")


def _optimizer(keras: Any, recipe: Recipe, falling: Falling) -> Any:
    first, steps = falling
    name, options = spelled.read(recipe.optimizer or "adam", "optimizer")
    known = spelled.named(keras.optimizers, _NOT_OPTIMIZERS)
    known = {k: v for k, v in known.items() if isinstance(v, type)}
    descent = name == plain(GRADIENT_DESCENT)
    if descent:
        kind, rate = keras.optimizers.SGD, _LEARNING_RATE
    else:
        kind = spelled.find(known, name, "optimizer", also=(GRADIENT_DESCENT,))
        rate = inspect.signature(kind).parameters["learning_rate"].default
    left_open = first and not recipe.optimizer and not recipe.learning_rate
    rate = (
        recipe.learning_rate or options.pop("learning_rate", None) or (first if left_open else rate)
    )
    schedule = recipe.schedule or ("cosine" if left_open else "constant")
    options |= {"learning_rate": _schedule(keras, schedule, rate, steps)}
    if recipe.weight_decay:
        options |= {"weight_decay": recipe.weight_decay}
    return spelled.make(kind, options, "optimizer")


def _schedule(keras: Any, name: str, rate: float, steps: int) -> Any:
    """A learning rate over all steps of the training: falling to 0, or to a hundredth."""
    kinds = keras.optimizers.schedules
    if name == "cosine":
        return kinds.CosineDecay(rate, steps)
    if name == "linear":
        return kinds.PolynomialDecay(rate, steps, end_learning_rate=0.0)
    if name == "exponential":
        return kinds.ExponentialDecay(rate, steps, _LAST)
    return rate
