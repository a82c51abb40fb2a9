"""Who holds a file is alive: a lock that ends with its process, whatever ended that.

It belongs to the open file, so it can be handed to a child with no moment between, and no number
of a process is ever mistaken for another's.
"""

from __future__ import annotations

import os
from pathlib import Path

from numen.core.errors import InvalidInput


def hold(path: Path) -> int | None:
    """Takes the lock: an open file's number, to be closed or handed on; None if it is held.

    Raises:
        InvalidInput: This system has no such locks.
    """
    try:
        import fcntl
    except ModuleNotFoundError as error:  # not made for Windows
        raise InvalidInput("jobs: this system cannot run trainings in the background") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file
