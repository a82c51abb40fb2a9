"""The deploy seam: what a target is given, and what it gives back.

A target renders first, which writes nothing and asks nobody: the same models and options give the
same files. Applying is a step of its own, done by whatever tool is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec

from numen.core.bundle import Bundle
from numen.core.reference import Reference
from numen.store.catalog import ModelVersion

Files = Mapping[str, bytes | Path]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Shipped:
    """A model that leaves this machine.

    Attributes:
        reference: How it was asked for.
        version: What that stood for.
        bundle: Its files.
        aliases: Those that stand for this version.
    """

    reference: Reference
    version: ModelVersion
    bundle: Bundle
    aliases: tuple[str, ...] = ()


class Target(Protocol):
    """Where models go. Constructed with its options, plain data whose fields the command offers.

    Attributes:
        options: The structure of its options; each field has a default, and a description in
            `msgspec.Meta` that the command shows.
        applies: Whether `apply` is done unless the user says otherwise.
        verbs: Methods besides, which need no models: each takes a `Note`, gives plain data, and
            is a flag of the command. A target without any may leave it out.
        aside: Patterns of files that are no part of what is applied, so that `--out -` leaves
            them out. A target without any may leave it out.
    """

    options: ClassVar[type[msgspec.Struct]]
    applies: ClassVar[bool]

    def __init__(self, options: Any) -> None: ...

    def render(self, models: Sequence[Shipped]) -> Files:
        """What is written, by path below the folder; a Path is a file or a folder to copy.

        Raises:
            InvalidInput: The options cannot go together, or not with these models.
        """
        ...

    def apply(self, folder: Path, note: Note) -> dict[str, Any]:
        """Makes what was rendered real, and says what there is now.

        Args:
            folder: What `render` gave, written down.
            note: Told of each step as it begins.

        Raises:
            MissingExtra: No tool that does it is installed.
            NotReady: The tool failed; its own last words are in the message.
        """
        ...
