"""Labels for the rows that a model is least sure of, by hand or by the model itself.

Each answer is written down at once, beside the store, so nothing is lost when the work stops half
way. All answers together make the next version of the data set; versions that are there stay.
Answers to rows of other files than those given now wait for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path
from typing import Final

from numen.api.data import library
from numen.api.journal import Journal
from numen.api.pool import By, Candidate, Pool, doubt
from numen.api.workspace import load, settings
from numen.core.errors import InvalidInput, NotFound
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

    Rows that people labelled are left out: they are added under their label, or were.

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
    by_hand = _journal(name).by_hand()
    for found in pool.candidates():
        looked += 1
        if found.scores.max() >= above and found.key not in by_hand:
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
        self._journal = _journal(name)
        self._by: By = by
        self._rows = self._chosen(pool, most)

    def _chosen(self, pool: Pool, most: int) -> dict[str, Candidate]:
        """The rows answered and not yet added, and `most` others; no more are held meanwhile."""
        answers, added = self._answers(), self._journal.added()
        answered: dict[str, Candidate] = {}

        def others() -> Iterator[Candidate]:
            for found in pool.candidates():
                if found.key in answers:
                    answered[found.key] = found
                elif found.key not in added:
                    yield found

        unsure = nlargest(most, others(), key=self.doubt)
        return answered | {found.key: found for found in unsure}

    @property
    def total(self) -> int:
        """Rows to ask for."""
        return len(self._rows)

    def counts(self) -> dict[str, int]:
        """Answers so far: `labelled` and `skipped`."""
        given = list(self._given().values())
        return {
            "labelled": sum(label is not None for label in given),
            "skipped": sum(label is None for label in given),
        }

    def next(self) -> Candidate | None:
        """The row the model is least sure of among those not answered; None when all are."""
        answers = self._answers()
        for key in self._journal.added() & self._rows.keys() - answers.keys():
            del self._rows[key]  # by another process
        return next((row for key, row in self._rows.items() if key not in answers), None)

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
        self._journal.answer(key, label)

    def undo(self) -> Candidate | None:
        """Takes the last answer back; the row it was for, which is then the next."""
        given = list(self._given())
        if not given:
            return None
        self._journal.undo(given[-1])
        return self._rows[given[-1]]

    def finish(self) -> Added | None:
        """Adds what was labelled as the next version of the data set; None where nothing was."""
        given = self._given()
        labelled = {key: label for key, label in given.items() if label is not None}
        if not labelled:
            return None
        rows = [self._rows[key].row for key in labelled]
        target = [self.labels.index(label) for label in labelled.values()]
        note = f"{len(rows)} rows were labelled by hand where {self.model} was least sure"
        # Should this be cut short, the same is added to the same version once more: to no effect.
        newest = library().versions(self.name.partition("@")[0])[-1]
        base = self._journal.base
        if base is None or newest.version > base + 1:
            base = newest.version
            self._journal.begin(base)
        added = library().extend(f"{newest.name}@{base}", rows, target, note)
        self._journal.put_away(added.version.version, given)
        for key in given:
            self._rows.pop(key)
        return added

    def _given(self) -> dict[str, str | None]:
        """The answers to rows that are here; those to rows of other files wait for them."""
        return {key: label for key, label in self._answers().items() if key in self._rows}

    def _answers(self) -> dict[str, str | None]:
        """The answers that count, the latest last: not one with a label the data has no more."""
        said = self._journal.answers.items()
        return {key: label for key, label in said if label is None or label in self.labels}


def _journal(name: str) -> Journal:
    return Journal(settings().home_path / "labelling" / name.partition("@")[0])


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
