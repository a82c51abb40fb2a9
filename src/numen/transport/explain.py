"""`/v2/models/{m}/explain`: why a model answers so, as numbers or as a picture.

What explains a model is live beside it as `{m}.explain`, with a queue of its own; this door asks it
under the model's own name, and gives its outputs as `attribution:INPUT`.
"""

from __future__ import annotations

import orjson
from fastapi import Request, Response

from numen.core.reference import EXPLAINS
from numen.explain.explanation import Explainer, said_of
from numen.serve.service import Service
from numen.transport import v2
from numen.transport.caller import Head, predict, served


async def explain(service: Service, request: Request, name: str, version: str | None) -> Response:
    """Answers a request of the protocol's form.

    Raises:
        InvalidInput: It is malformed, or a parameter is not known.
        NotFound: There is no such model, or nothing that explains it.
    """
    head = Head(request.headers.raw)
    service.find(name, version)
    until = head.deadline()
    body = await request.body()
    endpoint = await service.awake(name + EXPLAINS, version, until)
    call, form = v2.decode_call(head, body, endpoint, until)
    text = body[: head.binary] if head.binary else body
    asked, target = said_of(orjson.loads(text).get("parameters") or {} if text else {})
    explainer = Explainer(endpoint.manifest, endpoint.signature)
    method = explainer.method(asked)
    if target is not None:
        call.inputs, call.rows = explainer.about(call.inputs, target), 0
    answer = await predict(service, request, call)
    found = explainer.explanation(
        method, call.inputs, answer.outputs, answer.variant if answer.degraded else ""
    )
    headers = served(answer)
    if "image/png" in request.headers.get("accept", ""):
        return Response(found.picture(), media_type="image/png", headers=headers)
    reply, header_length = form.without(explainer.methods).write(found.outputs)
    if header_length is None:
        return Response(reply, media_type="application/json", headers=headers)
    headers["inference-header-content-length"] = str(header_length)
    return Response(reply, media_type="application/octet-stream", headers=headers)
