"""Pairwise logistic loss: learning an order, not values."""

from __future__ import annotations

from typing import Any


def pairwise_logistic(y_true: Any, y_pred: Any) -> Any:
    """For each row, how badly it is told from the rows that should stand below it.

    The mean over those rows of log(1 + exp(lower - higher)) of the scores: RankNet (Burges et al.
    2005), among the rows of a batch.

    Args:
        y_true: float32[rows, 1], more is better; or float32[rows, 2], the second column a number
            of the group (the query), and only rows of one group are compared.
        y_pred: float32[rows, 1], the scores.

    Returns:
        float32[rows]; 0 for a row with nothing below it.
    """
    from keras import ops

    worth = ops.reshape(y_true[:, 0], (-1, 1))
    score = ops.reshape(y_pred, (-1, 1))
    above = worth > ops.transpose(worth)
    if y_true.shape[1] > 1:
        group = ops.reshape(y_true[:, 1], (-1, 1))
        above = ops.logical_and(above, ops.equal(group, ops.transpose(group)))
    above = ops.cast(above, score.dtype)
    each = ops.softplus(ops.transpose(score) - score) * above
    return ops.sum(each, axis=1) / ops.maximum(ops.sum(above, axis=1), 1)
