"""JSON to arrays and back, for every protocol that carries tensors as JSON.

Numbers go from text into a typed buffer without becoming Python objects (simdjson). A parser's
document must be gone before the parser is used again, so each message is read inside `document`.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np
import orjson
import simdjson

from numen.core.errors import InvalidInput
from numen.core.signature import DATATYPES, Array, Signature

MAX_RANK: Final = 16
JsonArray: Final = simdjson.Array
JsonObject: Final = simdjson.Object

# simdjson's buffer kinds and what NumPy calls them.
_BUFFER: Final = {"f": ("d", np.float64), "i": ("i", np.int64), "u": ("u", np.uint64)}


_WITHIN_FLOAT32: Final = 1e76  # as a sum of squares


class _Parser:
    """One reusable simdjson parser; replaced after any failure, which may leave it occupied."""

    def __init__(self) -> None:
        self.current = simdjson.Parser()


_parser: Final = _Parser()


class document:  # noqa: N801 - used as a statement: `with document(body) as doc`
    """Parses a JSON object; the value is valid inside the `with` only.

    Raises:
        InvalidInput: It is not UTF-8, not JSON, too deep, or not an object.
    """

    __slots__ = ("_body", "_field")

    def __init__(self, body: bytes, field: str = "body"):
        self._body = body
        self._field = field

    def __enter__(self) -> Any:
        try:
            parsed = _parse(self._body)
        except (ValueError, RuntimeError) as error:
            _parser.current = simdjson.Parser()
            raise InvalidInput(
                f"{self._field}: expected JSON: {_plain(error)}", field=self._field
            ) from None
        if not isinstance(parsed, JsonObject):
            raise InvalidInput(
                f"{self._field}: expected a JSON object, received {kind(parsed)}",
                field=self._field,
            )
        return parsed

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is not None:
            _parser.current = simdjson.Parser()


def _parse(body: bytes) -> Any:
    try:
        return _parser.current.parse(body)
    except RuntimeError:  # an earlier message's document is still about, as in an error's traceback
        _parser.current = simdjson.Parser()
        return _parser.current.parse(body)


def _plain(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not valid UTF-8"
    name, _, rest = str(error).partition(":")
    return (rest or name).strip().rstrip(".").partition(". ")[0]


def pick(fields: Any, *names: str) -> list[Any]:
    """The values of an object's fields by name; None for those it does not have.

    Looking at the keys first is six times cheaper than a miss in simdjson's `get`.
    """
    present = list(fields)
    return [fields[name] if name in present else None for name in names]


def kind(value: Any) -> str:
    """What JSON calls a value's type."""
    if isinstance(value, JsonArray | list):
        return "an array"
    if isinstance(value, JsonObject | dict):
        return "an object"
    if value is None:
        return "null"
    return {bool: "a boolean", int: "a number", float: "a number", str: "a string"}.get(
        type(value), type(value).__name__
    )


def read(data: Any, dtype: str, shape: tuple[int, ...], name: str, *, flat: bool = False) -> Array:
    """A JSON array, flat or nested as the shape, as an array of `dtype` and `shape`.

    Args:
        data: The JSON value.
        dtype: A NumPy name, or `string`.
        shape: The sizes.
        name: The input's.
        flat: That it holds no arrays is known, so need not be looked at.

    Raises:
        InvalidInput: It is no array, has another length or nesting, or holds other values.
    """
    if not isinstance(data, JsonArray):
        raise InvalidInput(
            f'input "{name}": expected data as an array, received {kind(data)}', field=name
        )
    count = prod(shape)
    if not flat and len(data):
        check_nesting(data, shape if isinstance(data[0], JsonArray) else (len(data),), name)
    values = _flat(data, dtype, name)
    if len(values) != count:
        raise InvalidInput(
            f'input "{name}": expected {count} values for shape {list(shape)}, '
            f"received {len(values)}",
            field=name,
        )
    return values.reshape(shape)


def check_nesting(data: Any, shape: tuple[int, ...], name: str, depth: int = 0) -> None:
    """Refuses arrays that are not nested as the shape says, down to the single values."""
    if not isinstance(data, JsonArray) or not shape or len(data) != shape[depth]:
        have = f"{len(data)} items" if isinstance(data, JsonArray) else kind(data)
        raise InvalidInput(
            f'input "{name}": expected data flat, or nested as the shape {list(shape)}, '
            f"received {have} at depth {depth}",
            field=name,
        )
    if depth + 1 < len(shape):
        for item in data:
            check_nesting(item, shape, name, depth + 1)
    elif list in map(type, data.as_list()):
        raise InvalidInput(
            f'input "{name}": expected data flat, or nested as the shape, '
            f"received an array at depth {depth + 1}",
            field=name,
        )


def _flat(data: Any, dtype: str, name: str) -> Array:
    kind_ = "O" if dtype == "string" else np.dtype(dtype).kind
    if kind_ in "bO":
        return _objects(data, dtype, name)
    of_type, wide = _BUFFER[kind_]
    try:
        values = np.frombuffer(data.as_buffer(of_type=of_type), wide)
    except (TypeError, ValueError):
        wanted = "numbers" if kind_ == "f" else "whole numbers"
        raise InvalidInput(
            f'input "{name}": expected {wanted} for {dtype}, received something else',
            field=name,
        ) from None
    if kind_ != "f" and len(values):
        limits = np.iinfo(dtype)
        if values.min() < limits.min or values.max() > limits.max:
            raise InvalidInput(
                f'input "{name}": expected {dtype} in {limits.min}..{limits.max}, '
                f"received {values.min()}..{values.max()}",
                field=name,
            )
    if dtype == "float32" and np.vdot(values, values) < _WITHIN_FLOAT32:
        return values.astype(np.float32)  # nothing can overflow, and this is the usual case
    with np.errstate(over="ignore"):  # what overflows becomes inf, which the signature refuses
        return values.astype(dtype)


def _objects(data: Any, dtype: str, name: str) -> Array:
    wanted: type = str if dtype == "string" else bool
    items: list[Any] = []

    def walk(value: Any) -> None:
        for item in value:
            if isinstance(item, JsonArray):
                walk(item)
            elif type(item) is wanted:
                items.append(item)
            else:
                raise InvalidInput(
                    f'input "{name}": expected {dtype}, received {kind(item)}', field=name
                )

    walk(data)
    return np.array(items, dtype=object if wanted is str else bool)


def read_text(text: bytes, dtype: str, count: int) -> Array | None:
    """A flat JSON array of `count` numbers as an array, or None if the text is not that."""
    parser = _parser.current
    try:
        flat = _flat(parser.parse(text), dtype, "")
    except (ValueError, RuntimeError, AttributeError, InvalidInput):
        _parser.current = simdjson.Parser()
        return None
    return flat if len(flat) == count else None


def in_columns(arrays: dict[str, Array], signature: Signature) -> dict[str, Array]:
    """Texts `[n]` become `[n, 1]` where the model takes them so: a text a row is how people say it.

    Args:
        arrays: What was read, by input name; changed in place.
        signature: The model's.
    """
    for spec in signature.inputs:
        if spec.dtype == "string" and spec.row == (1,):
            array = arrays.get(spec.name)
            if array is not None and array.ndim == 1:
                arrays[spec.name] = array[:, None]
    return arrays


def json_array(items: list[Any]) -> Any:
    """Items gathered from one document as an array of another, with a parser of its own."""
    return simdjson.Parser().parse(orjson.dumps(items))


def infer_shape(data: Any, name: str) -> tuple[int, ...]:
    """The shape of nested JSON arrays, by their first items.

    Raises:
        InvalidInput: They are nested deeper than any tensor.
    """
    shape: list[int] = []
    while isinstance(data, JsonArray):
        if len(shape) == MAX_RANK:
            raise InvalidInput(
                f'input "{name}": expected at most {MAX_RANK} dimensions', field=name
            )
        shape.append(len(data))
        if not len(data):
            break
        data = data[0]
    return tuple(shape)


def dump(array: Array) -> bytes:
    """An array as nested JSON; what is not finite becomes null."""
    if array.dtype.kind == "O":
        return orjson.dumps(array.tolist(), default=_text)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return orjson.dumps(np.ascontiguousarray(array), option=orjson.OPT_SERIALIZE_NUMPY)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def datatype(name: Any, field: str) -> str:
    """The NumPy name of a protocol datatype such as `FP32`.

    Raises:
        InvalidInput: There is no such datatype.
    """
    found = DATATYPES.get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidInput(
            f'input "{field}": expected datatype to be one of {", ".join(DATATYPES)}, '
            f"received {name if isinstance(name, str) else kind(name)!s:.40}",
            field=field,
        )
    return found
