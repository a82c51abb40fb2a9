"""Trains Keras models: epochs, checkpoints, Ctrl-C, early stopping, going on where a run stopped.

Every epoch has its own seed and its own order of rows, so a run that was interrupted and resumed
sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import numpy as np

from numen.core.errors import InvalidInput, TooLarge
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Signature, TensorSpec, format_shape
from numen.data.dataset import Dataset, Split
from numen.train.base import Progress, Run, Trained
from numen.train.front import Front
from numen.train.interrupt import Interrupt, interruptible
from numen.train.keras import checkpoint, objective
from numen.train.keras.backend import load_keras, seed_all
from numen.train.keras.checkpoint import BEST, LAST, State
from numen.train.keras.export import as_trained
from numen.train.keras.families import FAMILIES, Family, build_own
from numen.train.recipe import Recipe, refuse

Stopped = Literal["finished", "early", "interrupted"]
_OWN: Final = Family(build_own, epochs=5, batch_size=32)
_IN_MEMORY: Final = 2 << 30  # bytes of training rows held at once; more are read in batches
_REDRAW: Final = 0.1  # seconds between two readings of the running metrics
# What must be the same for a run to go on; epochs and patience may grow.
_SAME: Final = (
    "family", "params", "loss", "optimizer", "learning_rate", "batch_size", "validation", "seed",
)  # fmt: skip


class KerasTrainer:
    """The plug-in `keras` of the seam `numen.trainers`."""

    families: tuple[str, ...] = tuple(FAMILIES)
    spaces: Mapping[str, Mapping[str, Any]] = {name: f.space for name, f in FAMILIES.items()}

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Trains as the recipe says; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The recipe does not fit the data or the family, or the loss diverges.
            MissingExtra: The back end is not installed.
            ExportFailed: A layer of the model has no way to ONNX; found out before training.
        """
        refuse(recipe, "schedule", "weight_decay", "class_weight", "augment", "body")
        keras = load_keras(recipe.backend)
        seed_all(keras, recipe.seed)
        family = FAMILIES.get(recipe.family, _OWN)
        front = family.front(data, recipe) if family.front else None
        model = family.build(keras, data, recipe, *([front] if front else []))
        _check_ends(keras, model, front.spec if front else data.spec, data, recipe)
        fit = _Fit(keras, model, data, recipe, run, family, front)
        falling = (family.falling, fit.epochs * fit.steps)
        objective.compile_model(keras, model, recipe, data.labels, falling)
        trained = _describe(keras, model, data, recipe, front)
        run.folder.mkdir(parents=True, exist_ok=True)
        trained.export(run.folder / "untrained.onnx")
        (run.folder / "untrained.onnx").unlink()

        stopped = fit.go()
        history: tuple[Mapping[str, float], ...] = tuple(fit.state.history)
        return dataclasses.replace(trained, history=history, stopped=stopped)


class _Fit:
    """One run: where it stands, and the epochs still to do."""

    def __init__(
        self,
        keras: Any,
        model: Any,
        data: Dataset,
        recipe: Recipe,
        run: Run,
        family: Family,
        front: Front | None,
    ):
        self.keras, self.model, self.data, self.recipe, self.run = keras, model, data, recipe, run
        self.encode = front.encode if front else _as_it_is
        self.train, self.aside = data.train, None
        if recipe.validation:
            self.train, self.aside = data.train.divide(recipe.validation, recipe.seed)
        self.epochs = recipe.epochs or family.epochs
        self.batch_size = objective.batch_size(recipe, family.batch_size, len(self.train))
        self.steps = math.ceil(len(self.train) / self.batch_size)
        made_by = {name: getattr(recipe, name) for name in _SAME} | {"data": data.digest}
        self.state = State(made_by)

    def go(self) -> Stopped:
        """Trains to the end, or to Ctrl-C, and leaves the best epoch's weights in the model.

        Raises:
            KeyboardInterrupt: Before the first epoch was done.
        """
        self._take_up()
        stopped: Stopped = "finished"
        try:
            with interruptible() as interrupt:
                self.run.progress.begin(self.epochs, self.steps)
                while self.state.epoch < self.epochs:
                    interrupt.check()
                    if self._run_out():
                        stopped = "early"
                        break
                    self._epoch(self.state.epoch + 1, interrupt)
        except BaseException as error:
            # The framework may fail on its way out and so hide the interrupt that was the cause.
            if not _interrupted(error) or not self.state.best_epoch:
                raise
            stopped = "interrupted"
        best = self.state.best_epoch
        if stopped != "finished":
            self.run.progress.note(f"stopped ({stopped}): keeping epoch {best}, the best so far")
        checkpoint.restore(self.run.folder / BEST, self.model)
        return stopped

    def _take_up(self) -> None:
        last = self.run.folder / LAST
        if not self.run.resume or not last.exists():
            return
        self.state = checkpoint.resume(last, self.model, self.state.made_by)
        self.run.progress.note(f"going on after epoch {self.state.epoch}")

    def _run_out(self) -> bool:
        """Whether patience is at its end."""
        waited = self.state.epoch - self.state.best_epoch
        return 0 < self.recipe.patience <= waited

    def _epoch(self, number: int, interrupt: Interrupt) -> None:
        seed = self.recipe.seed + number
        seed_all(self.keras, seed)
        history = self.model.fit(
            **self._rows(self.train, seed),
            initial_epoch=number - 1,
            epochs=number,
            shuffle=False,
            verbose=0,
            callbacks=_listener(self.keras, self.model, self.run.progress, interrupt),
        ).history
        metrics = {name: float(values[-1]) for name, values in history.items()}
        if self.aside is not None:
            result = self.model.evaluate(**self._rows(self.aside), return_dict=True, verbose=0)
            metrics |= {f"val_{name}": float(value) for name, value in result.items()}
        self._judge(number, metrics)
        self.run.progress.epoch(number, metrics)

    def _judge(self, number: int, metrics: dict[str, float]) -> None:
        """Saves the epoch, as the best too if it is."""
        loss = metrics["loss" if self.aside is None else "val_loss"]
        if not math.isfinite(loss) and not self.state.best_epoch:
            raise InvalidInput(
                f"training: the loss is {loss} after epoch {number}",
                hint="lower the learning rate",
                field="learning_rate",
            )
        self.state.epoch = number
        self.state.history = [*self.state.history, metrics]
        if self.state.best is None or loss < self.state.best:
            self.state.best, self.state.best_epoch = loss, number
            checkpoint.save(self.run.folder / BEST, self.model, self.state, optimizer=False)
        checkpoint.save(self.run.folder / LAST, self.model, self.state, optimizer=True)

    def _rows(self, split: Split, seed: int | None = None) -> dict[str, Any]:
        """What Keras fits or evaluates: whole arrays in this epoch's order, or a stream."""
        name, loss = self.data.spec.name, self.model.loss
        try:
            batch = split.arrays(_IN_MEMORY)
        except TooLarge:
            steps = "steps" if seed is None else "steps_per_epoch"
            count = math.ceil(len(split) / self.batch_size)
            return {"x": self._stream(split, seed), steps: count}
        x, y = (
            self.encode(batch.inputs[name]),
            objective.targets_for(loss, batch.target, self.data.labels),
        )
        if seed is not None:
            order = np.random.default_rng(seed).permutation(len(x))
            x, y = x[order], y[order]
        return {"x": x, "y": y, "batch_size": self.batch_size}

    def _stream(self, split: Split, seed: int | None) -> Iterator[tuple[Array, Array]]:
        for batch in split.batches(self.batch_size, seed=seed):
            target = objective.targets_for(self.model.loss, batch.target, self.data.labels)
            yield self.encode(batch.inputs[self.data.spec.name]), target


def _as_it_is(x: Array) -> Array:
    return x


def _listener(keras: Any, model: Any, progress: Progress, interrupt: Interrupt) -> Any:
    """Tells of every step. Reading the metrics waits for the step, so that is done seldom."""

    class Listener(keras.callbacks.CallbackList):  # type: ignore[misc]
        metrics: Mapping[str, float] = {}
        read = 0.0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
            interrupt.check()
            now = time.monotonic()
            if now - self.read >= _REDRAW:
                self.metrics = {name: float(value) for name, value in (logs or {}).items()}
                self.read = now
            progress.step(self.metrics)

    return Listener(model=model, add_history=True)


def _interrupted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_ends(keras: Any, model: Any, given: TensorSpec, data: Dataset, recipe: Recipe) -> None:
    """Refuses a model that does not take the rows or give what the target asks for."""
    what = f'family "{recipe.family}"'
    try:
        if not model.built:
            model.build((None, *given.row))
        made = keras.tree.flatten(model(keras.KerasTensor((None, *given.row), given.dtype)))
    except Exception as error:  # the user's model: anything may be wrong with it
        raise InvalidInput(
            f"{what}: expected a model that takes {given}: {error}", field="family"
        ) from error
    expected = (None, 1 if data.labels is None else len(data.labels))
    received = [tuple(tensor.shape) for tensor in made]
    if received != [expected]:
        shown = ", ".join(format_shape(shape) for shape in received)
        raise InvalidInput(
            f"{what}: expected an output {format_shape(expected)}, received {shown}",
            hint="one score a class, or one value",
            field="family",
        )


def _describe(
    keras: Any, model: Any, data: Dataset, recipe: Recipe, front: Front | None
) -> Trained:
    reading: Classification | Regression
    if data.labels is None:
        reading = Regression("value", data.target)
    elif objective.takes_logits(model):
        reading = Classification("logits", data.labels, activation="softmax")
    else:
        reading = Classification("probabilities", data.labels)
    target = TensorSpec(reading.output, "float32", (None, len(data.labels or "1")))
    signature = Signature((data.spec,), (target,))
    trained = as_trained(keras, model, signature, recipe.family, reading, front)
    if data.labels is not None:
        return trained
    # Single precision has seven digits, so quantities far from 1 differ by more.
    largest = float(np.abs(data.train.target).max(initial=1.0))
    return dataclasses.replace(trained, tolerance=trained.tolerance * largest)
