"""A model in hand: predict with it, measure it, publish it. No server is involved."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numen.core.bundle import Bundle
from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, ColumnsInput, ImageInput, Manifest
from numen.core.signature import Array
from numen.runtime import process
from numen.runtime.base import Runtime, open_variant
from numen.store.catalog import ModelVersion

if TYPE_CHECKING:
    from numen.data.dataset import Batch, Split
    from numen.train.evaluate import Report


class Model:
    """A bundle that can be called.

    Args:
        bundle: What it is.
        version: As what it is published, if it is.
        stopped: Why its training ended, if it was trained just now.
    """

    def __init__(
        self, bundle: Bundle, version: ModelVersion | None = None, stopped: str = "finished"
    ):
        self.bundle = bundle
        self.version = version
        self.stopped = stopped

    @property
    def manifest(self) -> Manifest:
        """What its bundle says."""
        return self.bundle.manifest

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured when it was made, such as `accuracy`."""
        return self.manifest.metrics

    @cached_property
    def runtime(self) -> Runtime:
        """What runs it, opened on first use."""
        return open_variant(self.bundle)

    def predict(self, x: Any) -> Array | dict[str, Array]:
        """Runs the model.

        Args:
            x: Arrays by input name; one row or a batch for a model of one input; a picture's
                path or bytes; an object of named fields or a list of them.

        Returns:
            The output `[rows, …]`, or outputs by name where there are several.

        Raises:
            InvalidInput: The model does not take such a value.
        """
        outputs = self._run(self._inputs(x))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def classify(self, x: Any, top: int = 5) -> list[dict[str, Any]]:
        """As `predict`, in words: label, probability and the `top` best, an object a row."""
        return process.describe(self.manifest, self._run(self._inputs(x)), top)

    def evaluate(self, split: Split) -> Report:
        """Measures the model on labelled rows.

        Args:
            split: Such as `data.test`.

        Raises:
            InvalidInput: The data's rows are not what the model takes.
        """
        from numen.train.evaluate import evaluate

        how = self.manifest.postprocess
        labels = how.labels if isinstance(how, Classification) else None
        return evaluate(self.score, split, labels)

    def score(self, batch: Batch) -> Array:
        """A data set's rows to probabilities `[rows, labels]` or values `[rows, …]`."""
        how = self.manifest.preprocess
        (given,) = batch.inputs.values()
        if isinstance(how, ImageInput):
            inputs = {how.input: process.pixels_to_input(given, how)}
        elif isinstance(how, ColumnsInput):
            inputs = {how.input: given}
        else:
            inputs = process.read_numbers(self.manifest, given)
        outputs = self._run(inputs)
        post = self.manifest.postprocess
        if isinstance(post, Classification):
            return process.probabilities(outputs, post)
        return next(iter(outputs.values())).reshape(len(given), -1)

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.manifest.signature.check(inputs)
        return self.runtime.predict(inputs)

    def _inputs(self, x: Any) -> dict[str, Array]:
        names = {spec.name for spec in self.manifest.signature.inputs}
        if isinstance(x, Mapping) and x.keys() == names:
            specs = {spec.name: spec for spec in self.manifest.signature.inputs}
            return {name: np.asarray(value, specs[name].numpy) for name, value in x.items()}
        if isinstance(x, Path) or (
            isinstance(x, str) and isinstance(self.manifest.preprocess, ImageInput)
        ):
            try:
                x = Path(x).read_bytes()
            except OSError as error:
                raise InvalidInput(f"image: cannot read {x}: {error.strerror}") from error
        return process.read_input(self.manifest, x)

    def __repr__(self) -> str:
        named = f"{self.version.name}@{self.version.version} " if self.version else ""
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        return f"<numen.Model {named}{self.manifest.family} {metrics}>"
