"""Why a model answers so, from GraphQL: read as `predict` reads, answered by what explains it."""

from __future__ import annotations

import base64
import time
from typing import Any

import strawberry
from strawberry.scalars import JSON

from numen.control.graphql.fields import documented, finite
from numen.control.graphql.predict import read
from numen.core.message import Grant, Request
from numen.core.reference import EXPLAINS
from numen.explain.explanation import Explainer
from numen.explain.explanation import Explanation as Found
from numen.serve.service import Service


@strawberry.type(description="What a column or a word added to the answer.")
class Part:
    """A column or a word and its attribution."""

    name: str
    value: JSON | None = strawberry.field(description="A column's value; null of a word.")
    attribution: float | None


@strawberry.type(description="Why a model answers so.")
class Explanation:
    """Why a model answers so; all of it is of the first row."""

    model: str
    version: str
    milliseconds: float
    found: strawberry.Private[Found]

    @documented
    def answer(self) -> str:
        """What is explained: the label that was asked about or is likeliest, or the value."""
        return self.found.answer()

    @documented
    def method(self) -> str:
        """How it was found."""
        return self.found.method

    @documented
    def parts(self) -> list[Part]:
        """Columns or words with what they added, in their order; empty for pictures and sounds."""
        return [
            Part(
                name=part.get("column", part.get("token", "")),
                value=part.get("value"),
                attribution=finite(part["attribution"]),
            )
            for part in self.found.parts()
        ]

    @documented
    def values(self) -> JSON:
        """The attributions as the input is shaped."""
        return JSON(self.found.values[0].tolist())

    @documented
    def picture(self) -> str:
        """The explanation drawn, as a data URL of a PNG."""
        return f"data:image/png;base64,{base64.b64encode(self.found.picture()).decode()}"


async def run(
    service: Service,
    model: str,
    version: str | None,
    given: dict[str, Any],
    method: str | None,
    target: str | None,
    grant: Grant | None = None,
) -> Explanation:
    """Explains a live model's answer.

    Args:
        service: The live models.
        model: The model's name.
        version: A version number or an alias; None is the default version.
        given: `inputs`, `image`, `upload` and `fields`, one of which is not None.
        method: Another than the usual one.
        target: The label to ask about.
        grant: The caller's leave, where callers need one.

    Raises:
        NumenError: Whatever went wrong.
    """
    begin = time.perf_counter()
    service.find(model, version)
    endpoint = await service.awake(model + EXPLAINS, version)
    explainer = Explainer(endpoint.manifest, endpoint.signature)
    chosen = explainer.method(method)
    inputs = explainer.about(await read(endpoint, given), target)
    answer = await service.predict(Request(model + EXPLAINS, inputs, version, grant=grant))
    by = answer.variant if answer.degraded else ""
    return Explanation(
        model=model,
        version=answer.version,
        milliseconds=(time.perf_counter() - begin) * 1e3,
        found=explainer.explanation(chosen, inputs, answer.outputs, by),
    )
