"""What the processes that serve together know of one another: a folder where each one writes.

A supervisor makes the folder, takes out what a dead one wrote, and keeps what that one had
counted. Every file is replaced whole; clocks are the machine's monotonic one, the same for all.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec

from numen.serve.fleet import Tally
from numen.serve.service import Service
from numen.server.files import read, write
from numen.server.orders import SharedDesk
from numen.server.pulse import FRESH, Pulse

# Longest that an order waits for all others to have followed it, in seconds.
_FOLLOWED: Final = 30.0
_POLL: Final = 0.02


class Life(msgspec.Struct, frozen=True):
    """A sign of life.

    Attributes:
        pid: The process.
        at: When it was given.
        golden: When a model last gave what was recorded of it.
        trouble: What is wrong there; empty where nothing is.
        revision: The catalog's revision that is served.
        orders: The orders' revision that is followed.
    """

    pid: int
    at: float
    golden: float
    trouble: str
    revision: int | None
    orders: int


class _Counts(msgspec.Struct, frozen=True):
    """What a process has counted; `life` names it among all that ever were."""

    life: str
    tally: Tally


class _Past(msgspec.Struct, frozen=True):
    """What those that are gone had counted."""

    lives: tuple[str, ...] = ()
    tally: Tally = msgspec.field(default_factory=Tally)


class Folder:
    """The board's files.

    Args:
        path: The folder.
        workers: How many processes serve together, numbered from 1.
    """

    def __init__(self, path: Path, workers: int):
        self.path = path
        self.workers = workers

    def life(self, number: int) -> Life | None:
        """A worker's last sign of life."""
        return read(self._life(number), Life)

    def show(self, number: int, life: Life) -> None:
        """Gives a sign of life."""
        write(self._life(number), life)

    def count(self, number: int, life: str, tally: Tally) -> None:
        """Writes down what a worker has counted."""
        write(self._counts(number), _Counts(life, tally))

    def bury(self, number: int, *, restart: bool) -> None:
        """Takes out a worker that is gone; what it counted stays counted."""
        self._life(number).unlink(missing_ok=True)
        past = read(self._past, _Past) or _Past()
        tally = past.tally
        tally.restarts += restart
        lives = past.lives
        counts = read(self._counts(number), _Counts)
        if counts is not None and counts.life not in lives:
            tally.add(Tally(counts.tally.counts))
            lives = (*lives[-self.workers * 4 :], counts.life)
        write(self._past, _Past(lives, tally))
        self._counts(number).unlink(missing_ok=True)

    def tally(self) -> Tally:
        """What all have counted, those that are gone too."""
        # The living before the dead: who dies in between is then found in one of the two, and
        # told from the other by its name.
        found = [read(self._counts(number), _Counts) for number in range(1, self.workers + 1)]
        past = read(self._past, _Past) or _Past()
        total = past.tally
        for counts in found:
            if counts is not None and counts.life not in past.lives:
                total.add(counts.tally)
        return total

    @property
    def _past(self) -> Path:
        return self.path / "past"

    def _life(self, number: int) -> Path:
        return self.path / f"life-{number}"

    def _counts(self, number: int) -> Path:
        return self.path / f"counts-{number}"


class Alone:
    """The fleet of a process that serves alone.

    Args:
        service: Its models.
        pulse: Whether they answer.
    """

    def __init__(self, service: Service, pulse: Pulse):
        self._service = service
        self._pulse = pulse

    def trouble(self) -> str:
        """Why requests had better go elsewhere."""
        return self._pulse.trouble()

    def tally(self) -> Tally:
        """What it has done."""
        return self._service.own_tally()


class Board:
    """The fleet of a process that serves together with others.

    Args:
        service: Its models.
        pulse: Whether they answer.
        folder: Where all of them write.
        number: Which of them it is.
    """

    def __init__(self, service: Service, pulse: Pulse, folder: Folder, number: int):
        self._service = service
        self._pulse = pulse
        self._folder = folder
        self._number = number
        self._name = f"{number}-{time.monotonic_ns()}"
        self.desk = SharedDesk(folder.path)

    def trouble(self) -> str:
        """Why requests had better go elsewhere: here, or with one of the others."""
        if here := self._pulse.trouble():
            return here
        now = time.monotonic()
        for number in range(1, self._folder.workers + 1):
            if number == self._number:
                continue
            life = self._folder.life(number)
            if life is None:
                return f"worker {number} is not there"
            if life.trouble:
                return f"worker {number}: {life.trouble}"
            if now - life.golden > FRESH:
                return f"worker {number} has not answered for {now - life.golden:.1f} s"
        return ""

    def tally(self) -> Tally:
        """What all of them have done."""
        self.count()
        return self._folder.tally()

    def count(self) -> None:
        """Writes down what was counted here."""
        self._folder.count(self._number, self._name, self._service.own_tally())

    def show(self, life: Life) -> None:
        """Gives a sign of life."""
        self._folder.show(self._number, life)

    async def followed(self, revision: int) -> None:
        """Waits until all others have followed the orders up to a revision, or for so long."""
        end = time.monotonic() + _FOLLOWED
        others = [n for n in range(1, self._folder.workers + 1) if n != self._number]
        while time.monotonic() < end:
            lives = [self._folder.life(number) for number in others]
            # Who is not there will read the orders when it comes.
            if all(life is None or life.orders >= revision for life in lives):
                return
            await asyncio.sleep(_POLL)
