"""Published models as a home that is only read: a catalog and its bundles, to lie in an image."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from numen.deploy.base import Files, Shipped
from numen.registry import Registry
from numen.store.catalog import Catalog, Snapshot
from numen.store.jobs import Jobs

# Read only, so that no journal is made beside it; immutable, so that nothing is locked either.
CATALOG: Final = "sqlite:///file:{home}/catalog.db?mode=ro&immutable=1&uri=true"


def home(models: Sequence[Shipped], folder: str) -> Files:
    """The files of a home that holds models, with their numbers and aliases, and nothing else."""
    files: dict[str, bytes | Path] = {f"{folder}/catalog.db": _catalog(models)}
    for model in models:
        kept = model.version.digest.replace(":", "-")
        files[f"{folder}/blobs/bundles/{kept}"] = model.bundle.path
    return files


def _catalog(models: Sequence[Shipped]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        registry = Registry(Catalog(f"sqlite:///{path}"), None)  # type: ignore[arg-type]
        Jobs(registry.catalog.database)
        registry.catalog.replace(Snapshot.of((each.version, each.aliases) for each in models))
        registry.catalog.close()
        # As one plain file without a journal, its pages in order: the same for the same models.
        engine = sa.create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
            connection.exec_driver_sql("VACUUM")
        engine.dispose()
        return path.read_bytes()
