"""Parts that tests of jobs share: a small table, and waiting for what a job tells."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from numen.control.jobs.lock import hold
from numen.core.settings import Settings
from numen.data.library import Library
from numen.registry import Registry
from parts import Live, start_server, stop


def write_table(path: Path, rows: int = 300) -> Path:
    """Two numbers and the class they show, as CSV."""
    source = np.random.default_rng(0)
    x = source.normal(size=(rows, 2))
    kind = np.where(x.sum(axis=1) > 0, "up", "down")
    lines = [f"{a:.4f},{b:.4f},{k}" for (a, b), k in zip(x, kind, strict=True)]
    path.write_text("a,b,target\n" + "\n".join(lines) + "\n")
    return path


@contextlib.contextmanager
def serving_table(home: Path) -> Iterator[Live]:
    """A server with a data set, `table`, and no model."""
    registry = Registry.of(Settings(home=str(home)))
    table = write_table(home / "table.csv")
    Library(registry.catalog, registry.blobs, home).add("table", [table])
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    stop(process)
    end_all(home)
    registry.catalog.close()


def told(home: Path, id_: str) -> list[dict[str, Any]]:
    """The events of a job."""
    path = home / "jobs" / id_ / "events.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(what: Callable[[], Any], seconds: float = 100) -> Any:
    """What is true in the end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def end_all(home: Path) -> None:
    """Ends jobs that a test which failed left behind."""
    for path in (home / "jobs").glob("*/events.jsonl"):
        lock = hold(path.with_name("lock"))
        if lock is not None:
            os.close(lock)
            continue
        pids = [event["pid"] for event in told(home, path.parent.name) if "pid" in event]
        if pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[-1], signal.SIGKILL)
