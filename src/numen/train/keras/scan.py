"""Many steps of a Keras model in one compiled loop, its rows on the device.

Keras's own train and test step run inside the loop, so losses, metrics, regularizers, optimizers,
schedules, BatchNorm and Dropout are Keras's. Only JAX can do it; `why_not` says what else cannot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from numen.core.signature import Array
from numen.train.keras.processor import SLOW, matrix_products

# Hears how many steps are done and the running metrics; False ends the epoch there.
Told = Callable[[int, dict[str, float]], bool]

_PIECE: Final = 0.25  # seconds of steps run at once; in between somebody may look, or stop
_GROWTH: Final = 8  # how much longer a piece may be than the one before
# What a model may not have an own version of, for the loop runs Keras's.
_KERAS: Final = (
    "fit", "train_step", "test_step", "make_train_function", "make_test_function",
    "compute_metrics", "get_metrics_result", "reset_metrics",
)  # fmt: skip


def why_not(keras: Any, model: Any) -> str:
    """Why a compiled model cannot be run in a loop; empty where it can."""
    if keras.config.backend() != "jax":
        return f"Keras runs on {keras.config.backend()}"
    own = [n for n in _KERAS if getattr(type(model), n) is not getattr(keras.Model, n)]
    if own:
        return f"the model has its own {own[0]}"
    if model.run_eagerly or not model.jit_compile:
        return "the model is compiled to run step by step"
    if keras.distribution.distribution() is not None:
        return "the model is distributed over devices"
    if keras.config.is_nnx_enabled():
        return "Keras runs on Flax NNX"
    return ""


class Scan:
    """The steps of a compiled model over rows that stay on the device.

    After every piece the model's variables have their new values, so whoever looks in between
    sees them, and an interrupt leaves them whole.

    Args:
        keras: The module.
        model: Compiled, and one that `why_not` has nothing against.
        rows: As Keras's steps take them: x, (x, y) or (x, y, weights), each an array `[rows, …]`
            or a nest of arrays.
        batch_size: Rows a step; a last step of fewer is a step of its own.
        training: Whether steps train, or only measure.
    """

    def __init__(self, keras: Any, model: Any, rows: Any, batch_size: int, *, training: bool):
        import jax

        self._model, self._training = model, training
        self._floatx = keras.config.floatx()
        self.feed(rows)
        self.count = len(jax.tree.leaves(self._rows)[0])
        self._batch_size = min(batch_size, self.count)
        # Keras makes the variables of losses, metrics and optimizers when it sees a first batch.
        first = jax.tree.map(lambda array: array[: self._batch_size], self._rows)
        model._symbolic_build(data_batch=first)
        self._steps = _compiled(keras, model, training)
        self._pace = 1

    def feed(self, rows: Any) -> None:
        """Puts other rows of the same shapes in the place of those that were there."""
        import jax

        self._rows = jax.tree.map(partial(_on_device, self._floatx), rows)

    def run(self, order: Array | None, told: Told) -> dict[str, float]:
        """One pass over the rows.

        Args:
            order: int[rows], the places of the rows as they are to come; None as they lie.
            told: Is told after each piece, at least every few steps where they are slow.

        Returns:
            The metrics over the pass, by the names Keras gives them.
        """
        import jax

        order = np.arange(self.count) if order is None else order
        whole, rest = divmod(len(order), self._batch_size)
        places = order.astype("int32")
        table = jax.device_put(places[: whole * self._batch_size].reshape(whole, -1))
        self._model.reset_metrics()
        metrics: dict[str, float] = {}
        done = 0
        while done < whole:
            began = time.perf_counter()
            few = min(self._pace, whole - done)
            metrics = self._piece(table, done, done + few)
            done += few
            took = time.perf_counter() - began
            if few == self._pace:
                self._pace = max(1, min(int(few * _PIECE / took), few * _GROWTH))
            if not told(done, metrics):
                return metrics
        if rest:
            metrics = self._piece(jax.device_put(places[None, -rest:]), 0, 1)
            told(done + 1, metrics)
        return metrics

    def _piece(self, table: Any, begin: int, end: int) -> dict[str, float]:
        groups = _variables(self._model, self._training)
        state = tuple([variable.value for variable in group] for group in groups)
        state, metrics = self._steps(state, self._rows, table, begin, end)
        for group, values in zip(groups, state, strict=True):
            for variable, value in zip(group, values, strict=True):
                variable.assign(value)
        return _floats(metrics)


class _Steps:
    """The steps of one model, compiled: in one loop, or one by one where a loop would be slow."""

    def __init__(self, keras: Any, model: Any, training: bool):
        import jax

        self._looped = jax.jit(partial(_loop, keras, model, training))
        self._single = jax.jit(partial(_step, keras, model, training))
        self._loops: bool | None = None if training else True

    def __call__(self, state: Any, rows: Any, table: Any, begin: int, end: int) -> Any:
        """Runs steps `begin` to `end`; `table` int32[steps, batch] names the rows of each."""
        import jax

        if self._loops is None:
            traced = str(self._looped.trace(state, rows, table, begin, end).jaxpr)
            slow = jax.default_backend() == "cpu" and any(name in traced for name in SLOW)
            self._loops = not slow
        if self._loops:
            return self._looped(state, rows, table, begin, end)
        metrics: Any = {}
        for number in range(begin, end):
            state, metrics = self._single(state, rows, table, number)
        return state, metrics


class _Made:
    """What was compiled for one model, and Keras's own step it was made beside."""

    def __init__(self, keras_step: Any):
        self.keras_step = keras_step
        self.steps: dict[bool, _Steps] = {}


def _compiled(keras: Any, model: Any, training: bool) -> _Steps:
    """A model's steps, compiled once; anew when Keras forgets its own step, by `compile`."""
    made = getattr(model, "_numen_made", None)
    model.make_train_function()
    if made is None or made.keras_step is not model.train_function:
        made = model._numen_made = _Made(model.train_function)
    if training not in made.steps:
        made.steps[training] = _Steps(keras, model, training)
    return made.steps[training]


def _loop(
    keras: Any, model: Any, training: bool, state: Any, rows: Any, table: Any, begin: Any, end: Any
) -> Any:
    """The bounds are data, not constants: pieces of every length are one compilation."""
    import jax

    one = partial(_advance, model, training, rows, table)
    state = jax.lax.fori_loop(begin, end, one, state)
    # Only the last step's metrics are of interest, so they are read outside the loop.
    return state, _metrics(keras, model, state)


def _step(
    keras: Any, model: Any, training: bool, state: Any, rows: Any, table: Any, number: Any
) -> Any:
    state = _advance(model, training, rows, table, number, state)
    return state, _metrics(keras, model, state)


def _advance(model: Any, training: bool, rows: Any, table: Any, number: Any, state: Any) -> Any:
    import jax

    places = table[number]
    batch = jax.tree.map(lambda a: a.at[places].get(mode="promise_in_bounds"), rows)
    if not training:  # XLA convolves well enough where there are no gradients
        return model.test_step(state, batch)[1]
    with matrix_products():
        return model.train_step(state, batch)[1]


def _metrics(keras: Any, model: Any, state: Any) -> Any:
    mapping = list(zip(model.metrics_variables, state[-1], strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        return model.get_metrics_result()


def _variables(model: Any, training: bool) -> tuple[list[Any], ...]:
    """What a step of Keras on JAX takes and gives back, in its order."""
    optimizer = (model.optimizer.variables,) if training else ()
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        *optimizer,
        model.metrics_variables,
    )


def _on_device(floatx: str, array: Any) -> Any:
    import jax

    floating = array.dtype.kind == "f" and str(array.dtype) != floatx
    return jax.device_put(array.astype(floatx) if floating else array)


def _floats(metrics: Any) -> dict[str, float]:
    import jax

    found = jax.device_get(metrics).items()
    return {name: float(value) if np.size(value) == 1 else value for name, value in found}
