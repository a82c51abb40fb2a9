"""Where data comes from. Each source is one plug-in of the seam `numen.sources`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from numen.data.reading import Reading
from numen.data.stored import Stored


class Source(Protocol):
    """A plug-in that reads one kind of place; made without arguments."""

    def matches(self, where: str) -> bool:
        """Whether `where` (a path, or a URL of its own kind) is this plug-in's, told by looks."""

    def files(self, where: Sequence[str]) -> list[Path]:
        """The files that would be read; when none of them changes, neither does the data.

        Raises:
            InvalidData: They do not make a dataset.
        """

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Reads and checks everything, and writes it to the empty folder `work`.

        Raises:
            InvalidData: Something is broken; the message names the file and the row.
            InvalidInput: `reading` does not fit the data.
        """
