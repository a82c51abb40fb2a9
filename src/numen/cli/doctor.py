"""`numen doctor`: what is installed, what is set and where from, what is wrong."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import Final

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
        values = {n: {"value": getattr(current, n), "from": o} for n, o in origin.items()}
        show.print_json(
            {"numen": numen.__version__, "settings": values, "extras": packages, "checks": checks}
        )
        return
    show.out.print(
        f"numen {numen.__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    rows = ((name, str(getattr(current, name)), source) for name, source in origin.items())
    show.table(("setting", "value", "from"), rows)
    show.table(
        ("extra", "installed"),
        ((e, v or f'pip install "numen[{e}]"') for e, v in packages.items()),
    )
    for name, result in checks.items():
        good = result.startswith("ok")
        show.out.print(f"{'[green]✓[/]' if good else '[red]✗[/]'} {name}: {result}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _checks(current: settings.Settings) -> dict[str, str]:
    checks = {}
    try:
        from numen.registry import Registry

        count = len(Registry.of(current).names())
        checks["catalog"] = f"ok, {count} models"
    except (NumenError, OSError) as error:
        checks["catalog"] = str(error)
    except Exception as error:  # a database's own errors are of many kinds
        checks["catalog"] = f"{type(error).__name__}: {error}"
    free = shutil.disk_usage(current.home_path if current.home_path.is_dir() else "/").free
    checks["disk"] = f"{'ok' if free > 1 << 30 else 'low'}, {show.size(free)} free"
    return checks
