"""What the processes of one run of the tests share: compiled networks, and the machine.

Imported by conftest.py, as hooks of pytest; `make test` runs a process a core.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SHARED = "TESTS_SHARED"

# Small networks are compiled more often than they run here: XLA should not try hard, nor twice.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# Threads that wait for their share of a small table should not keep a core busy meanwhile.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background: Ctrl-C is tested
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):  # a worker, whose folder the first process made
        return
    shared = tempfile.TemporaryDirectory(prefix="tests-", ignore_cleanup_errors=True)
    config.add_cleanup(shared.cleanup)
    os.environ[SHARED] = shared.name
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", f"{shared.name}/compiled")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are numbered: as a name they are unreadable, and some are others in every process."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked `alone` runs while no other process of the run runs one."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    with _machine(Path(os.environ[SHARED]), alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextmanager
def _machine(shared: Path, alone: bool) -> Iterator[None]:
    """Holds the machine together with others, or alone.

    Who wants it alone closes the gate first, so that nobody who comes later is let past.
    """
    import fcntl

    with (shared / "gate").open("w") as gate, (shared / "machine").open("w") as machine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(machine, fcntl.LOCK_UN)  # also of a process forked meanwhile
