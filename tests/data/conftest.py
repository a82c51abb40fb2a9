"""Real files to read, and a library of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from data_files import IRIS, IdxFolder, paint

from numen.data.library import Library
from numen.store.blobs import Blobs
from numen.store.catalog import Catalog


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """numen's home, away from the user's."""
    monkeypatch.setenv("NUMEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NUMEN_CATALOG", raising=False)
    monkeypatch.delenv("NUMEN_BLOBS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def catalog(home: Path) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{home / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture
def library(home: Path, catalog: Catalog) -> Library:
    return Library(catalog, Blobs(str(home / "blobs"), cache=home / "cache"))


@pytest.fixture
def digits(tmp_path: Path) -> IdxFolder:
    return IdxFolder(tmp_path / "digits")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of six grey pictures."""
    root = tmp_path / "pictures"
    for number in range(6):
        paint(root / "cat" / f"{number}.png", 20, seed=number)
        paint(root / "dog" / f"{number}.png", 200, seed=100 + number)
    return root


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "iris.csv"
    path.write_text(IRIS)
    return path
