"""From a data set and a recipe to a model in hand, published where a name is given."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from numen.api.conformal import judged_anew, kept_aside
from numen.api.embed import embed
from numen.api.model import Model
from numen.api.overall import at_training
from numen.api.package import GOLDEN_ROWS, Facts, Measured, write_bundle
from numen.api.plan import data_of, plan_of, with_body
from numen.api.workspace import registry, settings
from numen.core.bundle import MANIFEST, Bundle
from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import ImageInput, TextInput
from numen.core.signature import Arrays
from numen.data.dataset import Dataset
from numen.data.drift import REFERENCE, encode, reference, sample
from numen.explain.overall import IMPORTANCE
from numen.registry import bundle_folder
from numen.runtime.process import pixels_to_input
from numen.train import recipe as recipes
from numen.train.base import Progress, Run, Silent
from numen.train.cluster import Cluster
from numen.train.evaluate import plots, report_of
from numen.train.evaluate.figures import AT_TRAINING
from numen.train.evaluate.report import EVALUATION
from numen.train.find import trainer_for
from numen.train.recipe import Recipe
from numen.train.selection import SELECTION

Stopped: TypeAlias = Literal["finished", "early", "interrupted"]
_GOLDEN_CHARACTERS = 2_000


def train(
    data: Dataset | str | Path = "",
    family: str = "",
    *,
    recipe: Recipe | Path | str | None = None,
    name: str = "",
    progress: Progress | None = None,
    resume: bool = False,
    checkpoints: Path | None = None,
    on: str = "",
    **options: Any,
) -> Model:
    """Trains a model, exports it, checks the export, measures it on the test rows.

    Args:
        data: A data set, or its name, URL or path; the recipe's own by default.
        family: A built-in family such as `cnn`, or the user's own `module:build`; what is usual
            for the data when empty.
        recipe: A recipe or its file, where there is one; other arguments override it.
        name: Published as the next version of this model, unless empty or interrupted.
        progress: Who is told how it goes.
        resume: Go on from where the same training was interrupted.
        checkpoints: Where it keeps how far it is; a place of the recipe's and the data's by
            default.
        on: `ray` trains on a Ray cluster (`RAY_ADDRESS`, else one started here) and brings the
            model back; an address such as `ray://…` names the cluster; as the recipe says
            when empty.
        **options: Fields of the recipe (`epochs`, `optimizer`, …); others are the family's.

    Raises:
        InvalidInput: The recipe is not what it must be, or does not fit the data.
        ExportFailed: The trained model cannot be exported exactly.
    """
    told = progress or Silent()
    plan = plan_of(recipe, family, name, options)
    # Where a model is trained is no part of what it is.
    on, plan = on or plan.on, msgspec.structs.replace(plan, on="")
    dataset, plan = data_of(plan, data, told)
    if on:
        bundle, stopped = _on_cluster(dataset, plan, on, told, resume)
    else:
        bundle, stopped = _here(dataset, plan, told, resume, checkpoints)
    if stopped == "interrupted":
        return Model(bundle, stopped=stopped)
    version = registry().publish(plan.name, bundle) if plan.name else None
    return Model(bundle, version, stopped)


def _here(
    dataset: Dataset, plan: Recipe, progress: Progress, resume: bool, checkpoints: Path | None
) -> tuple[Bundle, Stopped]:
    recipe = with_body(plan)
    trainer_for(recipe)  # before anything of an earlier run is taken away
    folder = checkpoints or _run_folder(plan, dataset)
    if resume and not folder.is_dir():
        raise NotFound("nothing to resume: this recipe on this data was not interrupted here")
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder, progress, resume)
    bundle, stopped = _make(dataset, plan, recipe, run, bundle_folder(settings()))
    if stopped != "interrupted":
        shutil.rmtree(folder, ignore_errors=True)
    return bundle, stopped


def _make(
    dataset: Dataset, plan: Recipe, recipe: Recipe, run: Run, target: Path
) -> tuple[Bundle, Stopped]:
    """Trains by the recipe, exports, compares, measures, and writes the bundle of the plan."""
    more: dict[str, bytes] = {}
    if recipe.select is not None:
        from numen.api.select import chosen

        dataset, selection = chosen(dataset, recipe, run)
        more[SELECTION] = msgspec.json.format(msgspec.json.encode(selection), indent=2)
    trained = trainer_for(recipe).fit(dataset, recipe, run)

    def measure(draft: Bundle) -> Measured:
        model = Model(draft)
        aside = kept_aside(dataset.train, model.manifest.recipe)
        judged, reading = judged_anew(model, dataset.test, aside)
        report = report_of(judged, target=dataset.target, resamples=AT_TRAINING)
        found = {EVALUATION: msgspec.json.format(msgspec.json.encode(report), indent=2)}
        seen = embed(model, sample(dataset, "test"))
        found[REFERENCE] = encode(reference(dataset, output=judged.output, embeddings=seen))
        if (whole := at_training(model, dataset.test)) is not None:
            found[IMPORTANCE] = msgspec.json.format(msgspec.json.encode(whole), indent=2)
        return Measured(report.metrics, {**plots(report), **found, **more}, reading)

    facts = Facts(
        preprocess=dataset.preprocess,
        recipe=msgspec.to_builtins(msgspec.structs.replace(plan, name="")),
        dataset=dataset.name,
        data=dataset.digest,
    )
    bundle = write_bundle(target, trained, golden_samples(dataset), facts, measure)
    return bundle, trained.stopped


def _on_cluster(
    dataset: Dataset, plan: Recipe, on: str, progress: Progress, resume: bool
) -> tuple[Bundle, Stopped]:
    if resume:
        raise InvalidInput(
            "resume: a training on a cluster keeps no checkpoints here",
            hint="start it anew, or resume without --on",
            field="resume",
        )
    with Cluster(on, own_code=":" in plan.family) as cluster:
        digest, files, stopped = cluster.run(
            partial(_there, msgspec.to_builtins(plan)), with_body(plan), dataset, progress
        )
    target = bundle_folder(settings())
    for name, content in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Bundle.open(target, digest), stopped


def _there(
    table: dict[str, Any], dataset: Dataset, progress: Progress, recipe: Recipe
) -> tuple[str, dict[str, bytes], Stopped]:
    """On a node of the cluster: trains, and gives the bundle's digest and files.

    Args:
        table: The recipe as it was written; the bundle says it so.
        dataset: What to train on.
        progress: Who is told.
        recipe: The same with the place of its body there.
    """
    with tempfile.TemporaryDirectory(prefix="numen-train-") as folder:
        run = Run(Path(folder) / "run", progress)
        run.folder.mkdir()
        plan = recipes.make(table)
        bundle, stopped = _make(dataset, plan, recipe, run, Path(folder) / "bundle")
        paths = [MANIFEST, *(file.path for file in bundle.manifest.files)]
        return bundle.digest, {path: (bundle.path / path).read_bytes() for path in paths}, stopped


def golden_samples(dataset: Dataset, rows: int = GOLDEN_ROWS) -> Arrays:
    """A few test rows, spread evenly, as the model's input."""
    split = dataset.test
    places = np.unique(np.linspace(0, len(split) - 1, rows).astype(int))
    (given,) = next(iter(split.take(places).batches(rows))).inputs.values()
    how = dataset.preprocess
    if isinstance(how, ImageInput):
        given = pixels_to_input(given, how)
    elif isinstance(how, TextInput):  # they go with every copy of the model
        given[:, 0] = [text[:_GOLDEN_CHARACTERS] for text in given[:, 0]]
    return {how.input: given}


def _run_folder(plan: Recipe, dataset: Dataset) -> Path:
    """Where this training keeps its checkpoints: the same for the same recipe and data."""
    text = msgspec.json.encode([msgspec.to_builtins(plan), dataset.digest], order="sorted")
    return settings().home_path / "runs" / sha256(text).hexdigest()[:16]
