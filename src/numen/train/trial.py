"""One trial of a search: a recipe trained only to see how good it gets.

Nothing is exported or kept. The verdict of an epoch comes from whoever searches, in this process
or another; a training that is not worth going on with is ended there.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from numen.core.errors import InvalidInput
from numen.data.dataset import Dataset
from numen.train.base import Ended, Run
from numen.train.find import trainer_for
from numen.train.recipe import Recipe

Verdict: TypeAlias = Literal["", "prune", "stop"]
# Given an epoch's number and its metric; what to do next.
Judge: TypeAlias = Callable[[int, float], Verdict]
State: TypeAlias = Literal["complete", "pruned", "failed", "stopped", "lost"]

_LOOKS: Final = 20  # at most so often is a trial judged; rounds of boosting are many
_ENDED: Final[Mapping[Verdict, State]] = {"prune": "pruned", "stop": "stopped"}


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a trial.

    Attributes:
        state: `complete`; `pruned` as not worth going on with; `failed` by its own fault;
            `stopped` as the budget or the person's patience was at an end; `lost` with the
            machine it ran on.
        value: The metric at the epoch that would have been kept.
        epoch: That epoch.
        epochs: Epochs done.
        metrics: All that was said of that epoch.
        seconds: How long it took.
        error: Why it failed or was lost.
        where: The node it ran on, where there are several.
    """

    state: State
    value: float | None = None
    epoch: int = 0
    epochs: int = 0
    metrics: dict[str, float] = {}
    seconds: float = 0.0
    error: str = ""
    where: str = ""


def attempt(data: Dataset, recipe: Recipe, metric: str, judge: Judge) -> Outcome:
    """Trains a recipe and says what came of it; its failure is an outcome too.

    Raises:
        KeyboardInterrupt: Ctrl-C, however far it had come.
    """
    begin = time.monotonic()
    listener = _Listener(metric, judge)
    state: State = "complete"
    error = ""
    with tempfile.TemporaryDirectory(prefix="numen-trial-") as folder:
        try:
            trained = trainer_for(recipe).fit(data, recipe, Run(Path(folder), listener))
            if trained.stopped == "interrupted":
                raise KeyboardInterrupt
            if listener.value is None:
                state, error = "failed", f"no epoch gave a finite {metric}"
        except Ended:
            state = _ENDED[listener.verdict]
        except Exception as failure:  # the user's model or a bad corner of the space
            state, error = "failed", str(failure) or type(failure).__name__
    return Outcome(
        state,
        listener.value,
        listener.epoch_kept,
        listener.epochs,
        listener.metrics,
        time.monotonic() - begin,
        error,
    )


def rehearse(data: Dataset, recipes: Iterable[Recipe]) -> None:
    """Begins the training of some recipes and ends it before the first step.

    Raises:
        InvalidInput: One does not fit the data or its family; the message says what does.
        MissingExtra: What it needs is not installed.
        ExportFailed: A layer has no way to ONNX.
    """
    for recipe in recipes:
        with tempfile.TemporaryDirectory(prefix="numen-trial-") as folder:
            try:
                trainer_for(recipe).fit(data, recipe, Run(Path(folder), _Ready()))
            except Ended:
                continue


class _Listener:
    """Follows a training epoch by epoch, remembers the one it will keep, and asks for a verdict."""

    def __init__(self, metric: str, judge: Judge):
        self._metric, self._judge = metric, judge
        self._every = 1
        self._next = 0
        self._last = 0
        self._lowest = float("inf")
        self.epochs = 0
        self.epoch_kept = 0
        self.value: float | None = None
        self.metrics: dict[str, float] = {}
        self.verdict: Verdict = ""

    def begin(self, epochs: int, steps: int) -> None:  # noqa: ARG002
        """Spreads the looks over the training."""
        self._every = max(1, epochs // _LOOKS)
        self._last = epochs

    def step(self, metrics: Mapping[str, float]) -> None:
        """Ignored."""

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Remembers the epoch if trainers would, and ends what is not worth going on with."""
        if self._metric not in metrics:
            raise InvalidInput(
                f"metric: the trainer tells of {', '.join(metrics) or 'nothing'}, "
                f'not of "{self._metric}"',
                field="metric",
            )
        self.epochs = number
        value = float(metrics[self._metric])
        # As trainers do: the lowest loss on the rows kept aside, where they tell of it.
        loss = metrics.get("val_loss", -number)
        if loss < self._lowest and abs(value) < float("inf"):
            self._lowest, self.epoch_kept, self.value = loss, number, value
            self.metrics = {name: float(figure) for name, figure in metrics.items()}
        if number < self._next or number >= self._last:  # at the last there is nothing to save
            return
        self._next = number + self._every
        self.verdict = self._judge(number, value)
        if self.verdict:
            raise Ended(self.verdict)

    def note(self, message: str) -> None:
        """Ignored."""


class _Ready:
    """Ends a training that is about to begin."""

    def begin(self, epochs: int, steps: int) -> None:  # noqa: ARG002
        """Ends it."""
        raise Ended("ready")

    def step(self, metrics: Mapping[str, float]) -> None:
        """Never reached."""

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Never reached."""

    def note(self, message: str) -> None:
        """Ignored."""
