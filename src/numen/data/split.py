"""A part of a dataset in an order of its own, and the batches it is read in.

The same seed gives the same order and the same parts, on any machine. Rows stay in the mapped file
until they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from numen.core.errors import InvalidInput, TooLarge
from numen.core.signature import Array
from numen.data.rows import Rows, Taught


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows.

    Attributes:
        inputs: By input name: `uint8[n, h, w]` grey or `uint8[n, h, w, 3]` pixels, or
            `float32[n, columns]` (NaN is missing, a category is its place among the categories).
            May be a read-only view of a file.
        target: `int64[n]` class indices, `float32[n]` quantities, or `float32[n, k]`: several
            quantities of each row, or 1 for each label that it carries and 0 for the others.
    """

    inputs: dict[str, Array]
    target: Array

    def __len__(self) -> int:
        return len(self.target)


class Split:
    """A named part of a dataset, in an order of its own.

    Args:
        name: What it is called.
        rows: The stored rows.
        indices: Which of them, in order; None is all.
        classes: Number of classes of which a row has one; else 0.
    """

    def __init__(self, name: str, rows: Rows, indices: Array | None = None, classes: int = 0):
        self.name = name
        self._rows = rows
        self._indices = indices
        self._classes = classes

    def __len__(self) -> int:
        return len(self._rows.target if self._indices is None else self._indices)

    def __repr__(self) -> str:
        return f"Split({self.name!r}, {len(self)} rows)"

    @property
    def table(self) -> Any:
        """The rows as a `pyarrow.Table` (columns: input and target), as stored."""
        return self.whole if self._indices is None else self.whole.take(self._indices)

    @property
    def whole(self) -> Any:
        """The `pyarrow.Table` of the stored split this is a part of; it lies in the file."""
        return self._rows.table

    @property
    def is_whole(self) -> bool:
        """Whether this is all of a stored split, in its order."""
        return self._indices is None

    @property
    def target(self) -> Array:
        """All targets, `int64[n]`, `float32[n]` or `float32[n, k]`."""
        target = self._rows.target
        return target if self._indices is None else target[self._indices]

    @property
    def group(self) -> Array | None:
        """Alike for rows that belong together, `int64[n]`; None where nothing was said."""
        return self._beside("group")

    @property
    def order(self) -> Array | None:
        """When each row was, `float64[n]`; None where nothing was said."""
        return self._beside("order")

    def stored_rows(self) -> Array:
        """The number of each row in the stored split it comes from, `int64[n]`, from 0."""
        return np.arange(len(self)) if self._indices is None else self._indices

    def places(self, seed: int) -> Array:
        """The order of the rows in a shuffle by this seed, int64[n]."""
        return np.random.default_rng(seed).permutation(len(self))

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[Batch]:
        """All rows once, `size` at a time; the last batch may be short.

        Args:
            size: Rows a batch, at least 1.
            seed: None for the stored order, else a shuffle that is the same for the same seed.

        Raises:
            InvalidInput: `size` is below 1.
        """
        if size < 1:
            raise InvalidInput(f"batches: expected a size of at least 1, received {size}")
        return self._batches(size, seed)

    def _batches(self, size: int, seed: int | None) -> Iterator[Batch]:
        order = None if seed is None else self.places(seed)
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            if order is None and self._indices is None:
                yield self._batch(self._rows.part(start, stop), self._rows.target[start:stop])
                continue
            wanted = np.arange(start, stop) if order is None else order[start:stop]
            if self._indices is not None:
                wanted = self._indices[wanted]
            yield self._batch(self._rows.pick(wanted), self._rows.target[wanted])

    def arrays(self, limit: int = 4 << 30) -> Batch:
        """All rows at once.

        A whole stored split of rows of one shape is a view of the mapped file, without a copy;
        pictures kept encoded are decoded, and a part of a split is copied.

        Raises:
            TooLarge: It would be over `limit` bytes.
        """
        size = len(self) * self._rows.row_bytes
        if size > limit:
            raise TooLarge(
                f"split {self.name}: expected at most {limit} bytes at once, it has {size}",
                hint="read it in batches",
            )
        if self._indices is None:
            return self._batch(self._rows.part(0, len(self)), self._rows.target)
        return self._batch(self._rows.pick(self._indices), self.target)

    def take(self, indices: Array | list[int]) -> Split:
        """The rows at these places of this split, in this order.

        Raises:
            InvalidInput: A place is outside the split.
        """
        places = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(places) and not (places.min() >= 0 and places.max() < len(self)):
            wrong = places[(places < 0) | (places >= len(self))][0]
            raise InvalidInput(f"split {self.name}: expected rows 0-{len(self) - 1}, not {wrong}")
        stored = places if self._indices is None else self._indices[places]
        return Split(self.name, self._rows, stored, self._classes)

    def taught(self, target: Array, recode: Callable[[Array], Array] | None = None) -> Split:
        """The same rows with other targets, such as those another model gives them.

        Args:
            target: `int64[n]`, `float32[n]`, `float32[n, k]`, or shares of every class
                `float32[n, classes]`.
            recode: What is done to the inputs as they are read, `[n, …]` to `[n, …]`.
        """
        whole = np.zeros((len(self._rows.target), *target.shape[1:]), target.dtype)
        whole[self.stored_rows()] = target
        classes = int(target.max(initial=-1)) + 1 if target.dtype.kind == "i" else 0
        rows = Taught(self._rows, whole, recode)
        return Split(self.name, rows, self._indices, max(self._classes, classes) if classes else 0)

    def divide(self, fraction: float, seed: int) -> tuple[Split, Split]:
        """Two parts, the second with about `fraction` of the rows.

        Where rows have groups, each group is in one part. Where they have times, the second part
        is the latest: rows of one time stay together, and of groups those count as latest that
        end last. Else chance decides, and classes are shared out evenly. Both parts keep this
        split's order. The same seed divides in the same way.

        Raises:
            InvalidInput: A part would be empty.
        """
        count = round(len(self) * fraction)
        if not 0 < count < len(self):
            raise InvalidInput(
                f"split {self.name}: {fraction} of {len(self)} rows leaves a part without rows"
            )
        random = np.random.default_rng(seed)
        group, order = self.group, self.order
        if group is not None:
            second = whole_groups(group, order, count, random)
        elif order is not None:
            second = latest(order, count)
        elif self._classes:
            second = _stratified(self.target, self._classes, count, random)
        else:
            second = random.permutation(len(self))[:count]
        if not 0 < len(second) < len(self):
            raise InvalidInput(
                f"split {self.name}: all rows are of one {'group' if group is not None else 'time'}"
                ", so they cannot be divided",
                hint="name another column, or none",
                field="group" if group is not None else "order",
            )
        chosen = np.zeros(len(self), bool)
        chosen[second] = True
        return self.take(np.flatnonzero(~chosen)), self.take(np.flatnonzero(chosen))

    def _beside(self, name: str) -> Array | None:
        values: Array | None = getattr(self._rows, name, None)
        return values if values is None or self._indices is None else values[self._indices]

    def _batch(self, inputs: Array, target: Array) -> Batch:
        return Batch({self._rows.input: inputs}, target)


def latest(order: Array, count: int) -> Array:
    """Places of the latest rows, about `count`; rows of one time are all in or all out."""
    bound = np.partition(order, len(order) - count)[len(order) - count]
    late = np.flatnonzero(order >= bound)
    return late if len(late) < len(order) else np.flatnonzero(order > bound)


def whole_groups(
    group: Array, order: Array | None, count: int, random: np.random.Generator
) -> Array:
    """Places of the rows of some groups, about `count`: those that end last, or any.

    As many as come nearest to `count`.
    """
    _, place, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if order is None:
        turn = random.permutation(len(sizes))
    else:
        ends = np.full(len(sizes), -np.inf)
        np.maximum.at(ends, place, order)
        turn = np.argsort(-ends, kind="stable")
    sums = np.cumsum(sizes[turn])
    most = int(np.argmin(np.abs(sums - count))) + 1  # groups whose rows come nearest to it
    chosen = np.zeros(len(sizes), bool)
    chosen[turn[: min(most, len(sizes) - 1)]] = True
    return np.flatnonzero(chosen[place])


def _stratified(target: Array, classes: int, count: int, random: np.random.Generator) -> Array:
    """Places of `count` rows, as evenly of each class as whole rows allow."""
    sizes = np.bincount(target, minlength=classes)
    exact = sizes * (count / len(target))
    shares = np.floor(exact).astype(np.int64)
    # What rounding left over goes to the largest remainders, a class's last row only if need be,
    # and never to a class that has its exact share.
    rank = np.where(exact > shares, exact - shares - (shares + 1 >= sizes), -2.0)
    for place in np.argsort(-rank, kind="stable")[: count - shares.sum()]:
        shares[place] += 1
    places = [
        random.permutation(np.flatnonzero(target == label))[:share]
        for label, share in enumerate(shares)
    ]
    return np.concatenate(places)
