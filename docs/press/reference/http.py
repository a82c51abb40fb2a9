"""HTTP: from the OpenAPI document that a server itself gives out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

from press.reference.code import one_line

_HEAD = """# HTTP

Every route of the one port, from the OpenAPI document that a server gives out at `/openapi.json`
(`/docs` shows it, and tries it). What the hot paths take is on pages of its own.
"""


def document() -> dict[str, Any]:
    """The OpenAPI document of a server with nothing published."""
    from numen.control.app import build
    from numen.core.settings import Settings
    from numen.registry import Registry
    from numen.serve.service import Service
    from numen.server.keeper import Keeper

    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=home)
        registry = Registry.of(settings)
        service = Service()
        try:
            return build(service, registry, settings, Keeper(service, registry, settings)).openapi()
        finally:
            service.close()
            registry.catalog.close()


def write() -> str:
    """The page."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["Other"])[0]
            groups.setdefault(tag, []).append((method.upper(), path, operation))
    parts = [_HEAD]
    for tag, operations in groups.items():
        parts.append(f"## {tag}")
        for operation in operations:
            parts += _operation(*operation)
    return "\n\n".join(parts) + "\n"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method} {path}`"
    yield f"**{operation.get('summary', '')}**"
    if text := operation.get("description"):
        yield text
    if parameters := operation.get("parameters"):
        yield "| Parameter | In | What |\n|---|---|---|\n" + "\n".join(map(_parameter, parameters))
    if body := operation.get("requestBody"):
        yield "Body: " + ", ".join(f"`{media}`" for media in body["content"])
    yield "Answers: " + ", ".join(f"`{status}`" for status in sorted(operation["responses"]))


def _parameter(parameter: dict[str, Any]) -> str:
    what = parameter.get("description") or ""
    if pattern := parameter["schema"].get("pattern"):
        what = f"{what} `{pattern}`".strip()
    return f"| `{parameter['name']}` | {parameter['in']} | {one_line(what)} |"
