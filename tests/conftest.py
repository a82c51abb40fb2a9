"""Fixtures that all tests share: a tiny bundle, a store in a folder, one live server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from numen.core.bundle import Bundle
from numen.core.settings import Settings
from numen.registry import Registry
from parts import (
    LABELS,
    Live,
    free_port,
    linear_graph,
    make_bundle,
    start_server,
    stop,
)
from stores import Bucket, Postgres, programs
from together import pytest_configure, pytest_make_parametrize_id, pytest_runtest_protocol

__all__ = [
    "LABELS", "Live", "free_port", "linear_graph", "make_bundle", "pytest_configure",
    "pytest_make_parametrize_id", "pytest_runtest_protocol", "start_server", "stop",
]  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=str(tmp_path / "home"))


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    found = Registry.of(settings)
    yield found
    found.catalog.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres of the tests' own; skips where none is installed."""
    where = programs()
    if where is None:
        pytest.skip("needs the programs of Postgres")
    started = Postgres(where)
    yield started
    started.close()


@pytest.fixture(scope="session")
def bucket() -> Iterator[Bucket]:
    """A bucket behind S3's protocol, told to all by the usual variables."""
    started = Bucket()
    said = {**Bucket.ENVIRONMENT, "AWS_ENDPOINT_URL": started.endpoint}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in said.items():
            environment.setenv(name, value)
        yield started
    started.close()


@pytest.fixture(params=["disk", "shared"])
def any_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """State on this disk, and on Postgres and S3: what holds of the one must of the other."""
    home = str(tmp_path / "home")
    if request.param == "disk":
        return Settings(home=home)
    postgres: Postgres = request.getfixturevalue("postgres")
    bucket: Bucket = request.getfixturevalue("bucket")
    return Settings(home=home, catalog=postgres.new(), blobs=bucket.new())


@pytest.fixture(params=["sqlite", "postgres"])
def any_catalog(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new catalog, of either database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.db'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server with the model `linear`, for tests that do not move it."""
    home = tmp_path_factory.mktemp("live")
    registry = Registry.of(Settings(home=str(home)))
    registry.publish("linear", make_bundle(home / "make"))
    url, process = start_server(home)
    yield Live(url, home, registry, process)
    stop(process)
    registry.catalog.close()
