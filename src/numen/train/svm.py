"""Support vector machines (Cortes and Vapnik 1995), as scikit-learn fits them.

A kernel of radial functions sees what no straight line parts, but its time grows with the square
of the rows or faster, and the rows it keeps go with the model; so many rows get a straight line.
Probabilities are by Platt's sigmoid (1999) over rows that the machine had not seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from numen.core.errors import InvalidInput
from numen.core.signature import Array
from numen.train.base import Progress

# Rows up to which the kernel is radial unless the recipe says: with 30 columns and ten classes,
# 8,000 rows take 7 s on one core and 16,000 take 30 s.
FEW: Final = 10_000
_FOLDS: Final = 5
_STEPS: Final = 2_000  # of the solver for straight lines
Positive = Annotated[float, msgspec.Meta(gt=0)]
SPACE: Final[Mapping[str, Any]] = {"C": [1e-2, 1e2]}


class SvmParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """scikit-learn's parameters by scikit-learn's names.

    Attributes:
        kernel: `rbf` or `linear`; `auto` is `rbf` up to `FEW` training rows.
        C: What an error costs beside a simple model.
        gamma: How near a row must be to count, for `rbf`.
        epsilon: Of a quantity's standard deviation: an error below it costs nothing.
    """

    kernel: Literal["auto", "rbf", "linear"] = "auto"
    C: Positive = 1.0
    gamma: Literal["scale", "auto"] | Positive = "scale"
    epsilon: Annotated[float, msgspec.Meta(ge=0)] = 0.1


def classifier(params: SvmParams, y: Array, weights: Mapping[str, Any], progress: Progress) -> Any:
    """A machine that tells classes apart and gives probabilities, not fitted yet.

    Args:
        params: Of the family.
        y: The class of each training row.
        weights: `class_weight`, where classes have one.
        progress: Who is told what was chosen.

    Raises:
        InvalidInput: A class has one row, so that none is left to learn its probability from.
    """
    counts = np.bincount(y)
    least = int(counts[counts > 0].min())
    if least < 2 or (counts > 0).sum() < 2:
        raise InvalidInput(
            'family "svm": expected two classes or more, each of two training rows or more; '
            f"received {(counts > 0).sum()} classes, the rarest of {least}",
            hint="use linear or forest",
            field="family",
        )
    if _radial(params, len(y), progress):
        machine = SVC(C=params.C, gamma=params.gamma, **weights)
    else:
        machine = LinearSVC(C=params.C, dual=False, max_iter=_STEPS, **weights)
    return CalibratedClassifierCV(machine, ensemble=False, cv=min(_FOLDS, least))


def regressor(params: SvmParams, y: Array, progress: Progress) -> Any:
    """A machine that tells a quantity, not fitted yet."""
    spread = float(np.std(y)) or 1.0
    if _radial(params, len(y), progress):
        # A target s times as large with C and epsilon s times as large is the same problem.
        return SVR(C=params.C * spread, gamma=params.gamma, epsilon=params.epsilon * spread)
    return LinearSVR(
        loss="squared_epsilon_insensitive", dual=False, C=params.C, epsilon=params.epsilon,
        max_iter=_STEPS,
    )  # fmt: skip


def settle(model: Any, x: Array, y: Array, progress: Progress) -> None:
    """Fits a pipeline; where its solver gives up early, that is noted, not warned of."""
    line = model[-1] if isinstance(model[-1], LinearSVR) else None
    # The constant of a line is held down as its weights are, so it learns near 0 and is then
    # brought to the target's own size.
    mean, spread = (0.0, 1.0) if line is None else (float(np.mean(y)), float(np.std(y)) or 1.0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(x, y if line is None else (y - mean) / spread)
    if line is not None:
        line.coef_ = line.coef_ * spread
        line.intercept_ = line.intercept_ * spread + mean
    if any(issubclass(each.category, ConvergenceWarning) for each in said):
        progress.note(f"the solver did not settle in {_STEPS} steps: a smaller C may serve better")


def _radial(params: SvmParams, rows: int, progress: Progress) -> bool:
    if params.kernel != "auto":
        return params.kernel == "rbf"
    if rows > FEW:
        progress.note(f"{rows:,} rows: a linear kernel; kernel=rbf takes longer and may be better")
    return rows <= FEW
