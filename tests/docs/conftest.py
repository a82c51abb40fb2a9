"""The world that pages are run in, made once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_run import World, warm

from parts import start_server, stop


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Files, published models, and a server of them."""
    folder = tmp_path_factory.mktemp("world")
    with warm(folder):
        made = folder / "made"
        maker = Path(__file__).with_name("doc_world.py")
        command = [folder / "bin/python", maker, made]
        seeded = subprocess.run(command, capture_output=True, text=True)
        assert seeded.returncode == 0, seeded.stderr
        for part in ("files", "home"):
            (made / part).rename(folder / part)
        shutil.copytree(folder / "home", made / "home")
        url, process = start_server(made / "home")
        yield World(folder, url)
        stop(process)
