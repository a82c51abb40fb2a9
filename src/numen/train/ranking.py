"""Learning an order: which losses do, which rows are ordered among themselves, and how graded.

The rows of one group are those of a query, a match or a session. Their target is how good each
is, a whole number from 0: a grade counts 2^grade - 1 (Burges et al. 2005), so it has a bound.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.data.dataset import Dataset, Split
from numen.data.reading import ColumnKind, Reading
from numen.train.recipe import Recipe

LAMBDARANK: Final = "lambdarank"
HIGHEST: Final = 30  # grade; LightGBM and XGBoost have the same bound
_PAIRWISE: Final = "pairwiselogistic"
_HINT: Final = 'say [read] group = "the column of the query, the match or the session"'


def reading_of(recipe: Recipe) -> Reading:
    """The recipe's reading; a target whose order is learnt is a number, few as its values are."""
    said = recipe.read
    if recipe.loss != LAMBDARANK or not said.target:
        return said
    columns: dict[str, ColumnKind] = {said.target: "number", **said.columns}
    return msgspec.structs.replace(said, columns=columns)


def check(data: Dataset) -> None:
    """Refuses data whose order within groups cannot be learnt.

    Raises:
        InvalidInput: They have classes, no groups, or a target that is no grade.
    """
    if data.labels is not None:
        raise InvalidInput(
            f'loss "{LAMBDARANK}" learns an order of grades, but "{data.target}" was taken for '
            f"{len(data.labels)} classes",
            hint=f'say it is a number: [read.columns] {data.target} = "number"',
            field="loss",
        )
    if data.quantities:
        raise InvalidInput(
            f'loss "{LAMBDARANK}" learns one order, received {len(data.quantities)} quantities '
            f"({data.target})",
            hint="name the column of the grades as [read] target",
            field="loss",
        )
    for split in data.splits.values():
        _groups(split, data.target)


def ordered(split: Split) -> tuple[Split, Array]:
    """The rows group by group, as boosting wants them.

    Returns:
        The rows, and how many each group has, int64[groups].
    """
    assert split.group is not None
    places = np.argsort(split.group, kind="stable")
    return split.take(places), np.unique(split.group, return_counts=True)[1]


def groups_to_judge(loss: str, split: Split) -> Array | None:
    """By which groups a model of this loss is to be judged, int64[rows]; None if by values.

    Args:
        loss: The recipe's. The loss of pairs of networks may be of rows without groups or grades;
            its models are then judged as those of quantities.
        split: The rows.

    Raises:
        InvalidInput: The loss asks for groups and grades, and the rows have none.
    """
    if loss == LAMBDARANK:
        return _groups(split, "target")
    if compares_pairs(loss) and split.group is not None and not len(_not_graded(split.target)):
        return split.group
    return None


def compares_pairs(loss: str) -> bool:
    """Whether a network's loss is of pairs of rows."""
    return loss.lower().replace("_", "").replace("-", "") == _PAIRWISE


def _groups(split: Split, target: str) -> Array:
    if split.group is None:
        raise InvalidInput(
            f'loss "{LAMBDARANK}": expected groups whose rows are ordered, received none',
            hint=_HINT, field="read.group",
        )  # fmt: skip
    wrong = _not_graded(split.target)
    if len(wrong):
        raise InvalidInput(
            f'loss "{LAMBDARANK}": expected "{target}" to be a whole number from 0 to {HIGHEST}, '
            f"received {wrong[0]:g}",
            hint="grade the rows: 0 for what does not belong, more for what is better",
            field="target",
        )
    return split.group


def _not_graded(target: Array) -> Array:
    """The values that are no grades."""
    y = target.astype(np.float64)
    wrong: Array = y[~((y >= 0) & (y <= HIGHEST) & (y == np.floor(y)))]
    return wrong
