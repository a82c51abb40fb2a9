"""A tree ensemble as its paths: what a row must have to come to a leaf, column by column.

All cuts of a column part its values into cells. Whatever a path asks of a column, however often,
is then one set of cells, and one share: how many of the rows that came to those questions in
training went that way. Tests of one column that follow one another are one question, so sets of
categories, which ONNX spells as chains of equalities with a common end, are one too.
"""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from numen.core.errors import CorruptBundle
from numen.core.signature import Array

INTERVAL: Final = 0xFFFF  # where a slot's cells are that, and none of the rules


@dataclass(frozen=True)
class Paths:
    """Paths of an ensemble of `F` columns and `C` values; slots are a path's columns, path by path.

    Attributes:
        cuts: float32, of all columns one after the other; a cell is `cut < x <= next cut`.
        bounds: int64[F + 1], where each column's cuts begin and end.
        lengths: int32[paths], slots of each.
        columns: int32[slots].
        low: uint16[slots], first cell of an interval.
        span: uint16[slots], cells after it.
        rule: uint16[slots], the row of `rules` that says which cells, where no interval does.
        missing: bool[slots], whether a gap goes this way.
        share: float32[slots], of the rows that came here in training.
        rules: bool[rules, cells].
        target: int32[paths], the value that `values` begin at.
        values: float32[paths, values of a leaf].
        base: float64[C], what the values would be of a row of which nothing is known.
    """

    cuts: Array
    bounds: Array
    lengths: Array
    columns: Array
    low: Array
    span: Array
    rule: Array
    missing: Array
    share: Array
    rules: Array
    target: Array
    values: Array
    base: Array

    def pack(self) -> bytes:
        """The arrays as an `.npz`."""
        target = io.BytesIO()
        np.savez_compressed(target, allow_pickle=False, **_arrays(self))
        return target.getvalue()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `pack` wrote.

        Raises:
            CorruptBundle: It is something else.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                paths = cls(**{each.name: file[each.name] for each in dataclasses.fields(cls)})
        except Exception as error:  # what a broken archive raises is no closed set
            raise CorruptBundle(f"{path.name}: expected an .npz of paths: {error}") from error
        if int(paths.lengths.sum()) != len(paths.columns) or len(paths.lengths) != len(
            paths.values
        ):
            raise CorruptBundle(f"{path.name}: its paths and columns do not fit one another")
        return paths


def _arrays(paths: Paths) -> dict[str, Array]:
    return {each.name: getattr(paths, each.name) for each in dataclasses.fields(paths)}
