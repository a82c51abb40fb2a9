"""One server with models of every kind, for all tests of the HTTP doors."""

from __future__ import annotations

from collections.abc import Iterator

import models
import pytest
from wire import Door, open_door

from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.registry import Registry
from parts import Live, make_bundle, start_server, stop


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with `linear` (two versions), `table`, `echo`, `pair`, `words` and `log`."""
    home = tmp_path_factory.mktemp("house")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    registry.publish("linear", make_bundle(home / "make", 1), "candidate")
    for name, make in models.ALL.items():
        registry.publish(name, make(home / "make"))
    awake = {"NUMEN_IDLE_UNLOAD": "0"}  # however long the tests take, no model rests meanwhile
    url, process = start_server(home, environment=awake)
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()


@pytest.fixture
def door(bundle: Bundle, registry: Registry) -> Iterator[Door]:
    """A server whose only model `linear` waits for its gate; bodies of 1 MB at most."""
    with open_door(bundle, registry) as found:
        yield found
