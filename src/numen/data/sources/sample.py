"""Datasets that ship with numen, as `sample:mnist`: a first model needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from numen.core.errors import InvalidInput
from numen.data.reading import Reading
from numen.data.sources.idx import IdxSource
from numen.data.stored import Stored

SCHEME: Final = "sample:"
_FOLDER: Final = Path(__file__).parent.parent / "samples"


class SampleSource:
    """Reads a shipped dataset; all of them are IDX."""

    def matches(self, where: str) -> bool:
        """`sample:` and the name of a shipped dataset."""
        name = where.removeprefix(SCHEME)
        return where.startswith(SCHEME) and name.isalnum() and (_FOLDER / name).is_dir()

    def files(self, where: Sequence[str]) -> list[Path]:
        """The shipped files."""
        return IdxSource().files(_folders(where))

    def read(self, where: Sequence[str], reading: Reading, work: Path) -> Stored:
        """Reads the shipped files: digits that were centred by those who made them."""
        plain = msgspec.structs.replace(reading, centre=None)
        return IdxSource().read(_folders(where), plain, work, centred=reading.centre is not False)


def _folders(where: Sequence[str]) -> list[str]:
    if len(where) != 1:
        raise InvalidInput(f"sample: expected one source, received {len(where)}")
    return [str(_FOLDER / where[0].removeprefix(SCHEME))]
