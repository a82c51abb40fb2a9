"""Rows now against rows then: of another version of the data, or those a model learnt from."""

from __future__ import annotations

from pathlib import Path

from numen.api.data import open_data
from numen.api.embed import embed
from numen.api.workspace import load
from numen.core.errors import InvalidInput, NotFound
from numen.data import drift as counting
from numen.data.dataset import Dataset
from numen.data.drift import REFERENCE, Drift, Reference


def drift(
    data: Dataset | str | Path,
    *,
    against: Dataset | str | Path = "",
    against_model: str = "",
    split: str = "",
) -> tuple[Drift, Reference, Reference]:
    """Compares rows with those of another data set, or those a model was trained on.

    Args:
        data: The rows now.
        against: The rows then: a data set, such as an earlier version `name@1`.
        against_model: Or a model: its training rows, and what it said of its test rows.
        split: Which of the rows: `train`, unless the model has learnt from just these, of which
            it is surer than of any others; then `test`.

    Returns:
        What changed, and what was counted then and now.

    Raises:
        InvalidInput: Neither or both are given to compare with, or no column is in both.
        NotFound: The model's bundle has no reference.
    """
    if bool(against_model) == (isinstance(against, Dataset) or bool(str(against))):
        raise InvalidInput(
            "drift: expected something to compare with",
            hint="--against NAME@V, or --against-model MODEL",
            field="against",
        )
    now = open_data(data)
    if not against_model:
        split = split or "train"
        before = counting.reference(open_data(against), split)
        after = counting.reference(now, split, like=before)
        return counting.compare(before, after), before, after
    model = load(against_model)
    files = {file.path for file in model.manifest.files}
    if REFERENCE not in files:
        raise NotFound(
            f"model {against_model} has no {REFERENCE}: it was not trained by numen, or long ago",
            hint="train it again, or compare data sets with --against",
        )
    before = counting.decode(model.bundle.file(REFERENCE).read_bytes())
    split = split or ("test" if now.digest == model.manifest.data else "train")
    seen = model.seeing(now)
    rows = counting.sample(seen, split)
    judged = model.judge(rows)
    embeddings = embed(model, rows) if before.directions else None
    after = counting.reference(
        now, split, output=judged.output, seen=seen, embeddings=embeddings, like=before
    )
    return counting.compare(before, after), before, after
