"""Parts that tests of jobs share: a small table, and waiting for what a job tells."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def write_table(path: Path, rows: int = 300) -> Path:
    """Two numbers and the class they show, as CSV."""
    source = np.random.default_rng(0)
    x = source.normal(size=(rows, 2))
    kind = np.where(x.sum(axis=1) > 0, "up", "down")
    lines = [f"{a:.4f},{b:.4f},{k}" for (a, b), k in zip(x, kind, strict=True)]
    path.write_text("a,b,target\n" + "\n".join(lines) + "\n")
    return path


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
