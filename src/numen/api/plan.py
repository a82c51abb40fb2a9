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
from numen.store.catalog import ModelVersion
from numen.train import bodies
from numen.train import recipe as recipes
from numen.train.base import Progress
from numen.train.find import usual_family
from numen.train.ranking import reading_of
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
    extra: dict[str, Any] = {}
    for key, value in options.items():
        section, dot, inner = key.partition(".")
        if dot and section in known:  # such as read.target
            table[section] = {**(table.get(section) or {}), inner: value}
        elif key not in known:
            extra[key] = value
    table["params"] = {**table.get("params", {}), **options.get("params", {}), **extra}
    made = recipes.make(table)
    if made.name:
        check_name(made.name)
    if made.level != Recipe().level and not made.validation:
        raise InvalidInput(
            "level: expected validation beside it, received none",
            hint="sets and intervals are set on rows kept aside, such as validation = 0.2",
            field="level",
        )
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
    dataset = open_data(source, reading_of(plan))
    for line in dataset.reading_notes():
        progress.note(line)
    family = plan.family or (
        "transfer" if plan.body else usual_family(dataset.preprocess, many=dataset.many)
    )
    return dataset, msgspec.structs.replace(plan, data=plan.data or dataset.name, family=family)


def with_body(plan: Recipe) -> Recipe:
    """The recipe with the place of its body's file, where it names a published model.

    Raises:
        NotFound: It is none of those in packages, no file and no published model.
    """
    version = _published(plan.body)
    if version is None:
        return plan
    return msgspec.structs.replace(plan, body=str(registry().open(version).path))


def with_version(plan: Recipe) -> Recipe:
    """The recipe with the version of the published model that is its body, where it names one.

    Raises:
        NotFound: As `with_body`.
    """
    version = _published(plan.body)
    if version is None:
        return plan
    return msgspec.structs.replace(plan, body=f"{version.name}@{version.version}")


def _published(body: str) -> ModelVersion | None:
    """The version that a recipe's body is; None where it is a file or comes in a package."""
    if not body or body in bodies.names() or Path(body).exists():
        return None
    try:
        return registry().resolve(body)
    except NumenError as error:
        raise NotFound(
            f"body: {body} is neither a file nor a published model: {error.message}",
            hint=f"or one in a package: {', '.join(bodies.names())}",
            field="body",
        ) from error
