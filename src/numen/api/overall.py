"""What a model goes by on the whole: the doors of `numen.explain.overall` to a model in hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.manifest import Classification, ColumnsInput, Regression, WindowInput
from numen.core.signature import Array
from numen.data.split import Batch
from numen.explain import nearest, overall
from numen.explain.nearest import Alike
from numen.explain.overall import REPEATS, Dependence, Overall
from numen.runtime import process
from numen.train.ranking import groups_to_judge

if TYPE_CHECKING:
    from numen.api.model import Model
    from numen.data.dataset import Split

MOST_ROWS: Final = 5_000  # that are looked at, spread evenly
_AT_ONCE: Final = 1_024
_FEW_ROWS: Final = 1_000
_FEW_COLUMNS: Final = 100
_FEW_REPEATS: Final = 2


def importance(
    model: Model,
    split: Split,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    told: Callable[[int, str], None] = lambda _place, _name: None,
) -> Overall:
    """See `Model.importance`."""
    how = _table(model)
    if repeats < 1:
        raise InvalidInput(f"repeats: expected at least 1, received {repeats}", field="repeats")
    if groups_to_judge(model.manifest.recipe.get("loss", ""), split) is not None:
        raise InvalidInput(
            "importance: expected a model of classes or quantities, received one of an order",
            hint="its scores say nothing across groups, so rows cannot be mixed",
        )
    rows, target = _rows(split)
    if isinstance(model.manifest.postprocess, Classification) and target.ndim == 2:
        target = target.astype(bool)
    return overall.importance(
        lambda given: answers(model, given), rows, target, how.columns,
        repeats=repeats, seed=seed, told=told,
    )  # fmt: skip


def at_training(model: Model, split: Split) -> Overall | None:
    """A quick look at some rows, for the card; None of a model or a table that it is not for."""
    how = model.manifest.preprocess
    if (
        not isinstance(how, ColumnsInput | WindowInput)
        or not 1 < len(how.columns) <= _FEW_COLUMNS
        or groups_to_judge(model.manifest.recipe.get("loss", ""), split) is not None
    ):
        return None
    places = np.unique(np.linspace(0, len(split) - 1, _FEW_ROWS).astype(int))
    return importance(model, split.take(places), repeats=_FEW_REPEATS)


def dependence(model: Model, split: Split, column: str, *, seed: int = 0) -> Dependence:
    """See `Model.dependence`."""
    how = _table(model)
    rows, _ = _rows(split)
    said = model.manifest.postprocess
    assert said is not None
    outputs = said.targets or (said.target,) if isinstance(said, Regression) else said.labels
    return overall.dependence(
        lambda given: answers(model, given), rows, how.columns, column, outputs, seed=seed
    )


def alike(model: Model, split: Split, row: Mapping[str, Any], most: int) -> list[Alike]:
    """See `Model.alike`."""
    how = _table(model)
    if isinstance(how, WindowInput):
        raise InvalidInput("alike: expected a model of single rows, received one of windows")
    rows, target = _rows(split)
    (given,) = process.read_input(model.manifest, row).values()
    if len(given) != 1:
        raise InvalidInput(f"alike: expected one row, received {len(given)}", field="input")
    far = nearest.distances(rows, given[0], how.columns)
    said = model.manifest.postprocess
    if isinstance(said, Classification) and not said.several:
        answered = answers(model, rows).argmax(1)
        far[answered != answers(model, given).argmax(1)[0]] = np.inf
    places = [place for place in np.argsort(far, kind="stable") if np.isfinite(far[place])]
    places = places[:most]
    told = model.classify(rows[places]) if places else []
    looked_at = _looked_at(split)
    return [
        Alike(
            int(looked_at[place]), nearest.fields(rows[place], how.columns), float(far[place]),
            _in_words(model, target[place]), answer,
        )
        for place, answer in zip(places, told, strict=True)
    ]  # fmt: skip


def _in_words(model: Model, target: Array) -> str:
    said = model.manifest.postprocess
    if not isinstance(said, Classification):
        return ", ".join(f"{number:g}" for number in np.atleast_1d(target))
    if said.several:
        return ", ".join(name for name, has in zip(said.labels, target, strict=True) if has)
    return said.labels[int(target)]


def answers(model: Model, rows: Array) -> Array:
    """What a model says of a table's rows: probabilities float[n, labels], or values."""
    name = model.manifest.signature.required[0].name
    parts = (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
    return np.concatenate([model.score(Batch({name: part}, np.zeros(len(part)))) for part in parts])


def _table(model: Model) -> ColumnsInput | WindowInput:
    how = model.manifest.preprocess
    if not isinstance(how, ColumnsInput | WindowInput) or model.manifest.postprocess is None:
        raise InvalidInput(
            "expected a model of a table's columns that says what its outputs are",
            hint="what pictures, sounds and texts are judged by is explained one by one",
            field="model",
        )
    return how


def _rows(split: Split) -> tuple[Array, Array]:
    """Rows to look at as float32[n, …], and their targets."""
    if len(split) == 0:
        raise InvalidInput("expected rows, received an empty split", field="split")
    if len(split) > MOST_ROWS:
        split = split.take(_looked_at(split))
    batch = split.arrays()
    (rows,) = batch.inputs.values()
    return rows, batch.target


def _looked_at(split: Split) -> Array:
    """The places of the rows that are looked at, spread evenly."""
    return np.linspace(0, len(split) - 1, min(len(split), MOST_ROWS)).astype(int)
