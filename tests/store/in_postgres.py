"""A catalog in a Postgres of its own, where one is there to ask."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from numen.store.catalog import Catalog

needs_postgres = pytest.mark.skipif(
    "NUMEN_TEST_POSTGRES" not in os.environ, reason="needs a Postgres"
)


@contextmanager
def postgres_catalog() -> Iterator[Catalog]:
    """A catalog in a database that is gone afterwards."""
    address = sa.make_url(os.environ["NUMEN_TEST_POSTGRES"])
    name = f"numen_{uuid.uuid4().hex}"
    engine = sa.create_engine(
        address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        catalog = Catalog(address.set(database=name).render_as_string(hide_password=False))
        try:
            yield catalog
        finally:
            catalog.close()
            connection.execute(sa.text(f"DROP DATABASE {name}"))
    engine.dispose()
