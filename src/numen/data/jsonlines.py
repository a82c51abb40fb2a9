"""JSON Lines in batches: an object a row, of plain values, any of which may be left out.

A field has one kind in all rows: a number, text, true or false, or a list of texts, which is for a
target. The first row is row 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from numen.core.errors import InvalidData
from numen.core.fields import flatten
from numen.data.facts import TableFile

_ROWS: Final = 16_384
_ARROW: Final = {
    "": pa.null(),
    "truth": pa.bool_(),
    "whole": pa.int64(),
    "number": pa.float64(),
    "text": pa.string(),
    "names": pa.list_(pa.string()),
}
_WORDS: Final = {
    "truth": "true or false",
    "whole": "a number",
    "number": "a number",
    "text": "text",
    "names": "a list of texts",
}
_KINDS: Final = {type(None): "", bool: "truth", int: "whole", float: "number", str: "text"}


def open_jsonl(path: Path) -> TableFile:
    """Looks at every row to learn the fields, as a row may leave any out.

    Raises:
        InvalidData: A row is no object, or a field is nested or of two kinds.
    """
    kinds: dict[str, str] = {}
    for number, row in _objects(path):
        for name, value in row.items():
            kind = _kind(value)
            if kind == "nested":
                raise InvalidData(
                    f'{path} row {number}: field "{name}": expected a number, text, true or '
                    f"false, or a list of texts, received "
                    f"{'a list of others' if isinstance(value, list) else 'an object'}",
                    field=name,
                )
            known = kinds.setdefault(name, kind) or kind
            if {known, kind} == {"whole", "number"}:
                known = "number"
            elif kind and kind != known:
                raise InvalidData(
                    f'{path} row {number}: field "{name}": expected {_WORDS[known]} as before, '
                    f"received {msgspec.json.encode(value).decode()}",
                    field=name,
                )
            kinds[name] = known
    if not kinds:
        raise InvalidData(f"{path}: the file is empty")
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in kinds.items()])
    rows = partial(_object_row, path)
    return TableFile(path, partial(_batches, path, schema), rows, True)


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "names" if all(isinstance(each, str) for each in value) else "nested"
    kind = _KINDS.get(type(value), "nested")
    return "number" if kind == "whole" and not -(2**63) <= value < 2**63 else kind  # type: ignore[operator]


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
            if text:
                try:
                    yield number, flatten(decoder.decode(text))
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise InvalidData(
                        f"{path} row {number}: expected a JSON object: {error}"
                    ) from error


def _object_row(path: Path, place: int) -> int:
    return next(number for at, (number, _) in enumerate(_objects(path)) if at == place)


def _batches(path: Path, schema: Any) -> Iterator[Any]:
    held: list[dict[str, Any]] = []
    for _, row in _objects(path):
        held.append(row)
        if len(held) == _ROWS:
            yield pa.RecordBatch.from_pylist(held, schema=schema)
            held = []
    if held:
        yield pa.RecordBatch.from_pylist(held, schema=schema)
