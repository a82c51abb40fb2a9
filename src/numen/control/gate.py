"""Which key opens which route: one table, looked at before a request's body is.

It holds every route of the app; an app with a route that is not in it is not built. What it says
of a route is all there is to say, but for three doors that look closer themselves: GraphQL admits
each field, the list of models leaves out those that a key is not for, and a job is for a model
that its path does not name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Response
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

from numen.core.errors import NumenError, Unauthenticated
from numen.core.key import Action
from numen.serve.admission import Admission
from numen.transport.caller import GRANT, Head

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks of a caller.

    Attributes:
        action: What is done there, to the model its path names, else to all models.
        anybody: Whether any key will do.
        always: Whether a key is needed even where none otherwise is.
    """

    action: Action = "read"
    anybody: bool = False
    always: bool = False


OPEN: Final = None
KNOWN: Final = Rule(anybody=True)
PREDICT: Final = Rule("predict")
EXPLAIN: Final = Rule("explain")
READ: Final = Rule("read")
MANAGE: Final = Rule("manage")
KEYS: Final = Rule("manage", always=True)

_V2: Final = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
_V1: Final = (
    "/v1/models/{name}", "/v1/models/{name}/versions/{version}", "/v1/models/{name}/labels/{label}",
)  # fmt: skip
_VERBS: Final = ("predict", "classify", "regress")
RULES: Final[dict[str, Rule | None]] = {
    **dict.fromkeys(("/docs", "/docs/assets", "/play", "/openapi.json", "/healthz"), OPEN),
    **dict.fromkeys(("/v2/health/live", "/v2/health/ready", "/graphql", "/client/{file}"), OPEN),
    **dict.fromkeys(("/v2", "/v2/", "/api/models"), KNOWN),
    **dict.fromkeys(("/api/jobs", "/api/jobs/{id}", "/api/jobs/{id}/events"), KNOWN),
    **dict.fromkeys(("/api/jobs/{id}/cancel", "/api/jobs/{id}/resume"), KNOWN),
    **dict.fromkeys(("/metrics", "/v2/models/stats", "/v2/repository/index"), READ),
    "/api/datasets": READ,
    "/api/datasets/{dataset}/rows": MANAGE,
    **dict.fromkeys((f"{path}{tail}" for path in _V2 for tail in ("", "/ready", "/stats")), READ),
    **dict.fromkeys((f"{path}/infer" for path in _V2), PREDICT),
    **dict.fromkeys((f"{path}/explain" for path in _V2), EXPLAIN),
    **dict.fromkeys((f"{path}:explain" for path in _V1), EXPLAIN),
    "/v2/repository/models/{name}/load": MANAGE,
    "/v2/repository/models/{name}/unload": MANAGE,
    **dict.fromkeys((f"{path}:{verb}" for path in _V1 for verb in _VERBS), PREDICT),
    **dict.fromkeys((f"{path}/metadata" for path in _V1), READ),
    "/v1/models/{name:plain}": READ,
    "/v1/models/{name}/versions/{version:plain}": READ,
    "/v1/models/{name}/labels/{label:plain}": READ,
    **dict.fromkeys(("/predict/{model}", "/predict/{model}/input"), PREDICT),
    "/api/models/{name}": READ,
    "/api/models/{name}/evaluate": MANAGE,
    **dict.fromkeys(("/api/models/{model}/bundle", "/api/models/{model}/bundle/{file}"), PREDICT),
    "/api/models/{name}/aliases/{alias}": MANAGE,
    "/api/models/{name}/aliases/{alias}/rollback": MANAGE,
    "/api/keys": KEYS,
    "/api/keys/{id}": KEYS,
}


class Gate:
    """Middleware that lets in who may come.

    Args:
        app: What is behind it.
        admission: Who may do what.
        routes: The app's routes, in the order in which they are tried.
        refuse: The answer that an error is.

    Raises:
        KeyError: The table does not know a route.
    """

    def __init__(
        self,
        app: Any,
        admission: Admission,
        routes: Iterable[BaseRoute],
        refuse: Callable[[NumenError], Response],
    ):
        self._app = app
        self._admission = admission
        self._refuse = refuse
        self._doors: list[tuple[re.Pattern[str], frozenset[str], Rule]] = []
        for path, methods in paths(routes):
            rule = RULES[path]
            if rule is not OPEN:
                self._doors.append((compile_path(path)[0], methods, rule))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request in, or answers it with what is missing."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except NumenError as error:
                await self._refuse(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        for pattern, methods, rule in self._doors:
            match = pattern.match(path)
            if match is not None and scope["method"] in methods:
                self._admit(scope, rule, match.groupdict())
                return

    def _admit(self, scope: Scope, rule: Rule, named: dict[str, str]) -> None:
        admission = self._admission
        if admission.open and rule.always:
            raise Unauthenticated(
                "keys are managed with a key, and there is none",
                hint="make one on the server's machine: numen keys create NAME --action manage",
            )
        if admission.open:
            return
        credential = Head(scope["headers"]).credential
        if rule.anybody:
            admission.allowed(credential, (), rule.action)
            return
        model = named.get("name") or named.get("model", "").partition("@")[0]
        scope[GRANT] = admission.check(credential, model, rule.action)


def guarded() -> set[str]:
    """Paths, as OpenAPI writes them, where a key may be asked for."""
    return {compile_path(path)[1] for path, rule in RULES.items() if rule is not OPEN}


def paths(routes: Iterable[BaseRoute]) -> Iterable[tuple[str, frozenset[str]]]:
    """The path of every route as it was written, and its methods, in order."""
    for context in iter_route_contexts(list(routes)):
        yield str(context.path), frozenset(context.methods or ())
