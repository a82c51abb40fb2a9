"""Labels for the rows that a model is least sure of, by hand or by the model itself.

Each answer is written down at once, beside the store, so nothing is lost when the work stops half
way. All answers together make the next version of the data set; versions that are there stay.
Answers to rows of other files than those given now wait for them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import Any, Final

from numen.api.data import library
from numen.api.pool import By, Candidate, Pool, doubt
from numen.api.workspace import load, settings
from numen.core.errors import InvalidInput, NotFound
from numen.core.lines import append, decode, write
from numen.core.manifest import Preprocess
from numen.core.signature import Array
from numen.data.extend import growing
from numen.data.library import Added

_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Pseudo:
    """What labelling by the model itself did.

    Attributes:
        added: The new version; None where the model was sure of no row.
        counts: Rows that were added, by label.
        looked: Rows that were looked at.
    """

    added: Added | None
    counts: dict[str, int]
    looked: int


def pseudo_label(
    name: str, model: str, sources: Sequence[str | Path], above: float = 0.95
) -> Pseudo:
    """Adds rows that a model is sure of, under its label, as the next version of a data set.

    Args:
        name: A data set in the library.
        model: A published model of its classes.
        sources: Files of rows without a label.
        above: The least probability that counts as sure.

    Raises:
        InvalidInput: The model is not of this data; or `above` is not in (0, 1].
    """
    if not 0 < above <= 1:
        raise InvalidInput(f"above: expected more than 0 and at most 1, received {above}")
    pool = _pool(name, model, sources)
    rows: list[Array] = []
    target, looked = [], 0
    for found in pool.candidates():
        looked += 1
        if found.scores.max() >= above:
            rows.append(found.row)
            target.append(int(found.scores.argmax()))
    labels = pool.dataset.labels or ()
    counts = Counter(labels[place] for place in target)
    if not rows:
        return Pseudo(None, {}, looked)
    note = (
        f"{len(rows)} rows were labelled by {_who(pool)}, which was at least {above:g} sure, "
        f"from {', '.join(Path(source).name for source in sources)}"
    )
    added = library().extend(name, rows, target, note)
    return Pseudo(added, dict(sorted(counts.items())), looked)


class Session:
    """Labelling by hand: which row comes next, and what was answered.

    Args:
        name: A data set in the library.
        model: A published model of its classes.
        sources: Files of rows without a label.
        by: How doubt is measured.
        most: Rows to ask for at most.

    Raises:
        InvalidInput: The model is not of this data, or no rows can be added to it.
        NotFound: There is nothing to label.
        InvalidData: A file is broken.
    """

    def __init__(
        self,
        name: str,
        model: str,
        sources: Sequence[str | Path],
        by: By = "margin",
        most: int = _MOST,
    ):
        pool = _pool(name, model, sources)
        self.name = name
        self.labels = pool.dataset.labels or ()
        self.takes: Preprocess = pool.dataset.preprocess
        self.model = _who(pool)
        self.folder = settings().home_path / "labelling" / name.partition("@")[0]
        self._journal = self.folder / "answers.jsonl"
        self._base: int | None = None
        self._answers = self._read()
        self._rows = self._chosen(pool, by, most)
        self._order = [key for key in self._answers if key in self._rows]
        self._by: By = by

    def _chosen(self, pool: Pool, by: By, most: int) -> dict[str, Candidate]:
        """The rows answered before, and `most` others; no more of them are held meanwhile."""
        answered: dict[str, Candidate] = {}

        def others() -> Iterator[Candidate]:
            for found in pool.candidates():
                if found.key in self._answers:
                    answered[found.key] = found
                else:
                    yield found

        unsure = nlargest(most, others(), key=lambda one: doubt(one.scores, by))
        return answered | {found.key: found for found in unsure}

    @property
    def total(self) -> int:
        """Rows to ask for."""
        return len(self._rows)

    def counts(self) -> dict[str, int]:
        """Answers so far: `labelled` and `skipped`."""
        given = [self._answers[key] for key in self._order]
        return {
            "labelled": sum(label is not None for label in given),
            "skipped": sum(label is None for label in given),
        }

    def next(self) -> Candidate | None:
        """The row the model is least sure of among those not answered; None when all are."""
        return next((row for key, row in self._rows.items() if key not in self._answers), None)

    def doubt(self, candidate: Candidate) -> float:
        """How unsure the model is of a row, from 0 to 1."""
        return doubt(candidate.scores, self._by)

    def answer(self, key: str, label: str | None) -> None:
        """Writes down a label, or that the row is passed over.

        Raises:
            NotFound: There is no such row.
            InvalidInput: The data has no such label.
        """
        if key not in self._rows:
            raise NotFound(f"there is no row {key[:40]} to label")
        if label is not None and label not in self.labels:
            raise InvalidInput(
                f"label: expected one of {', '.join(self.labels[:20])}, received {label[:40]!r}",
                field="label",
            )
        self._write({"key": key, "label": label})
        if key in self._order:
            self._order.remove(key)
        self._answers[key] = label
        self._order.append(key)

    def undo(self) -> Candidate | None:
        """Takes the last answer back; the row it was for, which is then the next."""
        if not self._order:
            return None
        key = self._order.pop()
        self._write({"undo": key})
        del self._answers[key]
        return self._rows[key]

    def finish(self) -> Added | None:
        """Adds what was labelled as the next version of the data set; None where nothing was."""
        labelled = [key for key in self._order if self._answers[key] is not None]
        if not labelled:
            return None
        rows = [self._rows[key].row for key in labelled]
        target = [self.labels.index(self._answers[key] or "") for key in labelled]
        note = f"{len(rows)} rows were labelled by hand where {self.model} was least sure"
        # Should this be cut short, the same is added to the same version once more: to no effect.
        newest = library().versions(self.name.partition("@")[0])[-1]
        if self._base is None or newest.version > self._base + 1:
            self._base = newest.version
            self._write({"base": self._base})
        added = library().extend(f"{newest.name}@{self._base}", rows, target, note)
        self._put_away(self.folder / f"answers-{added.version.version}.jsonl")
        return added

    def _put_away(self, done: Path) -> None:
        """The answers that were used to a file of their own; those to rows not here stay."""
        left = {key: label for key, label in self._answers.items() if key not in self._rows}
        if left:
            shutil.copyfile(self._journal, done)
            write(self._journal, [{"key": key, "label": label} for key, label in left.items()])
        else:
            os.replace(self._journal, done)
        for key in self._order:
            self._rows.pop(key)
        self._answers, self._order, self._base = left, [], None

    def _write(self, said: dict[str, Any]) -> None:
        append(self._journal, {**said, "at": round(time.time(), 3)}, sync=True)

    def _read(self) -> dict[str, str | None]:
        answers: dict[str, str | None] = {}
        if not self._journal.exists():
            return answers
        for _, said in decode(self._journal.read_bytes()):
            if "base" in said:
                self._base = said["base"]
            elif "undo" in said:
                answers.pop(said["undo"], None)
            else:
                answers.pop(said["key"], None)
                answers[said["key"]] = said["label"]
        return {k: v for k, v in answers.items() if v is None or v in self.labels}


def _pool(name: str, model: str, sources: Sequence[str | Path]) -> Pool:
    if not sources:
        raise InvalidInput("from: expected files or a folder to label, received none", field="from")
    dataset = library().open(name)
    growing(dataset)
    return Pool(dataset, load(model), [Path(source) for source in sources])


def _who(pool: Pool) -> str:
    version = pool.model.version
    assert version is not None
    return f"{version.name}@{version.version} ({version.digest[:19]})"
