"""Which losses go with which targets and heads; a pair that cannot learn is refused beforehand."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.train.keras.spelled import SHORT, plain

SPARSE: Final = {"sparsecategoricalcrossentropy"}
DENSE: Final = {
    "categoricalcrossentropy", "categoricalfocalcrossentropy", "kldivergence", "dice", "tversky",
    "categoricalgeneralizedcrossentropy",
}  # fmt: skip
BINARY: Final = {"binarycrossentropy", "binaryfocalcrossentropy"}
MARGIN: Final = {"hinge", "squaredhinge", "categoricalhinge"}
RANKING: Final = {"pairwiselogistic"}
# Of several quantities each then counts in its own deviations.
BY_SIZE: Final = {"meansquarederror", "meanabsoluteerror", "huber", "logcosh"}
QUANTITY: Final = {
    "meansquarederror", "meanabsoluteerror", "meanabsolutepercentageerror", "huber", "logcosh",
    "meansquaredlogarithmicerror", "cosinesimilarity", "poisson",
}  # fmt: skip
# A squared error over many classes is nearly 0 whatever the network says, and so is its gradient.
_SQUARED: Final = 100


def loss_name(loss: Any) -> str:
    """The plain name of a loss: of its name, its function or its object."""
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    if not isinstance(loss, str):
        own = type(loss).__name__ if not hasattr(loss, "__name__") else loss.__name__
        loss = own if own != "LossFunctionWrapper" else getattr(loss, "name", "")
    name = plain(loss or "")
    return plain(SHORT.get(name, name))


def from_logits(loss: Any) -> bool:
    """Whether a loss takes scores, not probabilities."""
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        loss = loss[0]
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits"))


def ending(keras: Any, model: Any) -> str:
    """The activation a model ends in, `softmax`, `sigmoid`, `linear` …; empty where unseen."""
    outputs = keras.tree.flatten(getattr(model, "outputs", None) or [])
    if len(outputs) != 1:
        return ""
    last = outputs[0]._keras_history.operation
    if isinstance(last, keras.Model):
        return ending(keras, last)
    if type(last).__name__ == "Softmax":
        return "softmax"
    return str(getattr(getattr(last, "activation", None), "__name__", ""))


def check_pair(
    loss: Any, classes: int | None, head: str, units: int, *, several: bool = False
) -> None:
    """Refuses a loss that does not fit the target or the head, and names the one that does.

    Args:
        loss: A Keras loss, its name or its function; one nobody here knows passes.
        classes: How many, or None for a quantity.
        head: The activation the model ends in, or empty.
        units: Width of its output.
        several: A row carries any number of them as labels.

    Raises:
        InvalidInput: It cannot learn.
    """
    name = loss_name(loss)
    if classes is None:
        _check_quantity(name, head, units)
        return
    if several:
        _check_labels(loss, name, head)
        return
    fits = "sparse_categorical_crossentropy"
    if name in QUANTITY - {"meansquarederror"} | RANKING:
        raise _refused(name, f"is for quantities, but the target has {classes} classes", fits)
    if name == "meansquarederror" and classes > _SQUARED:
        raise _refused(name, f"learns next to nothing over {classes} classes", fits)
    if name in BINARY and classes > 2:
        raise _refused(
            name,
            f"is for two classes or for labels of their own, the target has {classes} classes",
            fits,
        )  # fmt: skip
    if name in SPARSE | DENSE and units == 1:
        raise _refused(name, "needs one output a class, the model has one", "binary_crossentropy")
    if name in MARGIN and head in {"softmax", "sigmoid"}:
        raise _refused(
            name, f"wants scores without bounds, but the model ends in {head}", fits,
            "or end the model in a Dense layer without activation",
        )  # fmt: skip
    if from_logits(loss) and head in {"softmax", "sigmoid"}:
        raise _refused(
            name, f"with from_logits takes scores, but the model ends in {head}", fits,
            "leave from_logits out",
        )  # fmt: skip


def check_targets(model: Any, y: Any) -> None:
    """Refuses class indices for a loss of one-hot rows and the reverse, in a user's own training.

    Raises:
        InvalidInput: They do not go together; Keras would say so with shapes alone.
    """
    outputs = getattr(model, "outputs", None) or []
    name = loss_name(getattr(model, "loss", None) or "")
    if not isinstance(y, np.ndarray) or len(outputs) != 1 or not y.size:
        return
    units, rank = outputs[0].shape[-1], len(outputs[0].shape)
    narrow = y.ndim == rank - 1 or (y.ndim == rank and y.shape[-1] == 1)
    if name in DENSE and narrow and units and units > 1:
        raise _refused(
            name,
            f"takes one column a class, received targets {list(y.shape)}",
            f"sparse_{_said(name)}",
        )
    if name in SPARSE and y.ndim == rank and y.shape[-1] == units and units > 1:
        raise _refused(
            name, f"takes class indices, received targets {list(y.shape)}",
            "categorical_crossentropy",
        )  # fmt: skip
    if name in BINARY and y.dtype.kind in "iu" and y.max(initial=0) > 1:
        raise _refused(
            name, f"takes 0 and 1, received classes up to {y.max()}",
            "sparse_categorical_crossentropy",
        )  # fmt: skip


def _check_labels(loss: Any, name: str, head: str) -> None:
    fits = "binary_crossentropy"
    if name in SPARSE | DENSE | MARGIN | RANKING | QUANTITY - {"meansquarederror"}:
        raise _refused(
            name, "does not learn labels of which a row carries any number", fits,
            "or binary_focal_crossentropy",
        )  # fmt: skip
    if head == "softmax":
        raise InvalidInput(
            "loss: a row carries any number of labels, but the model ends in softmax, which "
            "shares 1 among them",
            hint="end it in sigmoid, or in a Dense layer without activation",
            field="family",
        )
    if from_logits(loss) and head == "sigmoid":
        raise _refused(
            name, f"with from_logits takes scores, but the model ends in {head}", fits,
            "leave from_logits out",
        )  # fmt: skip


def _check_quantity(name: str, head: str, units: int) -> None:
    if name in SPARSE | DENSE | BINARY | MARGIN:
        raise _refused(name, "is for classes, but the target is a quantity", "mse, mae or huber")
    if name in RANKING and units > 1:
        raise _refused(name, f"orders by one quantity, the target has {units}", "mse, mae or huber")
    if head == "softmax":
        raise InvalidInput(
            "loss: the target is a quantity, but the model ends in softmax, which of one is 1",
            hint="end it in a Dense layer without activation",
            field="family",
        )


def _refused(name: str, why: str, fits: str, also: str = "") -> InvalidInput:
    hint = f"use {fits}" + (f", {also}" if also else "")
    return InvalidInput(f'loss "{_said(name)}" {why}', hint=hint, field="loss")


def _said(name: str) -> str:
    """A plain name as Keras's functions are called, to be read and written back."""
    words = (
        "sparse", "categorical", "binary", "focal", "crossentropy", "mean", "squared", "absolute",
        "percentage", "logarithmic", "error", "hinge", "kl", "divergence", "cosine", "similarity",
        "log", "cosh", "pairwise", "logistic",
    )  # fmt: skip
    found, rest = [], name
    while rest:
        word = max((w for w in words if rest.startswith(w)), key=len, default=rest)
        found.append(word)
        rest = rest[len(word) :]
    return "_".join(found)
