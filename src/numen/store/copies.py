"""Copies of folders that lie elsewhere: each whole or not there, and not more than fit.

A copy's folder is renamed into place. When copies come to more than they may, those not used for
the longest go; who used one within a day may still read it, so such ones stay.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

# Seconds for which whoever asked for a copy may go on reading it.
_USED: Final = 86_400.0


class Copies:
    """Copies of folders by kind and name.

    Args:
        folder: Where they lie.
        most: Bytes they may take in all.
    """

    def __init__(self, folder: Path, most: int):
        self._folder = folder
        self._most = most

    def find(self, kind: str, name: str) -> Path | None:
        """The copy, if it is there; it counts as used now."""
        copy = self._folder / kind / name
        try:
            os.utime(copy)
        except FileNotFoundError:
            return None
        return copy

    def take(self, kind: str, name: str, fetch: Callable[[Path], None]) -> Path:
        """Makes a copy: `fetch` fills a folder, which then is it."""
        copy = self._folder / kind / name
        partial = copy.with_name(f".{name}.{uuid.uuid4().hex}")
        partial.mkdir(parents=True)
        try:
            fetch(partial)
            partial.rename(copy)
        except BaseException as error:
            shutil.rmtree(partial, ignore_errors=True)
            # Another reader may have won the race to put it there.
            if not (isinstance(error, OSError) and copy.is_dir()):
                raise
        self._trim(copy)
        return copy

    def forget(self, kind: str, name: str) -> bool:
        """Takes the copy away; whether there was one."""
        copy = self._folder / kind / name
        doomed = copy.with_name(f".{name}.{uuid.uuid4().hex}")
        try:
            copy.rename(doomed)
        except FileNotFoundError:
            return False
        shutil.rmtree(doomed, ignore_errors=True)
        return True

    def _trim(self, newest: Path) -> None:
        """Takes away the longest unused, and what a fetch that was killed left behind."""
        found = sorted((_used(path), path) for path in self._folder.glob("*/*") if path != newest)
        size = _size(newest) + sum(_size(path) for _, path in found)
        for used, path in found:
            if time.time() - used < _USED:
                return
            if size > self._most or path.name.startswith("."):
                size -= _size(path)
                self.forget(path.parent.name, path.name)


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process trims as well
        return 0.0


def _size(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total
