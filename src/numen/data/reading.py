"""What a person says of their data where numen's own guess does not do."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from numen.core.errors import InvalidInput
from numen.core.given import convert

ColumnKind = Literal["number", "category", "date", "text", "ignore"]


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to read data. Empty values mean: what it looks like.

    Attributes:
        target: The column to learn; of several, quantities or labels of 0 and 1, the names with
            commas between them.
        columns: What a column is, by name, where its looks deceive.
        group: A column, such as the player or the patient: no value of it stands in two splits.
        order: A column of times: the test rows are the latest, and so are those kept aside.
        window: Rows of one group, in their order, that make one row of the model's input; 0 is
            each row for itself.
        separator: What stands between labels in the target column, such as `|`: a row then carries
            any number of them. Lists need none.
        centre: Pictures are drawings in grey: each is cropped to its ink and centred as MNIST's
            are, before it is learnt from and before it is asked about; see `numen.core.centre`.
    """

    target: str = ""
    columns: dict[str, ColumnKind] = {}
    group: str = ""
    order: str = ""
    window: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    separator: Annotated[str, msgspec.Meta(max_length=8)] = ""
    centre: bool | None = None

    def refuse(self, what: str, *names: str) -> None:
        """Says so where something is set that data of a kind have no use for.

        Raises:
            InvalidInput: One of the fields is set.
        """
        for name in names:
            if getattr(self, name):
                raise InvalidInput(
                    f'read.{name}: {what} have none, received "{getattr(self, name)}"',
                    hint="leave it out",
                    field=name,
                )


class Taken(msgspec.Struct, frozen=True):
    """How a column was taken, and why: what to look at when a guess may be wrong.

    Attributes:
        name: The column.
        kind: `number`, `category`, `date`, `text`, or `ignore`.
        why: What it looked like, or that a person said so.
    """

    name: str
    kind: ColumnKind
    why: str

    def __str__(self) -> str:
        """Such as `"city" is a category (12 distinct values)`."""
        what = "left out" if self.kind == "ignore" else _ARTICLES[self.kind]
        return f'"{self.name}" is {what} ({self.why})'


_ARTICLES: Final = {
    "number": "a number", "category": "a category", "date": "a date", "text": "text"
}  # fmt: skip


def make(said: dict[str, Any]) -> Reading:
    """A reading of plain values; text stands for numbers where they are asked for.

    Raises:
        InvalidInput: A name is unknown, or a value is not what it must be.
    """
    return convert(said, Reading, "read")


PLAIN: Final = Reading()
