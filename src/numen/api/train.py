"""From a data set and a recipe to a model in hand, published where a name is given."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np

from numen.api.model import Model
from numen.api.package import GOLDEN_ROWS, Facts, write_bundle
from numen.api.workspace import registry, settings
from numen.core.bundle import MANIFEST, Bundle
from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import ImageInput
from numen.core.reference import check_name
from numen.core.signature import Arrays
from numen.data.dataset import Dataset
from numen.data.library import Library
from numen.data.reading import PLAIN, Reading
from numen.registry import bundle_folder
from numen.runtime.process import pixels_to_input
from numen.train import recipe as recipes
from numen.train.base import Progress, Run
from numen.train.cluster import Cluster
from numen.train.evaluate import plots
from numen.train.find import trainer_for
from numen.train.recipe import Recipe

Stopped: TypeAlias = Literal["finished", "early", "interrupted"]


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


def library() -> Library:
    """The data sets of the store that the settings name."""
    found = registry()
    return Library(found.catalog, found.blobs)


def open_data(data: Dataset | str | Path, reading: Reading = PLAIN) -> Dataset:
    """A data set by name, URL or path, or as it is."""
    if isinstance(data, Dataset):
        return data
    return Dataset.open(data, reading=reading, library=library())


def train(
    data: Dataset | str | Path = "",
    family: str = "",
    *,
    recipe: Recipe | Path | str | None = None,
    name: str = "",
    progress: Progress | None = None,
    resume: bool = False,
    on: str = "",
    **options: Any,
) -> Model:
    """Trains a model, exports it, checks the export, measures it on the test rows.

    Args:
        data: A data set, or its name, URL or path; the recipe's own by default.
        family: A built-in family such as `cnn`, or the user's own `module:build`.
        recipe: A recipe or its file, where there is one; other arguments override it.
        name: Published as the next version of this model, unless empty or interrupted.
        progress: Who is told how it goes.
        resume: Go on from where the same training was interrupted.
        on: `ray` trains on a Ray cluster (`RAY_ADDRESS`, else one started here) and brings the
            model back; an address such as `ray://…` names the cluster.
        **options: Fields of the recipe (`epochs`, `optimizer`, …); others are the family's.

    Raises:
        InvalidInput: The recipe is not what it must be, or does not fit the data.
        ExportFailed: The trained model cannot be exported exactly.
    """
    plan = plan_of(recipe, family, name, options)
    dataset, plan = data_of(plan, data)
    if on:
        bundle, stopped = _on_cluster(dataset, plan, on, progress or Silent(), resume)
    else:
        bundle, stopped = _here(dataset, plan, progress or Silent(), resume)
    if stopped == "interrupted":
        return Model(bundle, stopped=stopped)
    version = registry().publish(plan.name, bundle) if plan.name else None
    return Model(bundle, version, stopped)


def plan_of(
    recipe: Recipe | Path | str | None, family: str, name: str, options: dict[str, Any]
) -> Recipe:
    """The recipe that a recipe or its file, and what is said beside it, come to.

    Raises:
        InvalidInput: Something in it is not what it must be.
    """
    base = recipes.read(Path(recipe)) if isinstance(recipe, str | Path) else recipe or Recipe()
    table = msgspec.to_builtins(base)
    table |= {key: value for key, value in (("family", family), ("name", name)) if value}
    known = {field.name for field in msgspec.structs.fields(Recipe)}
    table |= {key: value for key, value in options.items() if key in known - {"params"}}
    extra = {key: value for key, value in options.items() if key not in known}
    table["params"] = {**table.get("params", {}), **options.get("params", {}), **extra}
    made = recipes.make(table)
    if made.name:
        check_name(made.name)
    return made


def data_of(plan: Recipe, data: Dataset | str | Path) -> tuple[Dataset, Recipe]:
    """The data set to train on, and the recipe with its name.

    Raises:
        InvalidInput: Neither names one.
    """
    source = data if isinstance(data, Dataset) or str(data) else plan.data
    if not isinstance(source, Dataset) and not str(source):
        raise InvalidInput("recipe: no data is named", hint="say data=…, or --data", field="data")
    dataset = open_data(source, plan.read)
    return dataset, msgspec.structs.replace(plan, data=plan.data or dataset.name)


def _here(
    dataset: Dataset, plan: Recipe, progress: Progress, resume: bool
) -> tuple[Bundle, Stopped]:
    folder = _run_folder(plan, dataset)
    if resume and not folder.is_dir():
        raise NotFound("nothing to resume: this recipe on this data was not interrupted here")
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    bundle, stopped = _make(dataset, plan, Run(folder, progress, resume), bundle_folder(settings()))
    if stopped != "interrupted":
        shutil.rmtree(folder, ignore_errors=True)
    return bundle, stopped


def _make(dataset: Dataset, plan: Recipe, run: Run, target: Path) -> tuple[Bundle, Stopped]:
    """Trains, exports, compares, measures, and writes the bundle."""
    trained = trainer_for(plan).fit(dataset, plan, run)

    def measure(draft: Bundle) -> tuple[dict[str, float], dict[str, bytes]]:
        report = Model(draft).evaluate(dataset.test)
        return report.metrics, plots(report)

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
            partial(_there, msgspec.to_builtins(plan)), dataset, progress
        )
    target = bundle_folder(settings())
    for name, content in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return Bundle.open(target, digest), stopped


def _there(
    table: dict[str, Any], dataset: Dataset, progress: Progress
) -> tuple[str, dict[str, bytes], Stopped]:
    """On a node of the cluster: trains, and gives the bundle's digest and files."""
    with tempfile.TemporaryDirectory(prefix="numen-train-") as folder:
        run = Run(Path(folder) / "run", progress)
        run.folder.mkdir()
        bundle, stopped = _make(dataset, recipes.make(table), run, Path(folder) / "bundle")
        paths = [MANIFEST, *(file.path for file in bundle.manifest.files)]
        return bundle.digest, {path: (bundle.path / path).read_bytes() for path in paths}, stopped


def golden_samples(dataset: Dataset, rows: int = GOLDEN_ROWS) -> Arrays:
    """A few test rows, spread evenly, as the model's input."""
    split = dataset.test
    places = np.unique(np.linspace(0, len(split) - 1, rows).astype(int))
    (given,) = next(iter(split.take(places).batches(rows))).inputs.values()
    how = dataset.preprocess
    return {how.input: pixels_to_input(given, how) if isinstance(how, ImageInput) else given}


def _run_folder(plan: Recipe, dataset: Dataset) -> Path:
    """Where this training keeps its checkpoints: the same for the same recipe and data."""
    text = msgspec.json.encode([msgspec.to_builtins(plan), dataset.digest], order="sorted")
    return settings().home_path / "runs" / sha256(text).hexdigest()[:16]
