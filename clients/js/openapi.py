"""Writes openapi.json: what numen's OpenAPI says of the control API, for types.mjs.

Run by `make client`; a test compares what is committed with what numen says.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from numen.control.app import build
from numen.core.settings import Settings
from numen.registry import Registry
from numen.serve.service import Service

WRITTEN = Path(__file__).with_name("openapi.json")


def control_api() -> str:
    """The control API's paths and schemas, as JSON; errors are this package's own and left out."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=home)
        registry = Registry.of(settings)
        try:
            document = build(Service(), registry, settings).openapi()
        finally:
            registry.catalog.close()
    paths: dict[str, Any] = {}
    for path, methods in document["paths"].items():
        if path.startswith("/api/"):
            paths[path] = methods
            for operation in methods.values():
                for status in [status for status in operation["responses"] if status >= "400"]:
                    del operation["responses"][status]
    components = {"schemas": document["components"].get("schemas", {})}
    return json.dumps({"paths": paths, "components": components}, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    WRITTEN.write_text(control_api(), encoding="utf-8")
