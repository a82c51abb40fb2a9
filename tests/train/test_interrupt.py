"""Ctrl-C reaches the training even where Python ignores what is raised."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from numen.train.interrupt import interruptible


class Noisy:
    """Is interrupted in its destructor, where Python only prints what is raised."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def test_what_is_ignored_is_raised_at_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda seen: ignored.append(seen.exc_type))
    with interruptible() as interrupt:
        interrupt.check()
        Noisy().__class__  # noqa: B018 - made and gone
        assert ignored == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_elsewhere_it_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_listens_already_goes_on_listening() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with interruptible() as interrupt:
            signal.raise_signal(signal.SIGINT)
            interrupt.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


def test_another_thread_may_train() -> None:
    checked: list[bool] = []

    def train() -> None:
        with interruptible() as interrupt:
            interrupt.check()
            checked.append(True)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join(10)
    assert checked == [True]
