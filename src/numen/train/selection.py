"""Which columns of a table were chosen, as plain data: it travels in bundles and on their cards."""

from __future__ import annotations

from typing import Final

import msgspec

SELECTION: Final = "selection.json"  # the file of a bundle that says which columns were chosen


class Kept(msgspec.Struct, frozen=True):
    """A column, and in which part of the resamples it was among those chosen."""

    column: str
    share: float


class Cost(msgspec.Struct, frozen=True):
    """What leaving columns out costs, on training rows by which nothing was chosen.

    Attributes:
        metric: `accuracy`, `exact` or `r2`.
        rows: How many rows.
        all: With all columns.
        chosen: With those that were chosen.
        change: By how much the latter is more.
        low: The change's 95 % interval begins here.
        high: And ends here.
    """

    metric: str
    rows: int
    all: float
    chosen: float
    change: float
    low: float
    high: float


class Selection(msgspec.Struct, frozen=True):
    """Which columns of a table were chosen.

    Attributes:
        chosen: The columns, the most stable first.
        others: The columns left out, the most stable first.
        resamples: Halves of the rows on which it was done.
        cost: What it costs.
    """

    chosen: tuple[Kept, ...]
    others: tuple[Kept, ...]
    resamples: int
    cost: Cost | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Those that were chosen."""
        return tuple(each.column for each in self.chosen)
