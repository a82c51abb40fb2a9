"""What callers ordered to be loaded and unloaded, for every process that serves to follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from numen.server.files import read, write


class Orders(msgspec.Struct, frozen=True):
    """Orders so far.

    Attributes:
        revision: Grows with every order.
        loaded: Models to be served whatever was named at the start, and when that was said.
        unloaded: Models not to be served, and when that was said.
    """

    revision: int = 0
    loaded: dict[str, int] = {}
    unloaded: dict[str, int] = {}

    def load(self, name: str) -> Orders:
        """Orders with one more."""
        now = self.revision + 1
        unloaded = {other: when for other, when in self.unloaded.items() if other != name}
        return Orders(now, {**self.loaded, name: now}, unloaded)

    def unload(self, name: str) -> Orders:
        """Orders with one more."""
        now = self.revision + 1
        loaded = {other: when for other, when in self.loaded.items() if other != name}
        return Orders(now, loaded, {**self.unloaded, name: now})


Change = Callable[[Orders], Orders]


class Desk:
    """Where orders lie; this one is for a process that serves alone."""

    def __init__(self) -> None:
        self._orders = Orders()

    def orders(self) -> Orders:
        """The orders so far."""
        return self._orders

    def order(self, change: Change) -> int:
        """Adds to them; their new revision."""
        self._orders = change(self._orders)
        return self._orders.revision


class SharedDesk(Desk):
    """Orders in a file, for all processes that serve together."""

    def __init__(self, folder: Path):
        super().__init__()
        self._file = folder / "orders"
        self._lock = folder / "orders.lock"

    def orders(self) -> Orders:
        """The orders so far."""
        return read(self._file, Orders) or Orders()

    def order(self, change: Change) -> int:
        """Adds to them; their new revision."""
        import fcntl  # not made for Windows, where one process serves

        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            orders = change(self.orders())
            write(self._file, orders)
        return orders.revision
