"""A Dataset: named splits of typed rows, the same batches for the same seed.

Opens what ships with numen, a path, or a name in the library. Rows stay in the mapped file until
they are asked for; nothing here parses a format (the sources do) or knows a framework.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from numen.core import settings
from numen.core.errors import InvalidData, InvalidInput, MissingExtra, NotFound
from numen.core.manifest import (
    ColumnsInput,
    ImageInput,
    Preprocess,
    TextInput,
    WindowInput,
    places,
)
from numen.core.reference import Reference
from numen.core.signature import Array, TensorSpec
from numen.data import intake
from numen.data.names import find_version
from numen.data.reading import Reading, Taken, make
from numen.data.rows import open_rows
from numen.data.split import Batch, Split
from numen.data.stored import Stored, load

if TYPE_CHECKING:
    from numen.data.library import Library

__all__ = ["Batch", "Dataset", "Split"]

HELD_OUT: Final = 0.2
LISTED: Final = 40  # columns named one by one
_SEED: Final = 20_261_123  # of the rows held out where a set has no test split


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows with a target, ready to train on.

    Attributes:
        name: What it is called.
        digest: `sha256:` and the hex digest of the contents, wherever they came from.
        preprocess: How a picture, a text, a sound or named fields become a row.
        target: Name of the target column; of several, all their names.
        labels: Class names by class index; None where the target is a quantity.
        splits: The splits; `train` and `test` are always among them.
        source: Where it was read from.
        missing: Some value is missing (NaN).
        notes: What a person should know of how it was read.
        taken: How each column of a table was taken, and why.
        group: The column whose values stand in one split each.
        order: The column of times by which splits are made.
        encoded: Pictures are kept as their files' bytes and decoded when they are read.
        held_out: The test split is a part of the training rows, as there was none.
        several: A row carries any number of the labels; else one.
        quantities: What the numbers of the target are called, where a row has several.
        folder: Where it is stored.
    """

    name: str
    digest: str
    preprocess: Preprocess
    target: str
    labels: tuple[str, ...] | None
    splits: Mapping[str, Split]
    source: str
    missing: bool = False
    notes: tuple[str, ...] = ()
    taken: tuple[Taken, ...] = ()
    group: str = ""
    order: str = ""
    encoded: bool = False
    held_out: bool = False
    several: bool = False
    quantities: tuple[str, ...] = ()
    folder: Path = field(default=Path(), repr=False)

    @property
    def train(self) -> Split:
        """The rows to learn from."""
        return self.splits["train"]

    @property
    def test(self) -> Split:
        """The rows to judge by: the set's own, or a fixed fifth of the training rows.

        That fifth is of whole groups and the latest rows where the reading says so.
        """
        return self.splits["test"]

    @property
    def many(self) -> bool:
        """Whether a row's target is more than one number: several quantities, or labels."""
        return self.several or bool(self.quantities)

    @property
    def width(self) -> int:
        """How many numbers a model says of a row: one a label, one a quantity."""
        return len(self.labels or self.quantities or (self.target,))

    def told(self, target: Array) -> str:
        """A row's target in words."""
        if self.several:
            return ", ".join(n for n, has in zip(self.labels or (), target, strict=True) if has)
        if self.labels is not None:
            return self.labels[int(target)]
        return ", ".join(f"{number:g}" for number in np.atleast_1d(target))

    @property
    def spec(self) -> TensorSpec:
        """What a model sees: `float32[?, h, w]`, `float32[?, columns]`, `string[?, 1]`."""
        dtype = "string" if isinstance(self.preprocess, TextInput) else "float32"
        return TensorSpec(
            self.preprocess.input, dtype, (None, *self.preprocess.shape), self.missing
        )

    @property
    def categories(self) -> dict[int, int]:
        """Which of a row's numbers are codes of categories, and of how many.

        By their places in the row laid flat: of windows, all steps one behind the other.
        """
        how = self.preprocess
        if not isinstance(how, ColumnsInput | WindowInput):
            return {}
        sizes = {at: len(c.categories) for at, c in places(how.columns) if c.categories}
        width, steps = how.shape[-1], how.shape[0] if len(how.shape) > 1 else 1
        return {step * width + at: size for step in range(steps) for at, size in sizes.items()}

    def reading_notes(self) -> Iterator[str]:
        """How the data was read, a line each: columns taken for what they may not be, and splits.

        Of many columns the first few; all are in `taken`.
        """
        yield from (str(each) for each in self.taken[:LISTED])
        if len(self.taken) > LISTED:
            yield f"… {len(self.taken) - LISTED} more columns; numen data show lists them"
        left_out = {f'column "{each.name}" is left out: {each.why}' for each in self.taken}
        yield from (note for note in self.notes if note not in left_out)
        if self.held_out or self.group or self.order:
            yield self.division()

    def division(self) -> str:
        """How rows are divided for judging, in words."""
        if self.group and self.order:
            how = f'whole groups of "{self.group}", those that end last by "{self.order}"'
        elif self.group:
            how = f'whole groups of "{self.group}", by chance'
        elif self.order:
            how = f'the latest by "{self.order}"'
        else:
            alike = self.labels is not None and not self.several
            how = "by chance, of each class alike" if alike else "by chance"
        if self.held_out:
            return (
                f"no test split came with it: a fixed {HELD_OUT:.0%} of the rows is held out, {how}"
            )
        return f"the test split is the set's own; what is kept aside of the rest is {how}"

    def to_hf(self, split: str = "train") -> Any:
        """A split as a `datasets.Dataset`, over the same mapped file.

        Its columns are the input (a picture, nested lists of pixels, or a list of features) and
        the target.

        The library is imported here only: it takes five times as long as all else in this room.

        Raises:
            MissingExtra: `datasets` is not installed.
            InvalidInput: The rows are windows.
        """
        try:
            import datasets as hf
        except ModuleNotFoundError as error:
            raise MissingExtra.of("a Hugging Face dataset", "train") from error
        part = self.splits[split]
        if isinstance(self.preprocess, WindowInput):
            raise InvalidInput(
                f"dataset {self.name}: windows are made when they are read, not kept"
            )
        table = part.whole.select([0, 1])
        features = hf.Features.from_arrow_schema(table.schema)
        if self.labels is not None and not self.several:
            features[self.target] = hf.ClassLabel(names=list(self.labels))
        whole = hf.Dataset(
            hf.table.InMemoryTable(table),
            info=hf.DatasetInfo(features=features),
            split=hf.NamedSplit(split),
            fingerprint=self.digest.removeprefix("sha256:")[:32] + split,
        )
        if isinstance(self.preprocess, ImageInput) and self.encoded:
            whole = whole.cast_column(self.preprocess.input, hf.Image())
        return whole if part.is_whole else whole.select(part.stored_rows())

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        reading: Reading | None = None,
        library: Library | None = None,
        **said: Any,
    ) -> Dataset:
        """Opens a dataset.

        Args:
            where: `sample:mnist`, a file or folder, or a name in the library (`name`, `name@2`).
            reading: What numen should know of the data beside its looks. What is in the library
                was read when it was added.
            library: Where names are looked up; the one in the settings when None.
            **said: Fields of the reading, such as `target="price"`.

        Raises:
            NotFound: There is nothing at `where`; the message says what was tried.
            InvalidData: A file is broken; the message names it and the row.
            InvalidInput: The reading does not fit the data.
        """
        place = str(where)
        reading = make(said) if reading is None else reading
        if intake.find(place):
            return cls._raw(place, reading)
        if not _is_reference(place):
            what = "is of a kind nobody here reads" if Path(place).exists() else "does not exist"
            raise NotFound(
                f"dataset {place}: it {what}, and it is no name in the library",
                hint="numen data ls shows the names",
            )
        try:
            return library.open(place) if library else cls._named(place)
        except NotFound as error:
            sample = f"sample:{place}"
            if intake.find(sample):
                return cls._raw(sample, reading)
            raise NotFound(
                f"dataset {place}: no file or folder that can be read, no shipped sample, "
                f"and in the library: {error.message}",
                hint="numen data ls shows the names",
            ) from error

    @classmethod
    def _named(cls, reference: str) -> Dataset:
        version, folder = find_version(reference)
        return cls.stored(folder, version.name, version.source)

    @classmethod
    def _raw(cls, where: str, reading: Reading) -> Dataset:
        folder, stored = intake.cached([where], reading, settings.load()[0].home_path)
        name = Path(where.rpartition(":")[2]).resolve().name.split(".")[0]
        return cls.stored(folder, name, where, stored)

    @classmethod
    def stored(cls, folder: Path, name: str, source: str, stored: Stored | None = None) -> Dataset:
        """The dataset stored in `folder`, as a source wrote it.

        Raises:
            CorruptBundle: A file of it is not what numen wrote.
        """
        stored = load(folder) if stored is None else stored
        classes = 0 if stored.several else len(stored.labels or ())
        splits = {
            split: Split(split, open_rows(folder, split, stored), classes=classes)
            for split in stored.rows
        }
        held_out = "test" not in splits
        if held_out:
            count = len(splits["train"])
            if count < 2:
                raise InvalidData(f"{source}: expected at least two rows, found {count}")
            train, test = splits["train"].divide(max(HELD_OUT, 1 / count), _SEED)
            test.name = "test"
            splits |= {"train": train, "test": test}
        return cls(
            name,
            stored.digest,
            stored.preprocess,
            stored.target,
            stored.labels,
            splits,
            source,
            stored.missing,
            stored.notes,
            stored.taken,
            stored.group,
            stored.order,
            stored.encoded,
            held_out,
            stored.several,
            stored.quantities,
            folder,
        )


def _is_reference(place: str) -> bool:
    try:
        Reference.parse(place)
    except InvalidInput:
        return False
    return True
