"""Data sets, by what a person calls them."""

from __future__ import annotations

from pathlib import Path

from numen.api.workspace import registry
from numen.data.dataset import Dataset
from numen.data.library import Library
from numen.data.reading import PLAIN, Reading


def library() -> Library:
    """The data sets of the store that the settings name."""
    found = registry()
    return Library(found.catalog, found.blobs)


def open_data(data: Dataset | str | Path, reading: Reading = PLAIN) -> Dataset:
    """A data set by name, URL or path, or as it is."""
    if isinstance(data, Dataset):
        return data
    return Dataset.open(data, reading=reading, library=library())
