"""TensorFlow Serving's `:classify` and `:regress`: examples of named features in, results out.

A feature is one of the model's columns, or one of its inputs as a flat list of a row's values.
Where the model takes a picture, the feature may be the picture's file in base64.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
import orjson

from numen.core.errors import InvalidInput
from numen.core.manifest import (
    AudioInput,
    Classification,
    ColumnsInput,
    ImageInput,
    Manifest,
    Regression,
)
from numen.core.signature import Array, TensorSpec
from numen.runtime.process import encode_fields, probabilities, read_input
from numen.serve.live import Endpoint
from numen.transport.tensors import document, dump, kind

Outputs: TypeAlias = Mapping[str, Array]
# The arrays that a request says, and what writes its answer.
Decoded: TypeAlias = tuple[dict[str, Array], Callable[[Outputs], bytes]]

_FEATURES: Final[dict[str, Any]] = {"type": "object", "additionalProperties": {}}


def _doc(results: str, item: dict[str, Any]) -> dict[str, Any]:
    request = {
        "type": "object",
        "required": ["examples"],
        "properties": {
            "signature_name": {"type": "string"},
            "context": _FEATURES,
            "examples": {"type": "array", "items": _FEATURES, "minItems": 1},
        },
    }
    answer = {"type": "object", "properties": {"results": {"type": "array", "items": item}}}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {"description": results, "content": {"application/json": {"schema": answer}}}
        },
    }


CLASSIFY_DOC: Final = _doc("Label and score pairs, of each example", {"type": "array"})
REGRESS_DOC: Final = _doc("A number of each example", {"type": ["number", "null"]})


def classify(body: bytes, endpoint: Endpoint) -> Decoded:
    """Reads a `:classify` request.

    Raises:
        InvalidInput: It is malformed, or the model does not tell classes apart.
    """
    how = endpoint.manifest.postprocess
    if not isinstance(how, Classification):
        raise _unfit(endpoint, "classes", "send it to :predict or :regress")

    def answer(outputs: Outputs) -> bytes:
        # Pairs are written as `[["a",0.9],…]`; what is not finite becomes null.
        rows = [
            [[label, float(score)] for label, score in zip(how.labels, row, strict=False)]
            for row in probabilities(outputs, how)
        ]
        return orjson.dumps({"results": rows})

    return _decode(body, endpoint.manifest, "classification", "classify"), answer


def regress(body: bytes, endpoint: Endpoint) -> Decoded:
    """Reads a `:regress` request.

    Raises:
        InvalidInput: It is malformed, or the model does not give one number a row.
    """
    how = endpoint.manifest.postprocess
    outputs = endpoint.signature.outputs
    name = how.output if isinstance(how, Regression) else outputs[0].name
    spec = endpoint.signature.output(name)
    several = not isinstance(how, Regression) and len(outputs) > 1
    if (
        isinstance(how, Classification) or several or spec.dtype == "string"
        or prod(size or 0 for size in spec.row) != 1
    ):  # fmt: skip
        raise _unfit(endpoint, "one number a row", "send it to :predict or :classify")

    def answer(outputs: Outputs) -> bytes:
        return b'{"results":%b}' % dump(outputs[name].reshape(-1))

    return _decode(body, endpoint.manifest, "regression", "regress"), answer


def _unfit(endpoint: Endpoint, wanted: str, hint: str) -> InvalidInput:
    return InvalidInput(f"model {endpoint.name}: it does not give {wanted}", hint=hint)


def check_signature_name(value: Any, *names: str) -> None:
    """Refuses the name of a signature that the model does not have.

    Raises:
        InvalidInput: It is none of `names`, nor the default's.
    """
    if value not in (None, "", "serving_default", *names):
        raise InvalidInput(
            f'"signature_name": expected {" or ".join(("serving_default", *names))}, '
            f"received {str(value)[:80]!r}",
            field="signature_name",
        )


def _decode(body: bytes, manifest: Manifest, signature: str, method: str) -> dict[str, Array]:
    with document(body):  # the one parser with a depth limit
        pass
    message: dict[str, Any] = orjson.loads(body)
    check_signature_name(message.get("signature_name"), signature, f"tensorflow/serving/{method}")
    rows = _examples(message)
    how = manifest.preprocess
    if isinstance(how, ColumnsInput) and not any(how.input in row for row in rows):
        plain: list[Mapping[str, Any]] = [
            {name: _single(value, name) for name, value in row.items()} for row in rows
        ]
        return encode_fields(plain, how)
    names = {spec.name for spec in manifest.signature.required}
    for place, row in enumerate(rows):
        if row.keys() != names:
            raise InvalidInput(
                f'"examples[{place}]": expected {", ".join(sorted(names))}, '
                f"received {', '.join(sorted(row))[:200] or 'nothing'}",
                field="examples",
            )
    return {
        spec.name: np.concatenate([_feature(row[spec.name], spec, manifest) for row in rows])
        for spec in manifest.signature.required
    }


def _examples(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Each example's features, with those of the context."""
    context, examples = message.get("context"), message.get("examples")
    if not (context is None or isinstance(context, dict)):
        raise InvalidInput(
            f'"context": expected an object, received {kind(context)}', field="context"
        )
    if not isinstance(examples, list) or not examples:
        received = "an empty array" if examples == [] else kind(examples)
        raise InvalidInput(
            f'"examples": expected objects of features, received {received}', field="examples"
        )
    rows = []
    for place, example in enumerate(examples):
        if not isinstance(example, dict):
            raise InvalidInput(
                f'"examples[{place}]": expected an object, received {kind(example)}',
                field="examples",
            )
        if both := sorted(example.keys() & (context or {}).keys()):
            raise InvalidInput(
                f'"examples[{place}]": {both[0]!r} is in the context already', field="context"
            )
        rows.append({**(context or {}), **example})
    return rows


def _single(value: Any, name: str) -> Any:
    """A column's value; a feature of one value may be a list."""
    if isinstance(value, list):
        if len(value) != 1:
            raise InvalidInput(
                f'field "{name}": expected one value, received {len(value)}', field=name
            )
        (value,) = value
    return _text(value, name) if isinstance(value, dict) else value


def _feature(value: Any, spec: TensorSpec, manifest: Manifest) -> Array:
    """One row of an input."""
    values = value if isinstance(value, list) else [value]
    how = manifest.preprocess
    file = isinstance(how, ImageInput | AudioInput) and how.input == spec.name
    if file and len(values) == 1 and isinstance(values[0], dict):
        return read_input(manifest, _bytes(values[0], spec.name))[spec.name]
    wanted = str if spec.dtype == "string" else bool if spec.dtype == "bool" else (int, float)
    if spec.dtype == "string":
        values = [_text(v, spec.name) if isinstance(v, dict) else v for v in values]
    for item in values:
        if not isinstance(item, wanted) or (isinstance(item, bool) and wanted is not bool):
            raise InvalidInput(
                f'input "{spec.name}": expected a flat list of {spec.dtype}, '
                f"received {kind(item)} in it",
                field=spec.name,
            )
    free = [size for size in spec.row if size is None]
    fixed = prod(size for size in spec.row if size is not None)
    if len(free) > 1 or (len(values) % fixed if free and fixed else len(values) != fixed):
        raise InvalidInput(
            f'input "{spec.name}": expected {spec} a row, received {len(values)} values',
            field=spec.name,
        )
    return _array(values, spec).reshape(1, *(-1 if size is None else size for size in spec.row))


def _array(values: list[Any], spec: TensorSpec) -> Array:
    array = np.array(values, dtype=object if spec.dtype == "string" else None)
    try:
        with np.errstate(over="ignore"):  # what overflows is refused as not finite
            cast = array.astype(spec.numpy)
    except (TypeError, ValueError, OverflowError):
        cast = None
    whole = spec.numpy.kind in "iu"
    if cast is None or (whole and not np.array_equal(cast, array)):
        raise InvalidInput(f'input "{spec.name}": expected values of {spec.dtype}', field=spec.name)
    return cast


def _text(value: dict[str, Any], name: str) -> str:
    try:
        return _bytes(value, name).decode()
    except UnicodeDecodeError:
        raise InvalidInput(f'field "{name}": expected {{"b64": …}} of UTF-8', field=name) from None


def _bytes(value: dict[str, Any], name: str) -> bytes:
    try:
        if value.keys() != {"b64"}:
            raise KeyError
        return base64.b64decode(value["b64"], validate=True)
    except (TypeError, KeyError, ValueError, binascii.Error):
        raise InvalidInput(
            f'field "{name}": expected {{"b64": …}}, received {str(value)[:80]}', field=name
        ) from None
