"""Trains the user's own torch module on any Dataset of numbers.

The recipe's `module:build` gets the data and the parameters and returns the module; it is given
rows as the data have them (`float32`, pixels of 0-255) and answers one score a class, or one value.
Each epoch has its own seed, so a run that was resumed sees what an unbroken one would have seen.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import numpy as np

from numen.core.errors import InvalidInput, TooLarge
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Signature, TensorSpec
from numen.data.dataset import Batch, Dataset, Split
from numen.train.base import Run, Trained
from numen.train.interrupt import Interrupt, interruptible
from numen.train.own import find_build
from numen.train.recipe import Recipe, refuse
from numen.train.standing import BEST, LAST
from numen.train.torch import checkpoint
from numen.train.torch.checkpoint import TorchState
from numen.train.torch.export import as_trained, evaluating, load_torch
from numen.train.torch.objective import SCHEDULES, find_loss, is_descent, make_optimizer

Stopped = Literal["finished", "early", "interrupted"]
_EPOCHS: Final = 5
_BATCH: Final = 32
_IN_MEMORY: Final = 2 << 30  # bytes of rows held at once; more are read in batches
# What must be the same for a run to go on; patience may grow, epochs too unless they set the pace.
_SAME: Final = (
    "family", "params", "loss", "optimizer", "learning_rate", "schedule", "weight_decay",
    "batch_size", "validation", "seed",
)  # fmt: skip


class TorchTrainer:
    """The plug-in `torch` of the seam `numen.trainers`; it trains what is the user's own."""

    families: tuple[str, ...] = ()

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Trains as the recipe says; see `numen.train.base.Trainer`.

        Raises:
            InvalidInput: The recipe does not fit the data or the module, or the loss diverges.
            MissingExtra: torch is not installed.
            ExportFailed: The module has no way to ONNX; found out before training.
        """
        refuse(recipe, "backend", "class_weight", "precision", "augment", "body")
        torch = load_torch()
        _seed(torch, recipe.seed)
        model = _build(torch, data, recipe)
        fit = _Fit(torch, model, data, recipe, run)
        trained = _describe(torch, model, data, recipe)
        run.folder.mkdir(parents=True, exist_ok=True)
        trained.export(run.folder / "untrained.onnx")
        (run.folder / "untrained.onnx").unlink()
        stopped = fit.go()
        history: tuple[Mapping[str, float], ...] = tuple(fit.state.history)
        return dataclasses.replace(trained, history=history, stopped=stopped)


class _Fit:
    """One run: where it stands, and the epochs still to do."""

    def __init__(self, torch: Any, model: Any, data: Dataset, recipe: Recipe, run: Run):
        self.torch, self.model, self.data, self.recipe, self.run = torch, model, data, recipe, run
        self.train, self.aside = data.train, None
        if recipe.validation:
            self.train, self.aside = data.train.divide(recipe.validation, recipe.seed)
        self.epochs = recipe.epochs or _EPOCHS
        rows = len(self.train)
        self.batch_size = rows if is_descent(recipe) else min(recipe.batch_size or _BATCH, rows)
        self.steps = math.ceil(rows / self.batch_size)
        self.loss = find_loss(torch, recipe, data.labels is not None)
        self.optimizer = make_optimizer(torch, model, recipe)
        self.first_rates = [group["lr"] for group in self.optimizer.param_groups]
        made_by = {name: getattr(recipe, name) for name in _SAME} | {"data": data.digest}
        if recipe.schedule not in ("", "constant"):
            made_by["epochs"] = self.epochs
        self.state = TorchState(made_by)

    def go(self) -> Stopped:
        """Trains to the end, or to Ctrl-C, and leaves the best epoch's weights in the module.

        Raises:
            KeyboardInterrupt: Before the first epoch was done.
        """
        last = self.run.folder / LAST
        if self.run.resume and last.exists():
            self.state = checkpoint.resume(
                self.torch, last, self.model, self.optimizer, self.state.made_by
            )
            self.run.progress.note(f"going on after epoch {self.state.epoch}")
        stopped: Stopped = "finished"
        try:
            with interruptible() as interrupt:
                self.run.progress.begin(self.epochs, self.steps)
                while self.state.epoch < self.epochs:
                    interrupt.check()
                    if 0 < self.recipe.patience <= self.state.epoch - self.state.best_epoch:
                        stopped = "early"
                        break
                    self._epoch(self.state.epoch + 1, interrupt)
        except KeyboardInterrupt:
            if not self.state.best_epoch:
                raise
            stopped = "interrupted"
        if stopped != "finished":
            kept = self.state.best_epoch
            self.run.progress.note(f"stopped ({stopped}): keeping epoch {kept}, the best so far")
        checkpoint.restore(self.torch, self.run.folder / BEST, self.model)
        return stopped

    def _epoch(self, number: int, interrupt: Interrupt) -> None:
        seed = self.recipe.seed + number
        _seed(self.torch, seed)
        self.model.train()
        tally = _Tally(self.data.labels is not None)
        for step, (x, y) in enumerate(self._batches(self.train, seed)):
            interrupt.check()
            done = ((number - 1) * self.steps + step) / (self.epochs * self.steps)
            factor = SCHEDULES[self.recipe.schedule](done)
            for group, rate in zip(self.optimizer.param_groups, self.first_rates, strict=True):
                group["lr"] = rate * factor
            self.optimizer.zero_grad(set_to_none=True)
            made = self.model(x)
            loss = self.loss(made, y)
            loss.backward()
            self.optimizer.step()
            tally.add(made.detach(), y, float(loss.detach()))
            self.run.progress.step(tally.metrics)
        metrics = tally.metrics
        if self.aside is not None:
            judged = _Tally(self.data.labels is not None)
            with evaluating(self.torch, self.model):
                for x, y in self._batches(self.aside, None):
                    made = self.model(x)
                    judged.add(made, y, float(self.loss(made, y)))
            metrics |= {f"val_{name}": value for name, value in judged.metrics.items()}
        self._judge(number, metrics)
        self.run.progress.epoch(number, metrics)

    def _judge(self, number: int, metrics: dict[str, float]) -> None:
        """Saves the epoch, as the best too if it is."""
        if self.state.take(number, metrics, aside=self.aside is not None):
            checkpoint.save(self.run.folder / BEST, self.model, self.state)
        checkpoint.save(self.run.folder / LAST, self.model, self.state, self.optimizer)

    def _batches(self, split: Split, seed: int | None) -> Iterator[tuple[Any, Any]]:
        """Inputs and targets as tensors, in the epoch's order."""
        try:
            whole = split.arrays(_IN_MEMORY)
        except TooLarge:
            for batch in split.batches(self.batch_size, seed=seed):
                yield self._tensors(batch)
            return
        order = np.arange(len(whole))
        if seed is not None:
            order = np.random.default_rng(seed).permutation(len(whole))
        (x,) = whole.inputs.values()
        for at in range(0, len(order), self.batch_size):
            rows = order[at : at + self.batch_size]
            yield self._tensors(Batch({self.data.spec.name: x[rows]}, whole.target[rows]))

    def _tensors(self, batch: Batch) -> tuple[Any, Any]:
        (x,) = batch.inputs.values()
        y: Array = batch.target
        if self.data.labels is None:
            y = y.astype(np.float32).reshape(-1, 1)
        return self.torch.from_numpy(x.astype(np.float32)), self.torch.from_numpy(y.copy())


class _Tally:
    """Running means over an epoch."""

    def __init__(self, classes: bool):
        self._classes = classes
        self._rows = 0
        self._loss = self._second = 0.0

    def add(self, made: Any, y: Any, loss: float) -> None:
        """Takes in a batch's outputs, its targets and its mean loss."""
        self._rows += len(y)
        self._loss += loss * len(y)
        right = made.argmax(1) == y if self._classes else (made - y).abs()
        self._second += float(right.sum())

    @property
    def metrics(self) -> dict[str, float]:
        """`loss`, and `accuracy` or `mae`."""
        rows = max(self._rows, 1)
        second = "accuracy" if self._classes else "mae"
        return {"loss": self._loss / rows, second: self._second / rows}


def _build(torch: Any, data: Dataset, recipe: Recipe) -> Any:
    """The user's module, if it takes the rows and gives what the target asks for."""
    what = f'family "{recipe.family}"'
    if ":" not in recipe.family:
        raise InvalidInput(f'{what}: trainer "torch" trains your own module:build', field="family")
    if data.spec.dtype != "float32":
        raise InvalidInput(f"{what}: expected rows of numbers, received {data.spec}", field="data")
    model = find_build(recipe.family)(data, **recipe.params)
    if not isinstance(model, torch.nn.Module):
        raise InvalidInput(
            f"{what}: expected a torch.nn.Module, received {type(model).__name__}", field="family"
        )
    try:
        with evaluating(torch, model):
            made = model(torch.zeros((2, *(size or 1 for size in data.spec.row))))
    except Exception as error:  # the user's module: anything may be wrong with it
        raise InvalidInput(
            f"{what}: expected a module that takes {data.spec}: {error}", field="family"
        ) from error
    expected = (2, 1 if data.labels is None else len(data.labels))
    received = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
    if received != expected:
        raise InvalidInput(
            f"{what}: expected an output of {expected} for two rows, received {received}",
            hint="one score a class (before any softmax), or one value",
            field="family",
        )
    return model


def _describe(torch: Any, model: Any, data: Dataset, recipe: Recipe) -> Trained:
    reading: Classification | Regression
    if data.labels is None:
        reading = Regression("value", data.target)
    else:
        reading = Classification("logits", data.labels, activation="softmax")
    target = TensorSpec(reading.output, "float32", (None, len(data.labels or "1")))
    trained = as_trained(torch, model, Signature((data.spec,), (target,)), recipe.family, reading)
    if data.labels is not None:
        return trained
    # Single precision has seven digits, so quantities far from 1 differ by more.
    largest = float(np.abs(data.train.target).max(initial=1.0))
    return dataclasses.replace(trained, tolerance=trained.tolerance * largest)


def _seed(torch: Any, seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
