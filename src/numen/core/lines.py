"""Lines of JSON at the end of a file: each written at once, so a crash cuts at most the last.

A line that was cut is ended before the next is written, and is passed over by who reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec


def append(path: Path, value: Any, *, sync: bool = False) -> None:
    """Adds a line, on the disk before this returns if `sync`; makes file and folder if need be."""
    line = msgspec.json.encode(value) + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        os.write(file, line)
        if sync:
            os.fsync(file)
    finally:
        os.close(file)


def write(path: Path, values: Iterable[Any]) -> None:
    """Makes a file of lines, or another in its place: whole and on the disk, or as it was."""
    whole = path.with_name(f"{path.name}.next")
    with whole.open("wb") as file:
        file.writelines(msgspec.json.encode(value) + b"\n" for value in values)
        file.flush()
        os.fsync(file.fileno())
    whole.replace(path)


def decode(text: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Whole lines that are objects, each with where it ends in the text."""
    end = 0
    for line in text[: text.rfind(b"\n") + 1].splitlines(keepends=True):
        end += len(line)
        try:
            yield end, msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
