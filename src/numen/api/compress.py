"""Lesser variants of a model, made, measured beside it, and published where they are worth it.

A variant that loses more than the tolerance, or is neither faster nor smaller, is refused.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np

from numen.api.calibrate import held_aside
from numen.api.data import library, open_data
from numen.api.model import Model
from numen.api.package import replay, write_files
from numen.api.train import golden_samples
from numen.api.trial import Tried, lost, opened, trial
from numen.api.variants import contents, with_variants
from numen.api.workspace import load, registry, settings
from numen.core.bundle import Bundle
from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import Classification, ImageInput, Regression
from numen.data import reading as readings
from numen.data.dataset import Dataset
from numen.data.split import Split
from numen.registry import bundle_folder
from numen.train import compress as methods
from numen.train import recipe as recipes
from numen.train.base import Progress, Run, Silent, Soft
from numen.train.find import trainer_for

Int8 = Literal["", "auto", "static", "dynamic"]
Make = Callable[[Path], None]
_CALIBRATION: Final = 512  # training rows that ranges are learnt from
_CHOOSING: Final = 4_000  # rows by which the number of trees is chosen
_PARTS: Final = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 1)  # of the trees


@dataclasses.dataclass(frozen=True, slots=True)
class Compressed:
    """What compression did.

    Attributes:
        model: The model with the variants that were kept, published if the one before was.
        exact: The exact variant.
        tried: The others, kept or refused.
        metric: What `score` is: `accuracy` or `r2`.
        rows: Test rows judged.
    """

    model: Model
    exact: Tried
    tried: tuple[Tried, ...]
    metric: str
    rows: int


def compress(
    model: Model | str,
    *,
    int8: Int8 | bool = "",
    distill: str = "",
    prune: bool = False,
    data: Dataset | str | Path = "",
    tolerance: float = 0.01,
    alias: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Compressed:
    """Makes lesser variants of a model and publishes those worth it as its next version.

    Args:
        model: A model, or its reference.
        int8: Weights in 8 bits: `static` learns the ranges of activations from training rows,
            `dynamic` finds them in each call and leaves convolutions alone; True is static where
            there are convolutions, else dynamic.
        distill: A family: a student of it learns what the model says of the training rows.
        prune: Trees only: as few of the first ones as keep the accuracy.
        data: What to learn from and judge by; what the model was trained on by default.
        tolerance: How much accuracy (or r2) on the test rows a variant may lose.
        alias: Moved to the new version.
        progress: Who is told how the student's training goes.
        **options: Fields of the student's recipe (`epochs`, …); others are its family's.

    Raises:
        InvalidInput: Nothing was asked for, it does not suit the model, or every variant was
            refused: the message has the figures.
    """
    if isinstance(model, str):
        model = load(model)
    if not 0 <= tolerance < 1:
        raise InvalidInput(f"tolerance: expected 0 to 1, received {tolerance}", field="tolerance")
    dataset = model.seeing(_data(model, data))
    makers = _makers(model, dataset, int8, distill, prune, tolerance, progress, options)
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.onnx" for name in makers}
        for name, make_variant in makers.items():
            make_variant(paths[name])
        # What the number of trees was chosen by cannot judge it.
        test = held_aside(model, dataset)[1] if prune else dataset.test
        found = trial(model, test, paths, tolerance)
        kept = {t.name: paths[t.name] for t in found.tried if not t.refused}
        if not kept:
            raise InvalidInput(
                "compress: no variant is worth serving: "
                + "; ".join(f"{t.name} {t.refused} ({t})" for t in found.tried),
                hint=f"the exact model: {found.exact}",
            )
        metrics = {
            t.name: t.metrics(found.metric) for t in (found.exact, *found.tried) if not t.refused
        }
        target = bundle_folder(settings())
        bundle = with_variants(_without(model, kept), target, kept, metrics)
    version = None
    if model.version is not None:
        version = registry().publish(model.version.name, bundle, alias)
    return Compressed(Model(bundle, version), found.exact, found.tried, found.metric, len(test))


def _makers(
    model: Model,
    data: Dataset,
    int8: Int8 | bool,
    distill: str,
    prune: bool,
    tolerance: float,
    progress: Progress | None,
    options: Mapping[str, Any],
) -> dict[str, Make]:
    """What makes each variant that was asked for, by its name.

    Raises:
        InvalidInput: Nothing was asked for, or it does not suit the model.
    """
    exact = model.manifest.variants[0]
    graph = model.bundle.file(exact.file)
    makers: dict[str, Make] = {}
    if int8:
        how = int8
        if how in (True, "auto"):
            how = "static" if methods.has(graph, "Conv") else "dynamic"
        if how not in ("static", "dynamic"):
            raise InvalidInput(f'int8: expected static or dynamic, received "{how}"', field="int8")
        makers["int8"] = partial(_quantize, model, data, graph, how == "static")
    if distill:
        makers[f"student-{distill.replace(':', '.')}"] = partial(
            _distill, model, data, distill, progress or Silent(), options
        )
    elif options:
        name = next(iter(options))
        raise InvalidInput(
            f"{name}: expected a student to set it for", hint="say distill=…", field=name
        )
    if prune:
        if not methods.rounds(graph):
            raise InvalidInput(
                "prune: expected a model of trees, found none in its graph",
                hint="zeros make a network no faster here; --int8 or --distill may",
                field="prune",
            )
        makers["pruned"] = partial(_prune, model, data, graph, tolerance)
    if not makers:
        raise InvalidInput(
            "compress: expected at least one way", hint="--int8, --distill FAMILY or --prune"
        )
    return makers


def _quantize(model: Model, data: Dataset, graph: Path, static: bool, target: Path) -> None:
    if not static:
        methods.quantize_dynamic(graph, target)
        return
    rows = _some(data.train, _CALIBRATION)
    methods.quantize_static(graph, target, (model.given(batch) for batch in rows.batches(64)))


def _prune(model: Model, data: Dataset, graph: Path, tolerance: float, target: Path) -> None:
    """The fewest rounds that lose, even with one standard error more, no more than the tolerance.

    Judged by rows that are not those the variant will be judged by. Whether the trees' sum or
    their mean is the answer is tried as well: the graph does not say.
    """
    rows = _some(held_aside(model, data)[0], _CHOOSING)
    exact = model.judge(rows)
    whole = methods.rounds(graph)
    counts = sorted({max(1, round(whole * part)) for part in _PARTS})
    for count, mean in product(counts, (False, True)):
        methods.keep_rounds(graph, target, count, mean)
        with opened(target) as runtime:
            loss = lost(exact, model.judge(rows, runtime))
        if loss.mean() + loss.std() / len(loss) ** 0.5 <= tolerance:
            return


def _distill(
    model: Model,
    data: Dataset,
    family: str,
    progress: Progress,
    options: Mapping[str, Any],
    target: Path,
) -> None:
    """A student learns what the model says of the training rows, not what they were labelled.

    Hinton, Vinyals and Dean 2015, Distilling the Knowledge in a Neural Network; a family that
    takes no shares of classes learns the likeliest.
    """
    known = {field.name for field in msgspec.structs.fields(recipes.Recipe)}
    params = {name: value for name, value in options.items() if name not in known}
    said = {name: value for name, value in options.items() if name in known}
    recipe = recipes.make({**said, "family": family, "params": params})
    recipes.refuse(recipe, "select")  # a variant takes what the model takes
    trainer = trainer_for(recipe)
    output = model.judge(data.train).output
    if data.labels is None:
        lesson = output.reshape(-1).astype(np.float32)
    elif isinstance(trainer, Soft) and trainer.soft_targets:
        lesson = output.astype(np.float32)
        loss = recipe.loss or "categorical_crossentropy"
        recipe = msgspec.structs.replace(recipe, loss=loss)
    else:
        lesson = output.argmax(1)
    taught = {**data.splits, "train": data.train.taught(lesson)}
    pupil = dataclasses.replace(data, splits=taught)
    with tempfile.TemporaryDirectory() as folder:
        trained = trainer.fit(pupil, recipe, Run(Path(folder), progress))
        graph = Path(folder) / "student.onnx"
        trained.export(graph)
        replay(trained, graph, golden_samples(data))
        manifest = model.manifest
        ends = (manifest.signature.inputs[0], manifest.signature.outputs[0])
        activations = (_activation(trained.postprocess), _activation(manifest.postprocess))
        mine, its = data.preprocess, manifest.preprocess
        pictures = (
            (mine, its) if isinstance(mine, ImageInput) and isinstance(its, ImageInput) else None
        )
        methods.conform(graph, target, ends, activations, pictures)


def _activation(how: Classification | Regression | None) -> str:
    return how.activation if isinstance(how, Classification) else "none"


def _some(rows: Split, most: int) -> Split:
    """At most so many rows, spread evenly."""
    if len(rows) <= most:
        return rows
    return rows.take(np.linspace(0, len(rows) - 1, most).astype(int))


def _data(model: Model, data: Dataset | str | Path) -> Dataset:
    if isinstance(data, Dataset) or str(data):
        return open_data(data)
    manifest = model.manifest
    name = manifest.recipe.get("data") or manifest.dataset
    hint = "say which data with data=…, or --data"
    if not name:
        raise InvalidInput("compress: the model does not say what it was trained on", hint=hint)
    try:
        found = open_data(
            _version(name, manifest.data), readings.make(manifest.recipe.get("read", {}))
        )
    except NotFound as error:
        raise InvalidInput(f"compress: {error.message}", hint=hint) from error
    if found.digest != manifest.data:
        raise InvalidInput(
            f"compress: expected {name} as the model was trained on, {manifest.data[:19]}, "
            f"found {found.digest[:19]}",
            hint=hint,
            field="data",
        )
    return found


def _version(name: str, digest: str) -> str:
    """The data set's version in the library with these contents, or the name as it is."""
    try:
        versions = library().versions(name.partition("@")[0])
    except (NotFound, InvalidInput):
        return name
    return next((f"{v.name}@{v.version}" for v in versions if v.digest == digest), name)


def _without(model: Model, names: Mapping[str, Path]) -> Bundle:
    """The bundle without variants of these names, which are made anew."""
    manifest = model.manifest
    stay = tuple(v for v in manifest.variants if v.name not in names)
    if len(stay) == len(manifest.variants):
        return model.bundle
    gone = {v.file for v in manifest.variants} - {v.file for v in stay}
    files = {path: at for path, at in contents(model.bundle).items() if path not in gone}
    changed = msgspec.structs.replace(manifest, variants=stay, files=())
    target = bundle_folder(settings())
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_files(target, changed, files, model.bundle.golden())
