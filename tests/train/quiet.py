"""What trainings in tests share: a Progress that only remembers notes, and a few real digits."""

from __future__ import annotations

import dataclasses

import pytest

from numen.data.dataset import Dataset


class Quiet:
    """A Progress that draws nothing."""

    def __init__(self):
        self.notes: list[str] = []
        self.steps = 0

    def begin(self, epochs, steps):
        self.steps = steps

    def step(self, metrics):
        pass

    def epoch(self, number, metrics):
        pass

    def note(self, message):
        self.notes.append(message)


def few_digits(home, train: int, test: int) -> Dataset:
    """The first rows of MNIST, opened with its cache under `home`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMEN_HOME", str(home))
        whole = Dataset.open("sample:mnist")
    few = {"train": whole.train.take(range(train)), "test": whole.test.take(range(test))}
    return dataclasses.replace(whole, splits=few)
