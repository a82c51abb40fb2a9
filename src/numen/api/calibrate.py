"""A model as often right as it says: its temperature found, and divided into its graph."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from numen.api.conformal import judged_anew, kept_aside
from numen.api.model import Model
from numen.api.package import Measured, write_files
from numen.api.trial import opened
from numen.api.variants import contents
from numen.api.workspace import registry, settings
from numen.core.bundle import Bundle, Golden
from numen.core.errors import ExportFailed, InvalidInput
from numen.core.manifest import Classification, Variant
from numen.data.dataset import Dataset
from numen.data.split import Split
from numen.registry import bundle_folder
from numen.runtime import process
from numen.train.evaluate import Report, plots, report_of
from numen.train.evaluate.calibration import cool, cooled, fit_temperature
from numen.train.evaluate.report import EVALUATION

_HALF: Final = 0.5
_GAIN: Final = 1e-4  # nats of cross-entropy; less is rounding
_GAP: Final = 1e-3  # of a probability, between a graph and the same reckoned from its scores
_BEFOREHAND: Final = 16.0
_SEED: Final = 20_261_125  # of the half of the test rows that is chosen by


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What calibration did.

    Attributes:
        model: The model with its temperature, published if the one before was.
        temperature: What the exact model's scores are divided by; over 1 makes it less sure.
        before: The report of the model as it was.
        after: The report of it now, on the same rows, none of which the temperature has seen.
        fitted_on: Which rows it was fitted on, in words.
    """

    model: Model
    temperature: float
    before: Report
    after: Report
    fitted_on: str


def held_aside(model: Model, data: Dataset) -> tuple[Split, Split, str]:
    """Rows to choose by, from which the model did not learn, and other ones to judge by.

    Those that the recipe kept aside (`validation`) and the test rows; where there are none, the
    test rows are halved.

    Returns:
        The rows to choose by, the rows to judge by, and which the first are in words.
    """
    kept = _kept(model, data)
    if kept is not None:
        return kept, data.test, "the rows that its training kept aside"
    test, aside = data.test.divide(_HALF, _SEED)
    return aside, test, "half of the test rows; the figures are of the other half"


def _kept(model: Model, data: Dataset) -> Split | None:
    """The rows that its training kept aside, if it was trained on these data and kept some."""
    if model.manifest.data != data.digest:
        return None
    return kept_aside(data.train, model.manifest.recipe)


def calibrate(model: Model, data: Dataset, alias: str | None = None) -> Calibrated:
    """Finds a model's temperature and publishes it as the next version with it in its graph.

    It is fitted on the rows that the recipe kept aside (`validation`); where there are none, on
    half of the test rows, and the figures are then of the other half. Its sets of labels are set
    anew on the rows that the recipe kept aside, never on test rows: where there are none, or the
    data are others, it has no sets any more.

    Args:
        model: Of classes.
        data: What it was trained on, or rows like those it will see.
        alias: Moved to the new version.

    Raises:
        InvalidInput: The model tells no classes apart, or is not better calibrated so.
    """
    how = model.manifest.postprocess
    if not isinstance(how, Classification):
        raise InvalidInput("calibrate: expected a model of classes", field="calibrate")
    data = model.seeing(data)
    aside, test, fitted_on = held_aside(model, data)
    before = report_of(model.judge(test), target=data.target)
    with tempfile.TemporaryDirectory() as folder:
        graphs, temperatures = {}, {}
        for variant in model.manifest.variants:
            if variant.runtime != "onnx":
                continue
            graphs[variant.file] = target = Path(folder) / Path(variant.file).name
            temperatures[variant.name] = _cooled(model, how, variant, aside, target)
        temperature = temperatures[model.manifest.variants[0].name]
        made = _written(model, temperature, graphs, test, data)
    after = report_of(made.judge(test), target=data.target)
    if not after.loss < before.loss - _GAIN:
        raise InvalidInput(
            f"calibrate: a temperature of {temperature:.3f} changes the cross-entropy from "
            f"{before.loss:.4f} to {after.loss:.4f} and the calibration error from "
            f"{before.ece:.4f} to {after.ece:.4f}: nothing is gained",
            hint="the model is as sure as it is right already",
            field="calibrate",
        )
    if model.version is not None:
        version = registry().publish(model.version.name, made.bundle, alias)
        made = Model(made.bundle, version)
    return Calibrated(made, temperature, before, after, fitted_on)


def _cooled(
    model: Model, how: Classification, variant: Variant, rows: Split, target: Path
) -> float:
    """Writes a variant's graph with its temperature, and returns that.

    It is found among probabilities of a graph that was cooled beforehand: those of one that is
    far too sure are 0 and 1, of which nothing can be told.

    Raises:
        ExportFailed: The graph does not say what it must.
    """
    exact = model.bundle.file(variant.file)
    cool(exact, target, how, _BEFOREHAND)
    golden = model.bundle.golden().inputs
    with opened(target) as runtime:
        judged = model.judge(rows, runtime)
        before = process.probabilities(runtime.predict(golden), how)
    further = fit_temperature(judged.output, judged.target)
    cool(exact, target, how, _BEFOREHAND * further)
    with opened(target) as runtime:
        after = process.probabilities(runtime.predict(golden), how)
    gap = float(np.abs(after - cooled(before, further)).max(initial=0.0))
    if not gap <= _GAP:
        raise ExportFailed(
            f"calibrate: the graph of {variant.name} differs from what it must say by {gap:.3g}"
        )
    return _BEFOREHAND * further


def _written(
    model: Model, temperature: float, graphs: dict[str, Path], test: Split, data: Dataset
) -> Model:
    """The bundle with its new graphs, what they say recorded and measured anew."""
    manifest = model.manifest
    golden = model.bundle.golden()
    with opened(graphs[manifest.variants[0].file]) as runtime:
        # No framework gave these: the recorded outputs are the new graph's own.
        golden = Golden(golden.inputs, runtime.predict(golden.inputs))
    changed = msgspec.structs.replace(manifest, files=())

    def measure(draft: Bundle) -> Measured:
        judged, reading = judged_anew(Model(draft), test, _kept(model, data))
        report = report_of(judged, target=data.target)
        found = {EVALUATION: msgspec.json.format(msgspec.json.encode(report), indent=2)}
        total = manifest.metrics.get("temperature", 1.0) * temperature
        metrics = {**report.metrics, "temperature": total}
        return Measured(metrics, {**plots(report), **found}, reading)

    place = bundle_folder(settings())
    place.parent.mkdir(parents=True, exist_ok=True)
    files = {**contents(model.bundle), **graphs}
    return Model(write_files(place, changed, files, golden, measure))
