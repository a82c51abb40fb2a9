"""A server with models of every datatype, for clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, start_server, stop
from transport import models


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    home = tmp_path_factory.mktemp("echo")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("echo", models.echo(home / "make"))
    registry.publish("words", models.words(home / "make"))
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()
