"""From a data set and a recipe to a model in hand, published where a name is given."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from numen.api.embed import embed
from numen.api.model import Model
from numen.api.package import GOLDEN_ROWS, Facts, write_bundle
from numen.api.workspace import registry, settings
from numen.core.bundle import Bundle
from numen.core.errors import InvalidInput, NotFound, NumenError
from numen.core.manifest import ImageInput, TextInput
from numen.core.reference import check_name
from numen.core.signature import Arrays
from numen.data.dataset import Dataset
from numen.data.drift import REFERENCE, encode, reference, sample
from numen.data.library import Library
from numen.data.reading import PLAIN, Reading
from numen.registry import bundle_folder
from numen.runtime.process import pixels_to_input
from numen.train import recipe as recipes
from numen.train.base import Progress, Run
from numen.train.evaluate import plots, report_of
from numen.train.evaluate.figures import AT_TRAINING
from numen.train.evaluate.report import EVALUATION
from numen.train.find import trainer_for, usual_family
from numen.train.recipe import Recipe

_GOLDEN_CHARACTERS = 2_000


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
    checkpoints: Path | None = None,
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
        **options: Fields of the recipe (`epochs`, `optimizer`, …); others are the family's.

    Raises:
        InvalidInput: The recipe is not what it must be, or does not fit the data.
        ExportFailed: The trained model cannot be exported exactly.
    """
    plan = plan_of(recipe, family, name, options)
    if plan.name:
        check_name(plan.name)
    source = data if isinstance(data, Dataset) or str(data) else plan.data
    if not isinstance(source, Dataset) and not str(source):
        raise InvalidInput("recipe: no data is named", hint="say data=…, or --data", field="data")
    told = progress or Silent()
    told.note(f"reading {source.name if isinstance(source, Dataset) else source}")
    dataset = open_data(source, plan.read)
    plan = msgspec.structs.replace(
        plan,
        data=plan.data or dataset.name,
        family=plan.family or usual_family(dataset.preprocess),
    )
    for line in dataset.reading_notes():
        (progress or Silent()).note(line)
    trainer = trainer_for(plan)
    folder = checkpoints or _run_folder(plan, dataset)
    if resume and not folder.is_dir():
        raise NotFound("nothing to resume: this recipe on this data was not interrupted here")
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    trained = trainer.fit(dataset, _with_body(plan), Run(folder, told, resume))

    def measure(draft: Bundle) -> tuple[dict[str, float], dict[str, bytes]]:
        model = Model(draft)
        judged = model.judge(dataset.test)
        report = report_of(judged, target=dataset.target, resamples=AT_TRAINING)
        found = {EVALUATION: msgspec.json.format(msgspec.json.encode(report), indent=2)}
        seen = embed(model, sample(dataset, "test"))
        found[REFERENCE] = encode(reference(dataset, output=judged.output, embeddings=seen))
        return report.metrics, {**plots(report), **found}

    bundle = write_bundle(
        bundle_folder(settings()),
        trained,
        golden_samples(dataset),
        Facts(
            preprocess=dataset.preprocess,
            recipe=msgspec.to_builtins(msgspec.structs.replace(plan, name="")),
            dataset=dataset.name,
            data=dataset.digest,
        ),
        measure,
    )
    if trained.stopped == "interrupted":
        return Model(bundle, stopped=trained.stopped)
    shutil.rmtree(folder, ignore_errors=True)
    version = registry().publish(plan.name, bundle) if plan.name else None
    return Model(bundle, version, trained.stopped)


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


def plan_of(
    recipe: Recipe | Path | str | None, family: str, name: str, options: dict[str, Any]
) -> Recipe:
    """The whole recipe: the given one or an empty one, with what else was said; see `train`.

    Raises:
        InvalidInput: It is not what it must be.
    """
    base = recipes.read(Path(recipe)) if isinstance(recipe, str | Path) else recipe or Recipe()
    table = msgspec.to_builtins(base)
    table |= {key: value for key, value in (("family", family), ("name", name)) if value}
    known = {field.name for field in msgspec.structs.fields(Recipe)}
    table |= {key: value for key, value in options.items() if key in known - {"params"}}
    extra = {key: value for key, value in options.items() if key not in known}
    table["params"] = {**table.get("params", {}), **options.get("params", {}), **extra}
    return recipes.make(table)


def _with_body(plan: Recipe) -> Recipe:
    """The recipe with the place of its body's file, where it names a published model."""
    if not plan.body or Path(plan.body).exists():
        return plan
    found = registry()
    try:
        bundle = found.open(found.resolve(plan.body))
    except NumenError as error:
        raise NotFound(
            f"body: {plan.body} is neither a file nor a published model: {error.message}",
            field="body",
        ) from error
    return msgspec.structs.replace(plan, body=str(bundle.path))


def _run_folder(plan: Recipe, dataset: Dataset) -> Path:
    """Where this training keeps its checkpoints: the same for the same recipe and data."""
    text = msgspec.json.encode([msgspec.to_builtins(plan), dataset.digest], order="sorted")
    return settings().home_path / "runs" / sha256(text).hexdigest()[:16]
