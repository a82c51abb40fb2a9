"""Answers to rows, on the disk: each is there before the next row is asked for.

The files are all there is, so several processes may answer, one may add what another was told, and
a crash loses nothing. What was added to a data set lies in a file a version; the rest waits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numen.core.lines import append, decode, write


class Journal:
    """Answers about one data set.

    Args:
        folder: Where they lie; it need not be there.

    Attributes:
        path: The file of those that wait to be added.
    """

    def __init__(self, folder: Path):
        self.path = folder / "answers.jsonl"
        self._folder = folder
        self._seen: object = None
        self._answers: dict[str, str | None] = {}
        self._base: int | None = None
        self._read: set[Path] = set()
        self._added: set[str] = set()

    @property
    def answers(self) -> dict[str, str | None]:
        """Labels by the row's key, None where it was passed over; the latest answer last."""
        self._look()
        return self._answers

    @property
    def base(self) -> int | None:
        """The version to which they are being added, if that has begun."""
        self._look()
        return self._base

    def added(self) -> set[str]:
        """Keys of the rows that were labelled and added before."""
        for path in set(self._folder.glob("answers-*.jsonl")) - self._read:
            answers, _ = _meaning(decode(path.read_bytes()))
            self._added |= {key for key, label in answers.items() if label is not None}
            self._read.add(path)
        return self._added

    def by_hand(self) -> set[str]:
        """Keys of all rows that were labelled, added or not."""
        return self.added() | {key for key, label in self.answers.items() if label is not None}

    def answer(self, key: str, label: str | None) -> None:
        """Writes down a label, or that the row is passed over."""
        self._write({"key": key, "label": label})

    def undo(self, key: str) -> None:
        """Takes an answer back."""
        self._write({"undo": key})

    def begin(self, base: int) -> None:
        """Writes down to which version they are about to be added."""
        self._write({"base": base})

    def put_away(self, version: int, used: Mapping[str, str | None]) -> None:
        """Moves answers that were used to the version's file, unless they are others by now."""
        with self._alone():
            now = self.answers
            gone = {key for key, label in used.items() if now.get(key) == label}
            lines = [said for _, said in decode(self.path.read_bytes())]
            rest = [said for said in lines if _key(said) not in gone and "base" not in said]
            write(
                self._folder / f"answers-{version}.jsonl",
                [said for said in lines if _key(said) in gone or "base" in said],
            )
            if rest:
                write(self.path, rest)
            else:
                self.path.unlink()

    def _write(self, said: dict[str, Any]) -> None:
        with self._alone():
            append(self.path, {**said, "at": round(time.time(), 3)}, sync=True)

    def _look(self) -> None:
        """Reads the file, if it is another than was read."""
        try:
            stat = self.path.stat()
            now: object = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:
            now = ()
        if now != self._seen:
            lines = decode(self.path.read_bytes()) if now else iter(())
            self._answers, self._base = _meaning(lines)
            self._seen = now

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as lock:
            with suppress(ModuleNotFoundError):  # not made for Windows; there one should answer
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _key(said: dict[str, Any]) -> str | None:
    key = said.get("key", said.get("undo"))
    return key if isinstance(key, str) else None


def _meaning(
    lines: Iterator[tuple[int, dict[str, Any]]],
) -> tuple[dict[str, str | None], int | None]:
    """The answers that count after all lines, and the version they are being added to."""
    answers: dict[str, str | None] = {}
    base: int | None = None
    for _, said in lines:
        if "base" in said:
            base = said["base"]
            continue
        answers.pop(_key(said) or "", None)
        if "key" in said:
            answers[said["key"]] = said["label"]
    return answers, base
