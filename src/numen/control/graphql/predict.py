"""Running a model from GraphQL: tensors, a picture or named fields in, a Prediction out.

Tensors are read by the Open Inference Protocol's reader and pictures and fields by the friendly
door's, so a value is accepted here exactly where it is there.
"""

from __future__ import annotations

import base64
import time
from typing import Any

import orjson
import strawberry
from starlette.datastructures import UploadFile
from strawberry.scalars import JSON

from numen.control.graphql.fields import documented, finite
from numen.core.errors import InvalidInput
from numen.core.message import Grant, Request
from numen.core.signature import Array
from numen.runtime.answer import describe
from numen.runtime.process import read_input
from numen.serve.live import Endpoint
from numen.serve.service import Service
from numen.transport import tensors, v2


@strawberry.input(description="One named tensor, as in the Open Inference Protocol.")
class TensorInput:
    """One named tensor of a request."""

    name: str
    datatype: str = strawberry.field(description="FP32, INT64, BYTES, …")
    shape: list[int] = strawberry.field(description="Sizes, batch first.")
    data: JSON = strawberry.field(description="Values, flat in row-major order or nested.")


@strawberry.type(description="One named tensor of an answer.")
class Tensor:
    """One named tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    array: strawberry.Private[Array]

    @documented
    def data(self) -> JSON:
        """Values, flat in row-major order; null where not finite."""
        return JSON(orjson.Fragment(tensors.dump(self.array.reshape(-1))))


@strawberry.type(description="A label and how likely it is.")
class Score:
    """A label and its probability."""

    label: str
    probability: float | None


@strawberry.type(description="What a model says of an input.")
class Prediction:
    """What a model says; label, probability and top are those of the first row."""

    model: str
    version: str
    milliseconds: float
    endpoint: strawberry.Private[Endpoint]
    arrays: strawberry.Private[dict[str, Array]]

    def _first(self) -> dict[str, Any]:
        if self.endpoint.manifest.postprocess is None:
            return {}
        row = {name: array[:1] for name, array in self.arrays.items()}
        return describe(self.endpoint.manifest, row)[0]

    @documented
    def label(self) -> str | None:
        """The first row's most likely label; null where the model names none."""
        return self._first().get("label")

    @documented
    def probability(self) -> float | None:
        """That label's probability."""
        return finite(self._first().get("probability"))

    @documented
    def top(self) -> list[Score]:
        """The first row's most likely labels, best first."""
        first = self._first()
        ranked = [(s["label"], s["probability"]) for s in first.get("top", [])]
        ranked += sorted(first.get("scores", {}).items(), key=lambda item: -item[1])
        return [Score(label=label, probability=finite(share)) for label, share in ranked]

    @documented
    def labels(self) -> list[str]:
        """Where a row carries any number: those of the first that are as likely as not."""
        return list(self._first().get("labels", []))

    @documented
    def rows(self) -> JSON:
        """What the outputs mean, an object a row, as `/predict` says it."""
        return JSON(describe(self.endpoint.manifest, self.arrays))

    @documented
    def outputs(self) -> list[Tensor]:
        """The model's outputs as they are."""
        return [
            Tensor(
                name=spec.name,
                datatype=spec.datatype,
                shape=list(self.arrays[spec.name].shape),
                array=self.arrays[spec.name],
            )
            for spec in self.endpoint.signature.outputs
        ]


async def run(
    service: Service,
    model: str,
    version: str | None,
    given: dict[str, Any],
    grant: Grant | None = None,
) -> Prediction:
    """Runs a live model.

    Args:
        service: The live models.
        model: The model's name.
        version: A version number or an alias; None is the default version.
        given: `inputs`, `image`, `upload` and `fields`, one of which is not None.
        grant: The caller's leave, where callers need one.

    Raises:
        NumenError: Whatever went wrong.
    """
    begin = time.perf_counter()
    endpoint = await service.awake(model, version)
    inputs = await read(endpoint, given)
    answer = await service.predict(Request(model, inputs, version, grant=grant))
    return Prediction(
        model=answer.model,
        version=answer.version,
        milliseconds=(time.perf_counter() - begin) * 1e3,
        endpoint=endpoint,
        arrays=answer.outputs,
    )


async def read(endpoint: Endpoint, given: dict[str, Any]) -> dict[str, Array]:
    """A model's inputs from the one of `inputs`, `image`, `upload` and `fields` that was sent.

    Raises:
        InvalidInput: None was sent, or more, or the model does not take it.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise InvalidInput(
            f"expected exactly one of {', '.join(given)}, received {', '.join(names) or 'none'}",
            field=names[1] if names else next(iter(given)),
        )
    (name,) = names
    value = given[name]
    if name == "inputs":
        return _tensors(endpoint, value)
    if name == "image":
        return read_input(endpoint.manifest, _picture(value))
    if name == "upload":
        if not isinstance(value, UploadFile):
            raise InvalidInput(
                f"upload: expected a file, received {tensors.kind(value)}",
                hint="send a multipart request, or the picture as base64 in image",
                field="upload",
            )
        return read_input(endpoint.manifest, await value.read())
    rows = value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(
            f"fields: expected an object or a list of objects, received {tensors.kind(value)}",
            field="fields",
        )
    return read_input(endpoint.manifest, rows)


def _tensors(endpoint: Endpoint, given: list[TensorInput]) -> dict[str, Array]:
    try:
        message = orjson.dumps(
            {
                "inputs": [
                    {"name": t.name, "datatype": t.datatype, "shape": t.shape, "data": t.data}
                    for t in given
                ]
            }
        )
    except TypeError as error:
        raise InvalidInput(f"inputs: expected JSON values: {error}", field="inputs") from None
    return v2.decode(message, None, endpoint)[0].inputs


def _picture(text: str) -> bytes:
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise InvalidInput(
                "image: expected a data URL in base64, received another", field="image"
            )
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise InvalidInput(f"image: expected base64: {error}", field="image") from None
