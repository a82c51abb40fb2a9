"""Ctrl-C that is not lost.

Python raises `KeyboardInterrupt` wherever it happens to be. In a destructor or in a foreign
library's callback it is printed and ignored, and the training that should stop goes on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed."""

    def __init__(self) -> None:
        self._pressed = False

    def press(self, number: int, frame: FrameType | None) -> None:
        """Notes it, and raises it as Python would."""
        self._pressed = True
        signal.default_int_handler(number, frame)

    def check(self) -> None:
        """Raises it once more, where it was ignored.

        Raises:
            KeyboardInterrupt: It was pressed.
        """
        if self._pressed:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Listens for Ctrl-C; `check` is to be called every now and then.

    Off the main thread, or where somebody else listens, it changes nothing.
    """
    interrupt = Interrupt()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.press)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
