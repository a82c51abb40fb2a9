"""The machine that is measured on: what it is, how busy, and whose turn it is."""

from __future__ import annotations

import datetime
import fcntl
import os
import platform
import re
import resource
import signal
import sys
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


def stop_when_told() -> None:
    """Leave by the way that stops the servers when the process is asked to end."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def busy() -> float:
    """CPU seconds used so far by all that runs."""
    ticks = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def busy_children() -> float:
    """CPU seconds used by this process's children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Hold a file's lock, so that two who measure on one machine take turns."""
    if path is None:
        yield
        return
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
