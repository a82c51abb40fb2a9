"""Whether rows still look like those a model learnt from.

A Reference is what is kept of rows: counts in bins that were cut at the quantiles of the first
ones. Everything here is counting and arithmetic over such references, so rows that are served
could be counted and compared alike.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Final, Literal

import msgspec
import numpy as np

from numen.core.errors import CorruptBundle, InvalidInput
from numen.core.manifest import EDGE
from numen.core.signature import Array
from numen.data.dataset import Dataset
from numen.data.directions import Directions, find
from numen.data.features import Measured, measure, told
from numen.data.split import Split

REFERENCE: Final = "reference.json"  # the file of a bundle that holds its reference
_ROWS: Final = 20_000  # read of a split, spread evenly
_BINS: Final = 50  # of a number: what Kolmogorov and Smirnov's distance is exact to
_GROUPS: Final = 10  # bins put together again for the population stability index
# Siddiqi, Credit Risk Scorecards (2006), 6: under 0.1 no change, from 0.25 on a large one.
WATCH: Final = 0.1
DRIFTED: Final = 0.25
# numen's own: parts of the rows.
_DISTANCE: Final = (0.1, 0.2)  # Kolmogorov-Smirnov
_MISSING: Final = (0.05, 0.2)  # more or fewer rows without a value
_UNSEEN: Final = (0.01, 0.1)  # rows with a category that the reference never had
_SURE: Final = 0.99  # a change that could be chance is none, however large

Verdict = Literal["stable", "watch", "drifted"]
_ORDER: Final[tuple[Verdict, ...]] = ("stable", "watch", "drifted")


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One column of some rows.

    Attributes:
        name: What it is called.
        rows: How many there were.
        missing: How many had no value.
        edges: Of a number: bin i holds `edges[i - 1] < value <= edges[i]`.
        bins: Of a number: rows in each bin, one more than edges.
        categories: Of a category: rows of each.
    """

    name: str
    rows: int
    missing: int = 0
    edges: tuple[float, ...] = ()
    bins: tuple[int, ...] = ()
    categories: dict[str, int] = {}

    def __post_init__(self) -> None:
        counted = (self.rows, self.missing, *self.bins, *self.categories.values())
        rising = all(low < high for low, high in pairwise(self.edges))
        fits = len(self.bins) == (len(self.edges) + 1 if self.edges else 0)
        if min(counted) < 0 or self.missing > self.rows or not (rising and fits):
            raise ValueError(f"column {self.name}: these are no counts of rows")


class Reference(msgspec.Struct, frozen=True):
    """What is kept of rows.

    Attributes:
        columns: The data's columns; of pictures, texts and sounds simple features; the target.
        outputs: What a model said of test rows: the label, and how sure it was; of a network
            also what it decided by, along the main directions.
        directions: Those directions.
        format: Version of this structure.
    """

    columns: tuple[Counts, ...]
    outputs: tuple[Counts, ...] = ()
    directions: Directions | None = None
    format: Literal[1] = 1


class Change(msgspec.Struct, frozen=True):
    """How one column changed.

    Attributes:
        column: Its name.
        psi: Population stability index.
        ks: Kolmogorov-Smirnov distance, of a number.
        p: How likely rows of one source would be so far apart: of a number by its Kolmogorov-
            Smirnov distance, of a category by its stability index.
        missing: Change of the part of the rows without a value.
        unseen: Part of the rows with a category that the reference never had.
        shifted: The category whose part changed most, and by how much.
        verdict: What that amounts to.
        why: What the verdict is for.
    """

    column: str
    psi: float
    ks: float | None = None
    p: float = 1.0
    missing: float = 0.0
    unseen: float = 0.0
    shifted: tuple[str, float] | None = None
    verdict: Verdict = "stable"
    why: str = ""


class Drift(msgspec.Struct, frozen=True):
    """How rows changed.

    Attributes:
        verdict: The worst column's.
        changes: Each column, the worst first.
        before: Rows of the reference.
        after: Rows compared with it.
    """

    verdict: Verdict
    changes: tuple[Change, ...]
    before: int
    after: int


def encode(reference: Reference) -> bytes:
    """The reference as JSON."""
    return msgspec.json.encode(reference)


def decode(text: bytes) -> Reference:
    """The reference in JSON.

    Raises:
        CorruptBundle: It is not what `encode` writes.
    """
    try:
        return msgspec.json.decode(text, type=Reference)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptBundle(f"{REFERENCE}: {error}") from error


def reference(
    data: Dataset,
    split: str = "train",
    *,
    output: Array | None = None,
    seen: Dataset | None = None,
    embeddings: Array | None = None,
    like: Reference | None = None,
) -> Reference:
    """What is kept of a split's rows.

    Args:
        data: The rows are its.
        split: Which of them; 20,000 are read, spread evenly.
        output: What a model said: probabilities float[rows, labels] or values float[rows, k].
        seen: The data as the model has learnt to see them, with its labels; just so by default.
        embeddings: What a network decided by, float[rows, width].
        like: Count in this one's bins, so that the two may be compared.

    Raises:
        InvalidInput: There is no such split.
    """
    before = {c.name: c for c in (*like.columns, *like.outputs)} if like else {}
    rows = sample(data, split)
    columns = tuple(_count(found, before.get(found.name)) for found in measure(data, rows))
    said = [] if output is None else _said(output, seen or data)
    directions = None
    if embeddings is not None:
        directions = find(embeddings) if like is None else like.directions
    if embeddings is not None and directions is not None:
        parts = directions.along(embeddings)
        said += [Measured(f"seen: direction {n}", part) for n, part in enumerate(parts, 1)]
    outputs = tuple(_count(found, before.get(found.name)) for found in said)
    return Reference(columns, outputs, directions)


def sample(data: Dataset, split: str) -> Split:
    """The rows of a split that are looked at: all, or 20,000 spread evenly.

    Raises:
        InvalidInput: There is no such split.
    """
    if split not in data.splits:
        raise InvalidInput(
            f'split: expected one of {", ".join(data.splits)}, received "{split}"', field="split"
        )
    rows = data.splits[split]
    if len(rows) <= _ROWS:
        return rows
    return rows.take(np.linspace(0, len(rows) - 1, _ROWS).astype(int))


def _said(output: Array, data: Dataset) -> list[Measured]:
    if data.several:
        return told("said", data, output >= EDGE)
    if data.many:
        return told("said", data, output)
    if data.labels is None:
        return [Measured("said: value", output.reshape(-1))]
    return [
        Measured("said: label", output.argmax(1).astype(np.float64), data.labels),
        Measured("said: confidence", output.max(1).astype(np.float64)),
    ]


def _count(found: Measured, like: Counts | None) -> Counts:
    values = found.values.astype(np.float64)
    there = values[np.isfinite(values)]
    rows, missing = len(values), len(values) - len(there)
    if found.categories is not None:
        counts = np.bincount(there.astype(int), minlength=len(found.categories))
        named = {name: int(n) for name, n in zip(found.categories, counts, strict=False)}
        return Counts(found.name, rows, missing, categories=named)
    if like is not None and like.edges:
        edges = np.array(like.edges)
    else:
        cuts = np.quantile(there, np.arange(1, _BINS) / _BINS) if len(there) else np.zeros(1)
        edges = np.unique(cuts)
    places = np.searchsorted(edges, there, side="left")
    bins = np.bincount(places, minlength=len(edges) + 1)
    return Counts(found.name, rows, missing, tuple(map(float, edges)), tuple(map(int, bins)))


def compare(before: Reference, after: Reference) -> Drift:
    """How rows changed, column by column.

    Args:
        before: The reference.
        after: Rows counted `like` it.

    Raises:
        InvalidInput: They have no column in common, or were counted in other bins.
    """
    now = {c.name: c for c in (*after.columns, *after.outputs)}
    pairs = [(c, now[c.name]) for c in (*before.columns, *before.outputs) if c.name in now]
    if not pairs:
        raise InvalidInput(
            "drift: expected rows of the same columns, received "
            f"{', '.join(list(now)[:10]) or 'none'}"
        )
    changes = [_change(was, now) for was, now in pairs]
    changes.sort(key=lambda c: (-_ORDER.index(c.verdict), -c.psi))
    return Drift(changes[0].verdict, tuple(changes), pairs[0][0].rows, pairs[0][1].rows)


def _change(was: Counts, now: Counts) -> Change:
    if was.edges != now.edges:
        raise InvalidInput(f"drift: column {was.name}: expected rows counted in the same bins")
    sizes = was.rows - was.missing, now.rows - now.missing
    lost = now.missing / max(now.rows, 1) - was.missing / max(was.rows, 1)
    if not min(sizes):
        return _judged(Change(was.name, 0.0, missing=lost), was, now, groups=2)
    if was.edges:
        a, b = np.array(was.bins), np.array(now.bins)
        ks = float(np.abs(np.cumsum(a) / sizes[0] - np.cumsum(b) / sizes[1]).max())
        group = np.floor((np.cumsum(a) - a / 2) / sizes[0] * _GROUPS).astype(int)
        a, b = np.bincount(group, a), np.bincount(group, b)
        change = Change(was.name, _psi(a, b), ks, _kolmogorov(ks, *sizes), lost)
        return _judged(change, was, now, int(np.count_nonzero(a + b)))
    names = sorted(was.categories.keys() | now.categories.keys())
    a = np.array([was.categories.get(name, 0) for name in names])
    b = np.array([now.categories.get(name, 0) for name in names])
    shares = b / sizes[1] - a / sizes[0]
    most = int(np.abs(shares).argmax())
    unseen = float(b[a == 0].sum() / sizes[1])
    shifted = (names[most], float(shares[most]))
    psi, groups = _psi(a, b), int(np.count_nonzero(a + b))
    p = _chi_square_p(psi / (1 / sizes[0] + 1 / sizes[1]), max(groups - 1, 1))
    change = Change(was.name, psi, None, p, lost, unseen, shifted)
    return _judged(change, was, now, groups)


def _judged(change: Change, was: Counts, now: Counts, groups: int) -> Change:
    """The change with its verdict: large, and more than chance gives."""
    apart = 1 / max(was.rows - was.missing, 1) + 1 / max(now.rows - now.missing, 1)
    reasons: list[tuple[float, tuple[float, float], str]] = []
    # Of rows of one source the index is distributed as chi-square times 1/n + 1/m (Yurdakul 2018).
    if _chi_square_p(change.psi / apart, max(groups - 1, 1)) < 1 - _SURE:
        reasons.append((change.psi, (WATCH, DRIFTED), f"PSI {change.psi:.3f}"))
    if change.ks is not None and change.p < 1 - _SURE:
        reasons.append((change.ks, _DISTANCE, f"KS {change.ks:.3f}"))
    if abs(change.missing) > _by_chance(was, now):
        reasons.append((abs(change.missing), _MISSING, f"missing {change.missing:+.1%}"))
    reasons.append((change.unseen, _UNSEEN, f"unseen categories {change.unseen:.1%}"))
    grades = [(sum(value >= limit for limit in limits), why) for value, limits, why in reasons]
    worst = max(grade for grade, _ in grades)
    why = ", ".join(why for grade, why in grades if grade == worst) if worst else ""
    return msgspec.structs.replace(change, verdict=_ORDER[worst], why=why)


def _psi(a: Array, b: Array) -> float:
    """Population stability index of counts; half a row is added to each, so that none is empty."""
    a, b = a[a + b > 0], b[a + b > 0]
    p = (a + 0.5) / (a.sum() + 0.5 * len(a))
    q = (b + 0.5) / (b.sum() + 0.5 * len(b))
    return float(((q - p) * np.log(q / p)).sum())


def _chi_square_p(value: float, freedom: int) -> float:
    """How likely chi-square is over a value, about (Wilson and Hilferty 1931)."""
    third = 2 / (9 * freedom)
    return 1 - NormalDist().cdf(((value / freedom) ** (1 / 3) - 1 + third) / third**0.5)


def _kolmogorov(distance: float, n: int, m: int) -> float:
    """How likely two samples of one source are so far apart (Smirnov 1948)."""
    x = distance * (n * m / (n + m)) ** 0.5
    if x < 0.2:
        return 1.0
    terms = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))
    return float(min(1.0, max(0.0, sum(terms))))


def _by_chance(was: Counts, now: Counts) -> float:
    """How far apart two shares of missing values of one source may be (pooled two-sample z)."""
    rows = was.rows + now.rows
    share = (was.missing + now.missing) / max(rows, 1)
    apart = 1 / max(was.rows, 1) + 1 / max(now.rows, 1)
    return float(NormalDist().inv_cdf(0.5 + _SURE / 2) * (share * (1 - share) * apart) ** 0.5)
