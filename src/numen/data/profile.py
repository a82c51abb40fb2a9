"""What a dataset looks like: its profile, found once when it is added and kept with it.

Counts, class balance, missing values, duplicates, statistics and suspicious labels. It reads the
rows in batches; what it keeps a row is one 64-bit fingerprint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec.structs import replace

from numen.core.errors import CorruptBundle, NotFound
from numen.core.manifest import AudioInput, ColumnsInput, ImageInput, TextInput, WindowInput, places
from numen.core.signature import Array
from numen.data import texts
from numen.data.dataset import Dataset
from numen.data.leaks import Leak, leaks, near, shared_groups
from numen.data.look import Look, Moments, look
from numen.data.suspects import Suspect, suspects

PROFILE: Final = "profile.json"
LISTED: Final = 100
_UNEVEN: Final = 10  # times as many rows in the largest class


class ColumnProfile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One input column, the pictures as a whole, or one figure of the sounds.

    Attributes:
        name: The column.
        kind: What it holds.
        categories: Number of categories, of a category.
        missing: Rows without a value, in all splits.
        why: What made it that.
        min: Smallest value of the training rows, of numbers, pixels and figures; of dates in days
            since 1970.
        mean: Their mean.
        max: Their largest.
        std: Their standard deviation.
    """

    name: str
    kind: Literal["number", "category", "date", "text", "image", "sound"]
    categories: int = 0
    missing: int = 0
    why: str = ""
    min: float | None = None
    mean: float | None = None
    max: float | None = None
    std: float | None = None


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a dataset looks like.

    Attributes:
        digest: Of the contents.
        schema: The columns.
        shape: Of one row: `[28, 28]`, `[64, 64, 3]`, `[columns]`.
        target: The target column.
        labels: Class names; None where the target is a quantity.
        rows: Number of rows, by split.
        several: A row carries any number of the labels.
        balance: Rows of each class in the order of `labels`, by split.
        quantity: Statistics of the target, where it is a quantity.
        quantities: Statistics of each, where it is several.
        repeated: Rows equal to an earlier one of the same split, by split.
        shared: Rows of the test split whose input is also a training row's.
        near: Test rows that are nearly, but not quite, a training row.
        shared_groups: Groups with rows in training and in test.
        leaks: Columns that tell the target by themselves.
        suspicious: Rows whose label may be wrong; at most 100, the surest first.
        suspicious_total: How many there are.
        compared: Training rows whose label the others judged.
        text: What the texts look like, where rows are texts.
        notes: What a person should know.
        rate: Samples a second, of sounds.
        format: Version of this structure.
    """

    digest: str
    schema: tuple[ColumnProfile, ...]
    shape: tuple[int, ...]
    target: str
    labels: tuple[str, ...] | None
    rows: dict[str, int]
    several: bool = False
    balance: dict[str, list[int]] = {}
    quantity: ColumnProfile | None = None
    quantities: tuple[ColumnProfile, ...] = ()
    repeated: dict[str, int] = {}
    shared: int = 0
    near: int = 0
    shared_groups: int = 0
    leaks: tuple[Leak, ...] = ()
    suspicious: tuple[Suspect, ...] = ()
    suspicious_total: int = 0
    compared: int = 0
    text: texts.TextProfile | None = None
    notes: tuple[str, ...] = ()
    rate: int = 0
    format: Literal[1] = 1

    def to_json(self) -> bytes:
        """The profile as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def read_profile(folder: Path) -> Profile:
    """The profile kept with a stored dataset.

    Raises:
        NotFound: There is none.
        CorruptBundle: It is not what numen writes.
    """
    try:
        return msgspec.json.decode((folder / PROFILE).read_bytes(), type=Profile)
    except OSError as error:
        raise NotFound(f"dataset: no {PROFILE} in {folder}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptBundle(f"dataset {folder}: {PROFILE}: {error}") from error


def examine(data: Dataset) -> Profile:
    """Looks at every row of a dataset once, and at the neighbours of some."""
    figures = _figures(data)
    seen = {name: look(split, figures) for name, split in data.splits.items()}
    prints = {name: seen[name].prints for name in seen}
    profile = Profile(
        digest=data.digest,
        schema=_schema(data, seen),
        shape=tuple(size for size in data.spec.row if size is not None),
        target=data.target,
        labels=data.labels,
        rows={name: len(split) for name, split in data.splits.items()},
        several=data.several,
        repeated={name: len(p) - len(np.unique(p)) for name, p in prints.items()},
        shared=int(np.isin(prints["test"], prints["train"]).sum()),
        near=near(data, seen),
        shared_groups=shared_groups(data),
        leaks=tuple(leaks(data)),
        rate=data.preprocess.rate if isinstance(data.preprocess, AudioInput) else 0,
    )
    if isinstance(data.preprocess, TextInput):
        profile = replace(profile, text=texts.profile(data.splits))
    if data.labels is None:
        moments = Moments()
        moments.add(data.train.target.reshape(len(data.train), -1))
        names = data.quantities or (data.target,)
        found = tuple(_column(name, moments, place) for place, name in enumerate(names))
        profile = replace(
            profile, **({"quantities": found} if data.many else {"quantity": found[0]})
        )
    else:
        balance = {name: _balance(data, split.target) for name, split in data.splits.items()}
        profile = replace(profile, balance=balance)
    if data.labels is not None and not data.several:
        suspicious, total, compared = suspects(data, prints, LISTED)
        profile = replace(
            profile,
            suspicious=tuple(suspicious),
            suspicious_total=total,
            compared=compared,
        )
    return replace(profile, notes=(*data.notes, *_notes(data, profile)))


def _balance(data: Dataset, target: Array) -> list[int]:
    """Rows of each class, or that carry each label."""
    if data.several:
        return [int(rows) for rows in target.sum(axis=0)]
    return [int(rows) for rows in np.bincount(target, minlength=len(data.labels or ()))]


def _column(name: str, moments: Moments, place: int, missing: int = 0) -> ColumnProfile:
    return replace(ColumnProfile(name, "number", missing=missing), **moments.of(place))


def _figures(data: Dataset) -> Callable[[Array], Array] | None:
    how = data.preprocess
    if not isinstance(how, AudioInput):
        return None
    from numen.data.sound import figures  # it needs a package that tables do not

    return lambda sounds: figures(sounds, how.rate)


def _schema(data: Dataset, seen: Mapping[str, Look]) -> tuple[ColumnProfile, ...]:
    train = seen["train"].moments
    if isinstance(data.preprocess, ImageInput):
        return (replace(ColumnProfile("image", "image"), **train.of(0)),)
    if isinstance(data.preprocess, TextInput):
        return (ColumnProfile(data.preprocess.input, "text"),)
    if isinstance(data.preprocess, AudioInput):
        names = ("seconds", "loudness (dB)")
        return tuple(
            replace(ColumnProfile(name, "sound"), **train.of(place))
            for place, name in enumerate(names)
        )
    assert isinstance(data.preprocess, ColumnsInput | WindowInput)
    why = {each.name: each.why for each in data.taken}
    columns = []
    for place, column in places(data.preprocess.columns):
        missing = int(sum(look.moments.missing[place] for look in seen.values()))
        if column.categories is not None:
            found = ColumnProfile(column.name, "category", len(column.categories), missing)
        elif column.words:
            found = ColumnProfile(column.name, "text")
        else:
            found = _column(column.name, train, place, missing)
            found = replace(found, kind="date" if column.date else "number")
        columns.append(replace(found, why=why.get(column.name, "")))
    return tuple(columns)


def _notes(data: Dataset, profile: Profile) -> Iterator[str]:
    if data.held_out or data.group or data.order:
        yield data.division()
    for column in profile.schema:
        if column.min is not None and column.min == column.max:
            yield f'"{column.name}" is {column.min:g} in every training row'
    counts = [count for count in profile.balance.get("train", []) if count]
    if data.several:
        yield from _labels_notes(data, profile)
    elif counts and max(counts) >= _UNEVEN * min(counts):
        yield (
            f"classes are uneven: the largest has {max(counts)} training rows, "
            f"the smallest {min(counts)}"
        )
    if profile.text is not None and profile.text.empty:
        yield f"{profile.text.empty} texts have no words"
    if profile.shared:
        yield f"{profile.shared} test rows are also training rows: scores will flatter"
    if profile.near:
        yield f"{profile.near} test rows are training rows but for a rounding: scores will flatter"
    if profile.shared_groups:
        yield (
            f'{profile.shared_groups} values of "{data.group}" stand in training and in test: '
            "scores will flatter"
        )
    for leak in profile.leaks:
        what = "looks like an id, and yet tells" if leak.counts else "by itself tells"
        yield (
            f'"{leak.column}" {what} "{data.target}" ({leak.score:.0%} of what guesses miss): '
            "leave it out if it is not known beforehand"
        )


def _labels_notes(data: Dataset, profile: Profile) -> Iterator[str]:
    """What to know of labels of which a row carries any number."""
    carried = data.train.target.sum(axis=1)
    yield (
        f"a training row carries {carried.mean():.1f} labels on average, at most "
        f"{int(carried.max())}; {int((carried == 0).sum())} carry none"
    )
    labels = data.labels or ()
    never = [n for n, count in zip(labels, profile.balance["train"], strict=True) if not count]
    if never:
        yield f"no training row carries {', '.join(never[:10])}, so nothing is learnt of it"
