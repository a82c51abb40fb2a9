"""`numen doctor`: what is installed, what is set and where from, what is wrong."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numen
from numen.cli import show
from numen.core import settings
from numen.core.errors import NumenError

# One package that tells whether an extra is installed.
_EXTRAS: Final = {
    "train": "keras", "tensorflow": "tensorflow-cpu", "torch": "torch", "xgboost": "xgboost-cpu",
    "grpc": "grpcio", "llm": "xllamacpp", "ray": "ray", "postgres": "psycopg", "s3": "s3fs",
    "otel": "opentelemetry-sdk",
}  # fmt: skip


def doctor(as_json: show.Json = False) -> None:
    """Check this machine: settings and their origin, extras, the store."""
    current, origin = settings.load()
    packages = {extra: _version(package) for extra, package in _EXTRAS.items()}
    checks = _checks(current)
    if as_json:
        values = {n: {"value": _shown(current, n), "from": o} for n, o in origin.items()}
        show.print_json(
            {"numen": numen.__version__, "settings": values, "extras": packages, "checks": checks}
        )
        return
    show.out.print(
        f"numen {numen.__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    rows = ((name, str(_shown(current, name)), source) for name, source in origin.items())
    show.table(("setting", "value", "from"), rows)
    show.table(
        ("extra", "installed"),
        ((e, v or f'pip install "numen[{e}]"') for e, v in packages.items()),
    )
    for name, result in checks.items():
        good = result.startswith("ok")
        show.out.print(f"{'[green]✓[/]' if good else '[red]✗[/]'} {name}: {result}")


def _ask_catalog(current: settings.Settings) -> tuple[str, float]:
    from numen.store.catalog import Catalog

    catalog = Catalog(current.catalog_url)
    try:
        count = len(catalog.models())
        begin = time.perf_counter()
        catalog.revision()
        return f"{count} models", time.perf_counter() - begin
    finally:
        catalog.close()


def _ask_blobs(current: settings.Settings) -> tuple[str, float]:
    from numen.store.blobs import Blobs

    blobs = Blobs.of(current)
    blobs.reach()  # the first question is the one that makes the connection
    begin = time.perf_counter()
    blobs.reach()
    return settings.hide_passwords(current.blobs_url), time.perf_counter() - begin


def _asked(ask: Callable[[], tuple[str, float]]) -> str:
    """What a store answered, and in which time; or what is wrong with it."""
    try:
        said, took = ask()
    except (NumenError, OSError) as error:
        return str(error)
    return f"ok, {said}, answers in {took * 1e3:.1f} ms"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _shown(current: settings.Settings, name: str) -> Any:
    value = getattr(current, name)
    return settings.hide_passwords(value) if isinstance(value, str) else value


def _checks(current: settings.Settings) -> dict[str, str]:
    checks = {"catalog": _asked(partial(_ask_catalog, current))}
    checks["blobs"] = _asked(partial(_ask_blobs, current))
    free = shutil.disk_usage(current.home_path if current.home_path.is_dir() else "/").free
    checks["disk"] = f"{'ok' if free > 1 << 30 else 'low'}, {show.size(free)} free"
    return checks
