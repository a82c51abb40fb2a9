"""Sets and intervals for a model that was just made, set on the rows its training kept aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from numen.api.model import Model
from numen.core.manifest import Classification, Regression
from numen.data.split import Split
from numen.train.evaluate import Judged
from numen.train.evaluate.conformal import conformal
from numen.train.recipe import Recipe

Reading: TypeAlias = Classification | Regression | None
# Of more rows the coverage is no surer than 0.3 points of 100 already (a standard deviation).
_ROWS: Final = 10_000


def kept_aside(train: Split, recipe: Mapping[str, Any]) -> Split | None:
    """The training rows that a recipe keeps aside (`validation`); None where it keeps none.

    Args:
        train: All training rows.
        recipe: As a manifest has it.
    """
    part = recipe.get("validation", 0.0)
    return train.divide(part, recipe.get("seed", 0))[1] if part else None


def judged_anew(model: Model, test: Split, aside: Split | None) -> tuple[Judged, Reading]:
    """Has a model judge its test rows, with sets or an interval found on other rows.

    Those it had, which may be of another graph, are gone.

    Args:
        model: As it will be published.
        test: The rows to judge by; none of them is among those that the threshold is found on.
        aside: Rows that training did not learn from; None finds nothing.

    Returns:
        What was said of the test rows, and how the model's output is to be read.
    """
    how = model.manifest.postprocess
    judged = model.judge(test)
    if how is None:
        return judged, how
    found = None
    if aside is not None:
        some = np.unique(np.linspace(0, len(aside) - 1, min(len(aside), _ROWS)).astype(int))
        level = model.manifest.recipe.get("level", Recipe().level)
        found = conformal(model.judge(aside.take(some)), level)
    reading = msgspec.structs.replace(how, conformal=found or msgspec.UNSET)
    return replace(judged, conformal=found), reading
