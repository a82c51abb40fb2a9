"""`/v2/models/{m}/explain`: why a model answers so, as numbers or as a picture.

What explains a model is live beside it as `{m}.explain`, with a queue of its own; this door asks it
under the model's own name, and gives its outputs as `attribution:INPUT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from fastapi import Request, Response

from numen.core.errors import InvalidInput
from numen.core.manifest import ColumnsInput, ImageInput
from numen.core.message import Answer
from numen.core.reference import EXPLAINS
from numen.core.signature import Array, Arrays
from numen.explain import ATTRIBUTION, TARGET, UNCERTAINTY, picture
from numen.serve.live import Endpoint
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
    said = orjson.loads(text).get("parameters") or {} if text else {}
    method = asked_method(endpoint, said)
    if (place := asked_target(endpoint, said)) is not None:
        rows = len(next(iter(call.inputs.values())))
        call.inputs[TARGET], call.rows = np.full(rows, place), 0
    answer = await predict(service, request, call)
    outputs = of(method, answer.outputs)
    headers = served(answer)
    if "image/png" in request.headers.get("accept", ""):
        drawn = draw(endpoint, call.inputs, outputs, answer, method)
        return Response(drawn, media_type="image/png", headers=headers)
    reply, header_length = form.without(methods(endpoint)).write(outputs)
    if header_length is None:
        return Response(reply, media_type="application/json", headers=headers)
    headers["inference-header-content-length"] = str(header_length)
    return Response(reply, media_type="application/octet-stream", headers=headers)


def methods(endpoint: Endpoint) -> list[str]:
    """What explains a model: the usual way first."""
    beside = (spec.name.partition(":") for spec in endpoint.signature.outputs)
    names = [n for n, colon, _ in beside if colon and f"{n}:" not in (ATTRIBUTION, UNCERTAINTY)]
    return [endpoint.manifest.variants[0].name, *dict.fromkeys(names)]


def asked_method(endpoint: Endpoint, said: Mapping[str, Any]) -> str:
    """The method that a request's parameters ask for.

    Raises:
        InvalidInput: It is not known, or a parameter is said that was fixed at publishing.
    """
    known = methods(endpoint)
    method = said.get("method", known[0])
    if method not in known:
        raise InvalidInput(
            f"method: expected one of {', '.join(known)}, received {method!r}", field="method"
        )
    for fixed in ("steps", "baseline"):
        if fixed in said:
            raise InvalidInput(
                f"{fixed}: an explanation that is served goes a way that was fixed when the model "
                "was published, so that those of many callers run together",
                hint="leave it out",
                field=fixed,
            )
    return str(method)


def asked_target(endpoint: Endpoint, said: Mapping[str, Any]) -> int | None:
    """The place of the label that a request's parameters ask about, by place or by name.

    Raises:
        InvalidInput: There is no such label.
    """
    target = said.get(TARGET)
    if target is None:
        return None
    labels = list(getattr(endpoint.manifest.postprocess, "labels", ()))
    if target in labels:
        return labels.index(target)
    if type(target) is not int or not 0 <= target < len(labels):
        known = ", ".join(labels[:20]) + (" …" if len(labels) > 20 else "")
        raise InvalidInput(
            f"target: expected one of the labels {known or '(the model has none)'} or its place, "
            f"received {target!r}",
            field=TARGET,
        )
    return target


def of(method: str, outputs: Arrays) -> dict[str, Array]:
    """The outputs with the attributions of one method."""
    chosen = dict(outputs)
    for name in outputs:
        other = f"{method}:{name.removeprefix(ATTRIBUTION)}"
        if name.startswith(ATTRIBUTION) and other in outputs:
            chosen[name] = outputs[other]
    return chosen


def draw(endpoint: Endpoint, inputs: Arrays, outputs: Arrays, answer: Answer, method: str) -> bytes:
    """The first row's attributions as a PNG.

    Raises:
        InvalidInput: They are of no kind that is drawn.
    """
    manifest = endpoint.manifest
    how = manifest.preprocess
    (spec, *_) = manifest.signature.inputs
    values = np.asarray(outputs[f"{ATTRIBUTION}{spec.name}"][0])
    given = inputs[spec.name][0]
    kind = answer.variant if answer.degraded else method
    asked = inputs.get(TARGET)
    title = f"{_answer(endpoint, outputs, -1 if asked is None else int(asked[0]))} · {kind}"
    if isinstance(how, ImageInput):
        pixels = (np.asarray(given, float) - how.offset) / (how.scale or 1)
        if how.layout == "chw":
            pixels, values = pixels.transpose(1, 2, 0), values.transpose(1, 2, 0)
        plain = pixels.reshape(how.shape).clip(0, 255).astype(np.uint8)
        return picture.heat(plain, values.reshape(how.shape), title)
    if "tokens" in outputs:
        tokens = [str(token) for token in outputs["tokens"][0] if str(token)]
        return picture.words(tokens, values[: len(tokens)], title)
    if isinstance(how, ColumnsInput) and values.ndim == 1:
        names = [f"{column.name} {part}".strip() for column in how.columns for part in column.parts]
        return picture.bars(names, values, [f"{value:g}" for value in given], title)
    raise InvalidInput(
        "no picture is drawn of such an input", hint="ask for application/json", field="Accept"
    )


def _answer(endpoint: Endpoint, outputs: Arrays, asked: int) -> str:
    how = endpoint.manifest.postprocess
    if how is None:
        return endpoint.name.removesuffix(EXPLAINS)
    scores = np.asarray(outputs[how.output][0]).reshape(-1)
    labels = getattr(how, "labels", None)
    if labels is None:
        return f"{scores[0]:.4g}"
    return str(labels[int(scores.argmax()) if asked < 0 else asked])
