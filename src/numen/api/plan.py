"""What is to be trained, and on what: a recipe with all that was said beside it, made whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from numen.api.data import open_data
from numen.api.workspace import registry
from numen.core.errors import InvalidInput, NotFound, NumenError
from numen.core.reference import check_name
from numen.data.dataset import Dataset
from numen.train import recipe as recipes
from numen.train.base import Progress
from numen.train.find import usual_family
from numen.train.recipe import Recipe


def plan_of(
    recipe: Recipe | Path | str | None, family: str, name: str, options: dict[str, Any]
) -> Recipe:
    """The recipe that a recipe or its file, and what is said beside it, come to; see `train`.

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


def data_of(plan: Recipe, data: Dataset | str | Path, progress: Progress) -> tuple[Dataset, Recipe]:
    """The data set to train on, and the recipe with its name and with a family that suits it.

    Raises:
        InvalidInput: Neither names one.
    """
    source = data if isinstance(data, Dataset) or str(data) else plan.data
    if not isinstance(source, Dataset) and not str(source):
        raise InvalidInput("recipe: no data is named", hint="say data=…, or --data", field="data")
    progress.note(f"reading {source.name if isinstance(source, Dataset) else source}")
    dataset = open_data(source, plan.read)
    for line in dataset.reading_notes():
        progress.note(line)
    family = plan.family or usual_family(dataset.preprocess, many=dataset.many)
    return dataset, msgspec.structs.replace(plan, data=plan.data or dataset.name, family=family)


def with_body(plan: Recipe) -> Recipe:
    """The recipe with the place of its body's file, where it names a published model.

    Raises:
        NotFound: It is neither a file nor a published model.
    """
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
