"""What `/openapi.json` says beyond what the framework derives: names' patterns, and real statuses.

The framework says 422 of every invalid request; here those are 400 with numen's own body. Where a
key may be asked for, that is said as well; whether one is depends on the server.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from numen.control.gate import guarded
from numen.transport.status import responses

_NAME: Final = "[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?"
_ALIAS: Final = "[a-z]([a-z0-9_-]{0,62}[a-z0-9])?"
_VERSION: Final = f"([1-9][0-9]{{0,8}}|{_ALIAS})"
PATTERNS: Final = {
    "name": _NAME,
    "dataset": _NAME,
    "alias": _ALIAS,
    "label": _VERSION,
    "version": _VERSION,
    "id": "[0-9a-f]{8}",
    "model": f"{_NAME}(@{_VERSION})?",
    "file": "[A-Za-z0-9._-]{1,64}",
}
_NOT_SENT: Final = ("HTTPValidationError", "ValidationError")


def describe(app: FastAPI) -> None:
    """Makes the app's OpenAPI document say what numen does."""
    derive = app.openapi
    asking = guarded()
    refusals = {str(status): said for status, said in responses(401, 403).items()}

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = derive()
            for path, methods in document["paths"].items():
                for operation in methods.values():
                    operation["responses"].pop("422", None)
                    if path in asking:
                        operation["responses"] |= refusals
                    for parameter in operation.get("parameters", ()):
                        if parameter["in"] == "path":
                            pattern = PATTERNS[parameter["name"]]
                            parameter["schema"] = {"type": "string", "pattern": f"^{pattern}$"}
            components = document.setdefault("components", {})
            components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{}, {"key": []}]
            schemas = components.get("schemas", {})
            for name in _NOT_SENT:
                schemas.pop(name, None)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
