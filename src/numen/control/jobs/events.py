"""What a job tells, as lines of JSON in a file that everybody may follow.

An event's id is where its line ends in the file, so that whoever was cut off goes on from there. A
line that a power cut left half is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from numen.core.errors import InvalidInput
from numen.core.lines import append, decode

EVENTS: Final = "events.jsonl"
# Seconds between two steps, and between two rounds of many, that are told of.
_STEP: Final = 0.5
_MANY: Final = 200
_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Event:
    """One line.

    Attributes:
        id: Where it ends in the file, in bytes.
        said: What it says: `kind`, `at` (seconds since 1970), and more.
    """

    id: int
    said: dict[str, Any]


class Journal:
    """Writes a job's events; a trainer's Progress.

    Attributes:
        trained: The last epoch is done; what is left is export and measuring.
        notes: How many notes the trainer gave.
    """

    def __init__(self, path: Path):
        self._path = path
        self._epochs = 0
        self._last = 0.0
        self.trained = False
        self.notes = 0

    def say(self, kind: str, **facts: Any) -> None:
        """Adds a line."""
        append(self._path, {"kind": kind, "at": round(time.time(), 3), **facts})

    def begin(self, epochs: int, steps: int) -> None:
        """Training starts."""
        self._epochs = epochs
        self.say("begin", epochs=epochs, steps=steps)

    def step(self, metrics: Mapping[str, float]) -> None:
        """A step is done; told of now and then."""
        if time.monotonic() - self._last >= _STEP:
            self._last = time.monotonic()
            self.say("step", metrics=dict(metrics))

    def epoch(self, number: int, metrics: Mapping[str, float]) -> None:
        """An epoch is done; of thousands of rounds, a few hundred are told of."""
        self.trained = number >= self._epochs
        if number % max(1, self._epochs // _MANY) == 0 or self.trained:
            self.say("epoch", epoch=number, epochs=self._epochs, metrics=dict(metrics))

    def note(self, message: str) -> None:
        """Something a person should know."""
        self.notes += 1
        self.say("note", text=message)


def read_all(path: Path) -> list[Event]:
    """All events so far."""
    found: list[Event] = []
    while more := read(path, found[-1].id if found else 0):
        found += more
    return found


def read(path: Path, after: int = 0) -> list[Event]:
    """Events that follow the one whose id is `after`, some at a time; 0 is from the first on.

    Raises:
        InvalidInput: No event ends there.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return []
    with file:
        if after:
            file.seek(after - 1)
            if file.read(1) != b"\n":
                raise InvalidInput(
                    f"Last-Event-ID: expected the id of an event, received {after}",
                    field="Last-Event-ID",
                )
        whole = file.read(_READ)
        while whole and b"\n" not in whole[-_READ:] and (more := file.read(_READ)):
            whole += more
    return [Event(after + end, said) for end, said in decode(whole)]
