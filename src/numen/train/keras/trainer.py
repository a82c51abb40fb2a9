"""Trains Keras models: epochs, checkpoints, Ctrl-C, early stopping, going on where a run stopped.

Every epoch has its own seed and its own order of rows, so a run that was interrupted and resumed
sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Signature, TensorSpec, format_shape
from numen.data.dataset import Batch, Dataset, Split
from numen.train.base import Run, Trained
from numen.train.front import Front
from numen.train.interrupt import interruptible
from numen.train.keras import checkpoint, objective
from numen.train.keras.backend import load_keras, seed_all
from numen.train.keras.ends import sizes
from numen.train.keras.export import as_trained
from numen.train.keras.families import FAMILIES, Family, build_own
from numen.train.keras.grouped import Grouped
from numen.train.keras.pairs import check_pair, ending
from numen.train.keras.passes import Passes, Rows
from numen.train.keras.precision import built_with, keep_end, widen
from numen.train.keras.scan import Told
from numen.train.ranking import compares_pairs
from numen.train.recipe import Recipe, refuse
from numen.train.standing import BEST, LAST, State

Stopped = Literal["finished", "early", "interrupted"]
_OWN: Final = Family(build_own, epochs=5, batch_size=32)
# What must be the same for a run to go on; epochs and patience may grow.
_SAME: Final = (
    "family", "params", "loss", "optimizer", "learning_rate", "schedule", "weight_decay",
    "class_weight", "batch_size", "validation", "precision", "seed",
)  # fmt: skip


class KerasTrainer:
    """The plug-in `keras` of the seam `numen.trainers`."""

    families: tuple[str, ...] = tuple(FAMILIES)
    soft_targets = True
    spaces: Mapping[str, Mapping[str, Any]] = {name: f.space for name, f in FAMILIES.items()}

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Trains as the recipe says; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The recipe does not fit the data or the family, or the loss diverges.
            MissingExtra: The back end is not installed.
            ExportFailed: A layer of the model has no way to ONNX; found out before training.
        """
        recipe = msgspec.structs.replace(recipe, family=recipe.family or self.families[0])
        family = FAMILIES.get(recipe.family, _OWN)
        if family.front or family is _OWN:
            refuse(recipe, "augment")
        if not family.body:
            refuse(recipe, "body")
        if "keras" not in sys.modules:
            run.progress.note("loading Keras")  # which takes seconds
        keras = load_keras(recipe.backend)
        seed_all(keras, recipe.seed)
        front = family.front(data, recipe) if family.front else None
        with built_with(keras, recipe.precision):
            model = family.build(keras, data, recipe, *([front] if front else []))
            if data.labels is not None and family is not _OWN and objective.wants_scores(recipe):
                model = _with_scores(keras, model)
        if recipe.precision:
            keep_end(model)
        units = _check_ends(keras, model, front.spec if front else data.spec, data, recipe)
        learner = model
        if data.quantities and family is not _OWN and objective.counts_by_size(recipe):
            learner = _before_sizes(keras, model)
            run.progress.note("losses are in each quantity's standard deviations")
        head = ending(keras, learner)
        fit = _Fit(keras, learner, data, recipe, run, family, front, units)
        fit.in_sizes = learner is model
        falling = (family.falling, fit.epochs * fit.steps)
        objective.compile_model(
            keras, learner, recipe, data.labels, falling,
            head=head, units=units, several=data.several,
        )  # fmt: skip
        classes = None if data.labels is None else len(data.labels)
        check_pair(learner.loss, classes, head, units, several=data.several)
        trained = _describe(keras, model, data, recipe, front, units)
        run.folder.mkdir(parents=True, exist_ok=True)
        trained.export(run.folder / "untrained.onnx")
        (run.folder / "untrained.onnx").unlink()

        stopped = fit.go()
        if recipe.precision:
            widen(model)
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
        units: int,
    ):
        self.keras, self.model, self.data, self.recipe, self.run = keras, model, data, recipe, run
        self.front = front
        self.units = units
        #: Whether the model says quantities in their own sizes, not in deviations.
        self.in_sizes = True
        self.sizes = sizes(data.train.target) if data.quantities else None
        self.weights = objective.class_weights(recipe, data.train.target, data.labels)
        parts = [data.train]
        if recipe.validation:
            parts = [*data.train.divide(recipe.validation, recipe.seed)]
        pairs = compares_pairs(recipe.loss) and data.train.group is not None
        given: list[Split | Grouped] = [Grouped(p) if pairs else p for p in parts]
        self.train, self.aside = given[0], given[1] if recipe.validation else None
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
                train, aside = self._passes()

                def told(done: int, metrics: dict[str, float]) -> bool:
                    interrupt.check()
                    self.run.progress.step({"step": done, **metrics})
                    return True

                while self.state.epoch < self.epochs:
                    interrupt.check()
                    if self._run_out():
                        stopped = "early"
                        break
                    self._epoch(self.state.epoch + 1, train, aside, told)
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

    def _passes(self) -> tuple[Passes, Passes | None]:
        """Over the rows to learn from, and over those kept aside."""
        of = partial(Passes, self.keras, self.model, batch_size=self.batch_size)
        vary = self.front.varied if self.front is not None and self.front.vary else None
        train = of(Rows(self.train, partial(self._pack, self.weights), vary), training=True)
        if train.why:
            self.run.progress.note(f"step by step, as Keras does it: {train.why}")
        if self.aside is None:
            return train, None
        return train, of(Rows(self.aside, partial(self._pack, None)), training=False)

    def _epoch(self, number: int, train: Passes, aside: Passes | None, told: Told) -> None:
        seed = self.recipe.seed + number
        seed_all(self.keras, seed)
        metrics = train.train(number, seed, told)
        if aside is not None:
            metrics |= {f"val_{name}": value for name, value in aside.measure().items()}
        self._judge(number, metrics)
        self.run.progress.epoch(number, metrics)

    def _judge(self, number: int, metrics: dict[str, float]) -> None:
        """Saves the epoch, as the best too if it is."""
        if self.state.take(number, metrics, aside=self.aside is not None):
            checkpoint.save(self.run.folder / BEST, self.model, self.state, optimizer=False)
        checkpoint.save(self.run.folder / LAST, self.model, self.state, optimizer=True)

    def _pack(self, weights: Array | None, batch: Batch) -> tuple[Array, ...]:
        """Rows as Keras takes them: encoded, the target as the loss wants it, with weights."""
        x = batch.inputs[self.data.spec.name]
        x = x if self.front is None else self.front.encode(x)
        y = objective.targets_for(self.model.loss, batch.target, self.data.labels, self.units)
        if self.sizes is not None and not self.in_sizes:
            mean, deviation = self.sizes
            y = ((y - np.array(mean)) / np.array(deviation)).astype("float32")
        return (x, y) if weights is None else (x, y, weights[batch.target])


def _interrupted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _with_scores(keras: Any, model: Any) -> Any:
    """A built-in model with its last layer's scores as they are, not as probabilities."""
    last = model.layers[-1]
    scores = keras.layers.Dense(last.units, name="logits")(last.input)
    return keras.Model(model.inputs, scores, name=model.name)


def _before_sizes(keras: Any, model: Any) -> Any:
    """A built-in model up to where quantities get their own sizes, so that each counts alike."""
    return keras.Model(model.inputs, model.layers[-1].input, name=model.name)


def _check_ends(keras: Any, model: Any, given: TensorSpec, data: Dataset, recipe: Recipe) -> int:
    """The width of the output.

    Raises:
        InvalidInput: The model does not take the rows, or give what the target asks for.
    """
    what = f'family "{recipe.family}"'
    try:
        if not model.built:
            model.build((None, *given.row))
        made = keras.tree.flatten(model(keras.KerasTensor((None, *given.row), given.dtype)))
    except Exception as error:  # the user's model: anything may be wrong with it
        raise InvalidInput(
            f"{what}: expected a model that takes {given}: {error}", field="family"
        ) from error
    expected = (None, data.width)
    received = [tuple(tensor.shape) for tensor in made]
    two_classes = data.labels is not None and not data.several and data.width == 2
    one_of_two = two_classes and received == [(None, 1)]
    if received != [expected] and not one_of_two:
        shown = ", ".join(format_shape(shape) for shape in received)
        raise InvalidInput(
            f"{what}: expected an output {format_shape(expected)}, received {shown}",
            hint="one score a label, or one value a quantity",
            field="family",
        )
    return int(received[0][1] or 1)


def _describe(
    keras: Any, model: Any, data: Dataset, recipe: Recipe, front: Front | None, units: int
) -> Trained:
    reading: Classification | Regression
    if data.labels is None:
        reading = Regression("value", data.target, data.quantities)
    elif objective.takes_logits(model) or ending(keras, model) == "linear":
        apart = units == 1 or data.several
        activation: Literal["sigmoid", "softmax"] = "sigmoid" if apart else "softmax"
        reading = Classification("logits", data.labels, activation, data.several)
    else:
        reading = Classification("probabilities", data.labels, several=data.several)
    target = TensorSpec(reading.output, "float32", (None, units))
    signature = Signature((data.spec,), (target,))
    trained = as_trained(keras, model, signature, recipe.family, reading, front)
    if data.labels is not None:
        return trained
    # Single precision has seven digits, so quantities far from 1 differ by more.
    largest = float(np.abs(data.train.target).max(initial=1.0))
    return dataclasses.replace(trained, tolerance=trained.tolerance * largest)
