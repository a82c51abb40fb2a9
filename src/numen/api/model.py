"""A model in hand: predict with it, measure it, publish it. No server is involved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numen.core.bundle import Bundle
from numen.core.conformal import Conformal
from numen.core.errors import InvalidInput
from numen.core.manifest import (
    AudioInput,
    Classification,
    ImageInput,
    Manifest,
    Regression,
    TextInput,
)
from numen.core.signature import Array
from numen.explain.explanation import Explainer, Explanation
from numen.runtime import process
from numen.runtime.answer import describe
from numen.runtime.base import Runtime, open_variant
from numen.store.catalog import ModelVersion

if TYPE_CHECKING:
    from numen.data.dataset import Batch, Dataset, Split
    from numen.explain.counterfactual import Counterfactual
    from numen.explain.nearest import Alike
    from numen.explain.overall import Dependence, Overall
    from numen.train.evaluate import Judged, Report


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
            x: Arrays by input name; one row or a batch for a model of one input; a picture's or a
                sound's path or bytes; an object of named fields or a list of them.

        Returns:
            The output `[rows, …]`, or outputs by name where there are several.

        Raises:
            InvalidInput: The model does not take such a value.
        """
        outputs = self._run(self._inputs(x))
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def classify(self, x: Any, top: int = 5) -> list[dict[str, Any]]:
        """As `predict`, in words, an object a row: label, probability and the `top` best.

        Where the model has sets, also the `set` of labels that cannot be ruled out; of a quantity
        its `interval`.
        """
        return describe(self.manifest, self._run(self._inputs(x)), top)

    def explain(
        self, x: Any, method: str | None = None, target: str | int | None = None
    ) -> Explanation:
        """Why the model answers so.

        Args:
            x: As of `predict`.
            method: One of `explainer.methods`; the usual one when None.
            target: The label that is asked about, by name or by place; the likeliest when None.

        Returns:
            Numbers by row, and pictures: `model.explain(x).plot()`.

        Raises:
            InvalidInput: The model does not take such a value, or method or target is not known.
            NotFound: Nothing explains a model of its kind.
        """
        inputs = self._inputs(x)
        rows = self.manifest.signature.check(inputs)
        explainer = self.explainer
        chosen = explainer.method(method)
        given = explainer.about(inputs, target)
        outputs = self._explaining.predict(explainer.signature.complete(given, rows))
        return explainer.explanation(chosen, given, outputs)

    @cached_property
    def explainer(self) -> Explainer:
        """What may be asked of its explanation.

        Raises:
            NotFound: Nothing explains a model of its kind.
        """
        inner = self.bundle.explanation()
        return Explainer(inner.manifest, inner.manifest.signature)

    @cached_property
    def _explaining(self) -> Runtime:
        return open_variant(self.bundle.explanation())

    def evaluate(self, split: Split, by: Sequence[str] = (), seed: int = 0) -> Report:
        """Measures the model on labelled rows.

        Args:
            split: Such as `data.test`.
            by: Columns every value of which is looked at by itself; of the others, those on which
                the model is weak are found anyway.
            seed: Of the resamples that say how sure a figure is.

        Raises:
            InvalidInput: The data's rows are not what the model takes, or lack a column of `by`.
        """
        from numen.train.evaluate import report_of

        how = self.manifest.postprocess
        target = how.target if isinstance(how, Regression) else "class"
        return report_of(self.judge(split), target=target, by=by, seed=seed)

    def importance(
        self,
        split: Split,
        *,
        repeats: int = 5,
        seed: int = 0,
        told: Callable[[int, str], None] = lambda _place, _name: None,
    ) -> Overall:
        """What each column of a table is worth to the model: by shuffling it among held-out rows.

        Args:
            split: Such as `data.test`; of more than 5,000 rows as many, spread evenly.
            repeats: How often each column is shuffled, at least once.
            seed: The same seed shuffles the same.
            told: Hears the place and the name of the column that is next.

        Raises:
            InvalidInput: The model is of no table or learns an order, or the data's rows are not
                what it takes.
        """
        from numen.api.overall import importance

        return importance(self, split, repeats=repeats, seed=seed, told=told)

    def dependence(self, split: Split, column: str, *, seed: int = 0) -> Dependence:
        """What the model says as one column goes through its values, all others being as they are.

        Args:
            split: Such as `data.test`; of more than 5,000 rows as many, spread evenly.
            column: Which.
            seed: Of the single rows that are kept beside the mean.

        Raises:
            InvalidInput: As `importance`; or the column is none of the model's, or a text.
        """
        from numen.api.overall import dependence

        return dependence(self, split, column, seed=seed)

    def counterfactual(
        self,
        row: Mapping[str, Any],
        wanted: str | tuple[float | None, float | None],
        *,
        vary: Sequence[str] = (),
        fix: Sequence[str] = (),
        bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
        most: int = 3,
    ) -> list[Counterfactual]:
        """What would have to be different in a row of a table for the model to answer otherwise.

        Args:
            row: Its named fields.
            wanted: The label that is to be the answer; of a quantity the range, `(low, high)`,
                where None is open.
            vary: The columns that may change; numbers and categories by default.
            fix: Of these, the columns that stay.
            bounds: Between which values a number may change, by column; by default between the
                2nd and the 98th percentile of the rows the model learnt from, where None stands
                as well.
            most: How many are wanted at most.

        Returns:
            The nearest first. Each says what makes the model answer so, not what would make the
            world so.

        Raises:
            InvalidInput: The model answers so already, has no such label or columns, or is of no
                table.
            NotFound: Nothing that is allowed makes the model answer so.
        """
        from numen.api.change import counterfactual

        return counterfactual(self, row, wanted, vary=vary, fix=fix, bounds=bounds, most=most)

    def alike(self, split: Split, row: Mapping[str, Any], most: int = 3) -> list[Alike]:
        """The rows of a table most like one, of those that the model answers alike.

        Args:
            split: Such as `data.train`; of more than 5,000 rows as many, spread evenly.
            row: Its named fields.
            most: How many are wanted at most.

        Returns:
            The nearest first; see `numen.explain.nearest.distances`.

        Raises:
            InvalidInput: The model is of no table, or the row is not what it takes.
        """
        from numen.api.overall import alike

        return alike(self, split, row, most)

    def judge(self, split: Split, variant: Runtime | None = None) -> Judged:
        """Predictions on labelled rows, beside the truth.

        Args:
            split: The rows.
            variant: What is to predict, where it is not the exact model.

        Raises:
            InvalidInput: The data's rows are not what the model takes, or it orders rows within
                groups and they have none.
        """
        from numen.train.evaluate import judge
        from numen.train.ranking import groups_to_judge

        how = self.manifest.postprocess
        labels = how.labels if isinstance(how, Classification) else None
        several = isinstance(how, Classification) and how.several
        quantities = how.targets if isinstance(how, Regression) else ()
        found = how.conformal if how is not None else None
        group = groups_to_judge(self.manifest.recipe.get("loss", ""), split)

        def predict(batch: Batch) -> Array:
            return self.score(batch, variant)

        return judge(
            predict, split, labels, self.manifest.preprocess,
            group=group, several=several, quantities=quantities,
            conformal=found if isinstance(found, Conformal) else None,
        )  # fmt: skip

    def score(self, batch: Batch, variant: Runtime | None = None) -> Array:
        """A data set's rows to probabilities `[rows, labels]` or values `[rows, …]`."""
        how = self.manifest.postprocess
        outputs = (variant or self.runtime).predict(self.given(batch))
        if isinstance(how, Classification):
            return process.probabilities(outputs, how)
        return next(iter(outputs.values())).reshape(len(batch), -1)

    def seeing(self, data: Dataset) -> Dataset:
        """The data with this model's columns, categories and classes, matched by name.

        Raises:
            InvalidInput: A column or a class is only in one of them.
        """
        from numen.data.align import align

        how = self.manifest.postprocess
        return data if how is None else align(data, self.manifest.preprocess, how)

    def given(self, batch: Batch) -> dict[str, Array]:
        """A data set's rows as the model's input.

        Raises:
            InvalidInput: They are not what the model takes.
        """
        how = self.manifest.preprocess
        (rows,) = batch.inputs.values()
        if isinstance(how, ImageInput):
            inputs = {how.input: process.pixels_to_input(rows, how)}
        elif how is not None:
            inputs = {how.input: rows}
        else:
            inputs = process.read_numbers(self.manifest, rows)
        self.manifest.signature.check(inputs)
        return inputs

    def _run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        self.manifest.signature.check(inputs)
        return self.runtime.predict(inputs)

    def _inputs(self, x: Any) -> dict[str, Array]:
        names = {spec.name for spec in self.manifest.signature.inputs}
        text = isinstance(self.manifest.preprocess, TextInput)
        if isinstance(x, Mapping) and x.keys() == names and not text:
            specs = {spec.name: spec for spec in self.manifest.signature.inputs}
            return {name: np.asarray(value, specs[name].numpy) for name, value in x.items()}
        if isinstance(x, Path) or (
            isinstance(x, str) and isinstance(self.manifest.preprocess, ImageInput | AudioInput)
        ):
            try:
                x = Path(x).read_bytes()
            except OSError as error:
                raise InvalidInput(f"cannot read {x}: {error.strerror}") from error
        return process.read_input(self.manifest, x)

    def __repr__(self) -> str:
        named = f"{self.version.name}@{self.version.version} " if self.version else ""
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        return f"<numen.Model {named}{self.manifest.family} {metrics}>"
