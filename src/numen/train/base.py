"""The trainer seam: what a plug-in gets, and what it gives back.

A trainer never sees the registry, a bundle or the terminal: it is handed a Dataset, a Recipe and
a Run, and returns a Trained. `numen.api` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Arrays, Signature
from numen.train.recipe import Recipe

if TYPE_CHECKING:
    from numen.data.dataset import Dataset


class Progress(Protocol):
    """Who is told how training goes; the command line draws it."""

    def begin(self, epochs: int, steps: int) -> None:
        """Training starts: `epochs` of `steps` each (rounds of boosting are epochs of one)."""

    def step(self, metrics: Mapping[str, float]) -> None:
        """Steps are done; running means of this epoch so far.

        A `step` among the metrics says how many are done of this epoch; without it, one more is.
        """

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Epoch `number` (from 1) is done."""

    def note(self, message: str) -> None:
        """Something a person should know."""


class Silent:
    """A Progress that tells nobody."""

    def begin(self, epochs: int, steps: int) -> None:
        """Ignored."""

    def step(self, metrics: Mapping[str, float]) -> None:
        """Ignored."""

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """Ignored."""

    def note(self, message: str) -> None:
        """Ignored."""


class Ended(Exception):
    """A Progress raises it to end a training of which nothing is wanted; trainers let it through.

    Tuning does so where a trial is not worth going on with.
    """


@dataclass(frozen=True, slots=True)
class Run:
    """One run of training.

    Attributes:
        folder: Holds its checkpoints; kept when training is interrupted.
        progress: Who is told how it goes.
        resume: Go on from the checkpoints in `folder`.
    """

    folder: Path
    progress: Progress
    resume: bool = False


@dataclass(frozen=True, slots=True)
class Trained:
    """A model in its framework, able to predict and to write itself as ONNX.

    Attributes:
        signature: What goes in and comes out; the exported graph has the same names.
        predict: Runs the framework: arrays by input name to arrays by output name.
        export: Writes the ONNX graph to a path, batch size open.
        framework: Name, version and back end, such as `keras 3.15.1 (jax)`.
        family: The built-in family or the user's `module:build`.
        postprocess: How the output is read.
        history: Metrics of each epoch.
        stopped: Why training ended.
        files: More files for the bundle, such as trees' own text.
        tolerance: Largest difference from the framework its export may have.
        licence: Of weights it holds that others trained, as SPDX writes it.
    """

    signature: Signature
    predict: Callable[[Arrays], dict[str, Array]]
    export: Callable[[Path], None]
    framework: str
    family: str
    postprocess: Classification | Regression | None = None
    history: tuple[Mapping[str, float], ...] = ()
    stopped: Literal["finished", "early", "interrupted"] = "finished"
    files: Mapping[str, bytes] = field(default_factory=dict)
    tolerance: float = 1e-4
    licence: str = ""


class Trainer(Protocol):
    """A plug-in of the seam `numen.trainers`."""

    families: tuple[str, ...]

    def fit(self, data: Dataset, recipe: Recipe, run: Run) -> Trained:
        """Trains as the recipe says.

        On Ctrl-C (`KeyboardInterrupt`) it returns the best model so far with
        `stopped="interrupted"`, once at least one epoch is done; before that it lets the
        interrupt through. Anything else that the progress raises, it lets through at once.

        A trainer may have `spaces` as well: by family, what is worth trying of it, as a recipe's
        table `[tune]` would say it.

        Raises:
            InvalidInput: The recipe does not fit the data or the family.
        """


def expect_numbers(data: Dataset, recipe: Recipe) -> None:
    """Refuses texts, for families that compute with numbers.

    Raises:
        InvalidInput: The data are texts.
    """
    if data.spec.dtype == "string":
        raise InvalidInput(
            f'family "{recipe.family}": expected numbers, received texts ({data.spec})',
            hint="use words, text-cnn, gru or transformer",
            field="family",
        )


def expect_one(data: Dataset, recipe: Recipe) -> None:
    """Refuses targets of more than one number, for families that learn one.

    Raises:
        InvalidInput: The target is several quantities, or any number of labels a row.
    """
    if data.many:
        what = "any number of labels a row" if data.several else "several quantities"
        text = data.spec.dtype == "string"
        raise InvalidInput(
            f'family "{recipe.family}": expected one target, received {what} ({data.target})',
            hint=f"use {'text-cnn, gru or transformer' if text else 'forest, linear or mlp'}",
            field="family",
        )


@runtime_checkable
class Soft(Protocol):
    """What a trainer has as well whose classes may be given as shares, `float32[rows, classes]`.

    It is then asked to fit with the loss `categorical_crossentropy`.
    """

    soft_targets: bool


class Exporter(Protocol):
    """A plug-in of the seam `numen.exporters`: takes in a user's own model object."""

    def matches(self, model: Any) -> bool:
        """Whether the object is one of this framework's, told without importing it."""

    def wrap(self, model: Any, sample: Array) -> Trained:
        """The object as a Trained.

        Args:
            model: The user's object.
            sample: A few inputs, `[rows, …]`.

        Raises:
            ExportFailed: It cannot be written as ONNX; the layer or step is named.
        """
