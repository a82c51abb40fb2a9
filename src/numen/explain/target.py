"""The input that every explanation takes beside the model's own: which label is asked about."""

from __future__ import annotations

from typing import Final

import numpy as np

from numen.core.errors import InvalidInput
from numen.core.signature import Array, Arrays, TensorSpec
from numen.explain import TARGET

SPEC: Final = TensorSpec(TARGET, "int64", (None,), otherwise=-1)


def places(inputs: Arrays, answers: Array) -> Array:
    """The place of the number that each row is asked about, int64[rows].

    Args:
        inputs: Of them `target` is looked at: a place, or -1 for the largest. It is not there
            where there is only one number to ask about, the first.
        answers: What the model says, `[rows, …]`.

    Raises:
        InvalidInput: There is no such place.
    """
    scores = answers.reshape(len(answers), -1)
    if TARGET not in inputs:
        return np.zeros(len(scores), np.int64)
    target = inputs[TARGET]
    if target.max(initial=0) >= scores.shape[1]:
        raise InvalidInput(
            f'input "{TARGET}": expected the place of one of {scores.shape[1]} labels, '
            f"received {target.max()}",
            field=TARGET,
        )
    return np.asarray(np.where(target < 0, scores.argmax(1), target))
