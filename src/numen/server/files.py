"""Small files of plain data that one process writes and others read, whole at any moment."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def write(path: Path, value: Any) -> None:
    """Replaces a file in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    partial.write_bytes(msgspec.msgpack.encode(value))
    partial.replace(path)


def read(path: Path, kind: type[T]) -> T | None:
    """What the file says; None where there is none."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
