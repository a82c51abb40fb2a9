"""`numen.fit`: Keras's `fit` for a user's own model, its epochs run in a compiled loop.

Keras's argument names, its callbacks, its History, and its order of rows for a seed of NumPy's.
What the loop cannot hold goes through Keras's own `fit`, and one line says why.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.train.keras.backend import load_keras
from numen.train.keras.pairs import check_targets
from numen.train.keras.passes import IN_MEMORY
from numen.train.keras.scan import Scan, why_not

_BATCH_HOOKS: Final = (
    "on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end",
)  # fmt: skip
# Keras's own that are content to hear of a few steps at once. Two save at a batch if so told.
_CONTENT: Final = ("History", "ProgbarLogger", "TerminateOnNaN")
_SAVING: Final = ("ModelCheckpoint", "BackupAndRestore")


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    validation_batch_size: int | None = None,
    validation_freq: Any = 1,
    **others: Any,
) -> Any:
    """Trains a compiled Keras model as `model.fit` does, several times as fast where it can.

    Args:
        model: A `keras.Model` that was compiled.
        x: `[rows, …]`, or a nest of such arrays; anything else Keras takes goes Keras's way.
        y: `[rows, …]`, or a nest.
        batch_size: Rows a step; 32 if not given.
        epochs: Passes over the rows.
        verbose: As Keras has it.
        callbacks: Keras callbacks. Those that look at every batch go Keras's way.
        validation_split: Part of the rows, the last ones, to measure by after each epoch.
        validation_data: (x, y) or (x, y, weights) to measure by after each epoch.
        shuffle: A new order of rows each epoch, drawn from NumPy's global generator as in Keras.
        class_weight: What a row of each class index counts.
        sample_weight: What each row counts.
        initial_epoch: Epochs already done.
        validation_batch_size: Rows a step of measuring; as `batch_size` if not given.
        validation_freq: Every how many epochs to measure, or after which.
        **others: Further arguments of `model.fit`, which then go Keras's way.

    Returns:
        The `keras.callbacks.History`.

    Raises:
        InvalidInput: It is no compiled Keras model, or the targets do not suit the loss.
    """
    keras = load_keras()
    if not isinstance(model, keras.Model) or not model.compiled:
        raise InvalidInput(
            f"fit: expected a compiled keras.Model, received {type(model).__name__}",
            hint="call model.compile(optimizer=…, loss=…) first",
            field="model",
        )
    given = dict(
        x=x, y=y, batch_size=batch_size, epochs=epochs, verbose=verbose, callbacks=callbacks,
        validation_split=validation_split, validation_data=validation_data, shuffle=shuffle,
        class_weight=class_weight, sample_weight=sample_weight, initial_epoch=initial_epoch,
        validation_batch_size=validation_batch_size, validation_freq=validation_freq,
        **others,
    )  # fmt: skip
    check_targets(model, y)
    why = why_not(keras, model) or _why_not(keras, given, others)
    if why:
        if verbose:
            sys.stderr.write(f"numen.fit: step by step, as Keras does it: {why}\n")
        return model.fit(**given)
    return _fit(keras, model, given)


def weigh(y: Any, class_weight: Mapping[int, float]) -> Any:
    """The weight of each row by its class: float32[rows] for int[rows], [rows, 1] or one-hot."""
    y = np.asarray(y)
    if y.ndim > 1:
        y = y.argmax(-1) if y.shape[-1] != 1 else y[..., 0]
    classes = np.round(y).astype("int64")
    kinds, places = np.unique(classes, return_inverse=True)
    weights = np.array([class_weight.get(int(kind), 1.0) for kind in kinds], "float32")
    return weights[places]


def _fit(keras: Any, model: Any, given: dict[str, Any]) -> Any:
    """Keras's own course of a training, with a loop in the place of its batches."""
    batch = given["batch_size"] or 32
    rows, aside = _divide(keras, given)
    unbuilt = not (model.built and _measures_built(model))
    train = Scan(keras, model, rows, batch, training=True)
    test = None
    if unbuilt and given["shuffle"]:
        np.random.permutation(train.count)  # Keras draws one to see a batch it can build from
    steps = -(-train.count // batch)
    heard = _callbacks(keras, model, given, steps)
    model.stop_training = False
    heard.on_train_begin()
    logs: dict[str, Any] = {}

    def told(done: int, metrics: dict[str, float]) -> bool:
        heard.on_train_batch_end(done - 1, metrics)
        return not model.stop_training

    try:
        for epoch in range(model._initial_epoch or given["initial_epoch"], given["epochs"]):
            heard.on_epoch_begin(epoch)
            heard.on_train_batch_begin(0)
            order = np.random.permutation(train.count) if given["shuffle"] else None
            logs = dict(train.run(order, told))
            if aside is not None and model._should_eval(epoch, given["validation_freq"]):
                size = given["validation_batch_size"] or batch
                test = test or Scan(keras, model, aside, size, training=False)
                logs |= {f"val_{name}": value for name, value in _measure(test, heard).items()}
            heard.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        heard.on_train_end(logs)
    finally:
        model.optimizer.finalize_variable_values(model.trainable_weights)
    return model.history


def _measure(test: Scan, heard: Any) -> dict[str, float]:
    def told(done: int, metrics: dict[str, float]) -> bool:
        heard.on_test_batch_end(done - 1, metrics)
        return True

    heard.on_test_begin()
    metrics = test.run(None, told)
    heard.on_test_end(metrics)
    return metrics


def _divide(keras: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    """The rows to train on and those to measure by, packed as Keras's steps take them."""
    x, y, weights = given["x"], given["y"], given["sample_weight"]
    if given["class_weight"] is not None:
        weights = weigh(y, given["class_weight"])
    pack, aside = keras.utils.pack_x_y_sample_weight, given["validation_data"]
    if aside is not None:
        return pack(x, y, weights), pack(*keras.utils.unpack_x_y_sample_weight(aside))
    if not given["validation_split"]:
        return pack(x, y, weights), None
    count = len(keras.tree.flatten(x)[0])
    cut = int(np.floor(count * (1 - given["validation_split"])))
    if not 0 < cut < count:
        raise InvalidInput(
            f"fit: validation_split {given['validation_split']} of {count} rows leaves a part "
            "without rows",
            field="validation_split",
        )
    parts = [
        pack(*keras.tree.map_structure(partial(_part, part), (x, y, weights)))
        for part in (slice(cut), slice(cut, None))
    ]
    return parts[0], parts[1]


def _part(part: slice, array: Any) -> Any:
    return None if array is None else array[part]


def _callbacks(keras: Any, model: Any, given: dict[str, Any], steps: int) -> Any:
    callbacks, verbose = given["callbacks"], given["verbose"]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    return keras.callbacks.CallbackList(
        callbacks,
        add_history=True,
        add_progbar=verbose != 0,
        verbose=verbose,
        epochs=given["epochs"],
        steps=steps,
        model=model,
    )


def _measures_built(model: Any) -> bool:
    parts = (model._compile_metrics, model._compile_loss)
    return all(part is None or part.built for part in parts)


def _why_not(keras: Any, given: dict[str, Any], others: dict[str, Any]) -> str:
    """Why a call cannot be run in a loop; empty where it can."""
    if set_ := [name for name, value in others.items() if value is not None]:
        return f"{set_[0]} is given"
    if keras.config.max_epochs() or keras.config.max_steps_per_epoch():
        return "Keras is set to end early"
    if given["shuffle"] not in {True, False}:
        return f'shuffle is "{given["shuffle"]}"'
    if why := _not_arrays(keras, given):
        return why
    flat = keras.tree.flatten(given["callbacks"]) if given["callbacks"] else []
    if isinstance(given["callbacks"], keras.callbacks.CallbackList):
        flat = given["callbacks"].callbacks
    close = [type(each).__name__ for each in flat if _needs_batches(keras, each)]
    return f"the callback {close[0]} looks at every batch" if close else ""


def _not_arrays(keras: Any, given: dict[str, Any]) -> str:
    """Why rows or weights are of a kind the loop cannot take; empty where it can."""
    several = keras.tree.is_nested(given["y"])
    weights = [name for name in ("sample_weight", "class_weight") if given[name] is not None]
    if len(weights) > 1 or (weights and several):
        return f"{weights[0]} goes with {'several outputs' if several else 'class_weight'}"
    aside = given["validation_data"]
    if aside is not None and not isinstance(aside, (tuple, list)):
        return f"validation_data is a {type(aside).__name__}"
    parts = [(given["x"], given["y"], given["sample_weight"]), aside or ()]
    groups = [[a for a in keras.tree.flatten(part) if a is not None] for part in parts]
    flat = groups[0] + groups[1]
    odd = [type(array).__name__ for array in flat if not _is_array(keras, array)]
    if odd or not groups[0]:
        return f"{(*odd, 'nothing')[0]} is no array of numbers"
    if sum(array.nbytes for array in flat) > IN_MEMORY:
        return "the rows are too many to hold at once"
    for group in groups:
        if len({len(array) for array in group}) > 1 or not all(map(len, group)):
            return "the arrays are not of one length"  # of which Keras says more
    return ""


def _is_array(keras: Any, thing: Any) -> bool:
    if isinstance(thing, np.ndarray):
        return thing.ndim > 0 and thing.dtype.kind in "biuf"
    return bool(keras.ops.is_tensor(thing)) and thing.ndim > 0


def _needs_batches(keras: Any, callback: Any) -> bool:
    kinds = keras.callbacks
    if isinstance(callback, tuple(getattr(kinds, name) for name in _SAVING)):
        return getattr(callback, "save_freq", "epoch") != "epoch"
    if isinstance(callback, kinds.LambdaCallback):
        return any(name in vars(callback) for name in _BATCH_HOOKS)
    if type(callback) in {getattr(kinds, name) for name in _CONTENT if hasattr(kinds, name)}:
        return False
    base = kinds.Callback
    return any(getattr(type(callback), n, None) is not getattr(base, n) for n in _BATCH_HOOKS)
