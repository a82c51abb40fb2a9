"""How a model is explained by perturbing it, as plain arrays: what is written when it is published.

How much is asked of a row depends on nothing but the plan, so that the same input always has the
same explanation, whoever is explained beside it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from numen.core.errors import CorruptBundle
from numen.core.signature import Array
from numen.explain.perturb.estimate import METHODS
from numen.explain.perturb.players import Numbers, Players, Words


@dataclass(frozen=True)
class Plan:
    """One method, and what it asks.

    Attributes:
        method: One of `METHODS`.
        evaluations: Sets of players to ask of each row.
        groups: int64 of a row's shape, the player of each number; of texts empty.
        background: `[copies, …]`, what stands for absent numbers; of texts empty.
    """

    method: str
    evaluations: int
    groups: Array
    background: Array

    @property
    def texts(self) -> bool:
        """Whether rows are texts, whose players are their words."""
        return not self.groups.size

    @property
    def many(self) -> bool:
        """Whether so many sets are asked that each player may first be asked alone."""
        return not self.texts and self.evaluations > 2 * (int(self.groups.max()) + 1)

    def players(self, rows: Array) -> Iterator[tuple[slice, Players]]:
        """Parts of the rows that have the same players, and these."""
        if self.texts:
            for n, text in enumerate(rows.reshape(-1)):
                yield slice(n, n + 1), Words(str(text))
        else:
            yield slice(0, len(rows)), Numbers(self.groups, self.background)

    def pack(self) -> bytes:
        """It as an `.npz`."""
        target = io.BytesIO()
        np.savez_compressed(
            target,
            allow_pickle=False,
            method=np.array(self.method),
            evaluations=np.array(self.evaluations),
            groups=self.groups,
            background=self.background,
        )
        return target.getvalue()

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `pack` wrote.

        Raises:
            CorruptBundle: It is something else.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                plan = cls(
                    str(file["method"]),
                    int(file["evaluations"]),
                    file["groups"],
                    file["background"],
                )
        except Exception as error:  # what a broken archive raises is no closed set
            raise CorruptBundle(f"{path.name}: expected an .npz of a plan: {error}") from error
        if plan.method not in METHODS:
            raise CorruptBundle(
                f'{path.name}: expected one of {", ".join(METHODS)}, received "{plan.method}"'
            )
        numbers = np.unique(plan.groups)
        fits = plan.groups.dtype == np.int64 and np.array_equal(numbers, np.arange(len(numbers)))
        fits &= plan.background.shape[1:] == plan.groups.shape and len(plan.background) > 0
        if not plan.texts and not fits:
            raise CorruptBundle(f"{path.name}: its players and its background do not fit")
        return plan
