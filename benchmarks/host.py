"""The machine that is measured on: what it is, and whose turn it is."""

from __future__ import annotations

import datetime
import fcntl
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def machine() -> dict[str, str]:
    """Where and when."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {names[0] if names else platform.machine()}",
        "python": platform.python_version(),
    }


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Hold a file's lock, so that two who measure on one machine take turns."""
    if path is None:
        yield
        return
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
