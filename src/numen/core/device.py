"""A model as it goes to a device: what to run, and what to do before and after, as plain data.

Only what a device needs leaves the bundle: the graph and the recorded samples, never the data it
learnt from. A device that does as it is told here answers as the server does.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from numen.core.bundle import GOLDEN, Bundle
from numen.core.errors import CorruptBundle, NotFound
from numen.core.signature import Array, TensorSpec

SAMPLES: Final = "golden.json"
MAX_ROWS: Final = 16  # of recorded samples, where rows can be taken apart
_RUNS: Final = "onnx"
_OPSET_IMPORT: Final = 8  # a field of ONNX's ModelProto: domain is its field 1, version its field 2
_FIXED: Final = {1: 8, 5: 4}  # bytes of protocol buffers' fixed numbers


def describe(bundle: Bundle, name: str, version: str, at: str = "") -> dict[str, Any]:
    """All that is needed to run a model elsewhere.

    Args:
        bundle: The model.
        name: As what it is published.
        version: As which version.
        at: What stands before a file's name in its URL.

    Raises:
        NotFound: It does not run elsewhere: it is no ONNX graph.
        CorruptBundle: Its graph or samples cannot be read.
    """
    manifest = bundle.manifest
    graph = _graph(bundle)
    listed = next(file for file in manifest.files if file.path == graph)
    recorded = samples(bundle)
    return {
        "format": 1,
        "name": name,
        "version": version,
        "digest": bundle.digest,
        "model": {
            "url": f"{at}{graph}", "sha256": listed.sha256, "size": listed.size,
            "opset": opsets(bundle.file(graph)),
        },
        "golden": recorded and {
            "url": f"{at}{SAMPLES}", "sha256": hashlib.sha256(recorded).hexdigest(),
            "size": len(recorded),
        },
        "signature": {
            "inputs": [_tensor(spec) for spec in manifest.signature.inputs],
            "outputs": [_tensor(spec) for spec in manifest.signature.outputs],
        },
        "preprocess": _plain(manifest.preprocess),
        "postprocess": _plain(manifest.postprocess),
        "licence": manifest.licence,
    }  # fmt: skip


def content(bundle: Bundle, name: str) -> Path | bytes:
    """A file that a device may have, by its name.

    Raises:
        NotFound: There is no such file, or it does not leave the server.
    """
    if name == SAMPLES and (recorded := samples(bundle)) is not None:
        return recorded
    if name == _graph(bundle):
        return bundle.file(name)
    raise NotFound(
        f"{name[:80]!r} is not a file for devices", hint="/api/models/{m}/bundle names them"
    )


def samples(bundle: Bundle) -> bytes | None:
    """The recorded samples as JSON; None where there are none.

    Values stand row by row in one list. A value that JSON has no number for is null (not a number)
    or text, and so are whole numbers beyond 2^53.
    """
    if all(file.path != GOLDEN for file in bundle.manifest.files):
        return None
    return _samples(bundle.path, bundle.digest, bundle.manifest.batched)


@lru_cache(maxsize=8)
def _samples(path: Path, digest: str, batched: bool) -> bytes:
    golden = Bundle.open(path, digest, verify=False).golden()
    most = MAX_ROWS if batched else None
    said = {
        side: {name: _recorded(array[:most]) for name, array in arrays.items()}
        for side, arrays in (("inputs", golden.inputs), ("outputs", golden.outputs))
    }
    return json.dumps(said, separators=(",", ":"), allow_nan=False).encode()


def _recorded(array: Array) -> dict[str, Any]:
    text = array.dtype.kind in "OUS"
    flat = array.reshape(-1).tolist()
    return {
        "dtype": "string" if text else array.dtype.name,
        "shape": list(array.shape),
        "data": [str(value) for value in flat] if text else [_number(value) for value in flat],
    }


def _number(value: float) -> float | str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value if abs(value) <= 1 << 53 or isinstance(value, float) else str(value)


def read_samples(data: bytes) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and outputs of what `samples` wrote."""
    said = json.loads(data)
    return read_outputs(said["inputs"]), read_outputs(said["outputs"])


def read_outputs(side: dict[str, Any]) -> dict[str, Array]:
    """Arrays by name, of the form that `samples` writes them in."""
    made = {}
    for name, each in side.items():
        text = each["dtype"] == "string"
        data = each["data"] if text else [math.nan if v is None else float(v) for v in each["data"]]
        if not text and np.dtype(each["dtype"]).kind in "iu":  # text holds them exactly
            data = [int(value) for value in each["data"]]
        made[name] = np.array(data, object if text else each["dtype"]).reshape(each["shape"])
    return made


def _graph(bundle: Bundle) -> str:
    exact = bundle.manifest.variants[0]
    if exact.runtime != _RUNS:
        raise NotFound(
            f"this model runs on numen's {exact.runtime} only, not on a device",
            hint="publish it as ONNX",
        )
    return exact.file


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name, "dtype": spec.dtype, "datatype": spec.datatype,
        "shape": list(spec.shape), "missing": spec.missing, "otherwise": spec.otherwise,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return None if value is None else msgspec.to_builtins(value)


def opsets(path: Path) -> dict[str, int]:
    """The operator sets a graph asks for: its version of each domain; ONNX's own is `""`.

    Reads only the outermost fields of the file (onnx.proto's ModelProto), not the weights.

    Raises:
        CorruptBundle: It is no ONNX file.
    """
    found: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            for field, value in _fields(file, path.stat().st_size):
                if field == _OPSET_IMPORT and isinstance(value, bytes):
                    said = dict(_fields(io.BytesIO(value), len(value), whole=True))
                    domain, version = said.get(1, b""), said.get(2, 0)
                    assert isinstance(domain, bytes)
                    assert isinstance(version, int)
                    found["" if domain == b"ai.onnx" else domain.decode()] = version
    except (ValueError, OSError) as error:
        raise CorruptBundle(f"{path.name}: expected an ONNX file: {error}") from error
    if not found:
        raise CorruptBundle(f"{path.name}: expected an ONNX file, found no operator set")
    return found


def _fields(file: BinaryIO, end: int, whole: bool = False) -> Iterator[tuple[int, int | bytes]]:
    """A protocol buffer's fields: their numbers and contents; large ones are passed over.

    A tag is the field's number and, in its lowest three bits, how it is written.
    """
    while file.tell() < end:
        tag = _varint(file)
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, _varint(file)
            continue
        if kind not in _FIXED and kind != 2:
            raise ValueError(f"wire type {kind}")
        size = _FIXED[kind] if kind in _FIXED else _varint(file)
        if whole or tag >> 3 == _OPSET_IMPORT:
            yield tag >> 3, file.read(min(size, 1 << 16))
        else:
            file.seek(size, 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("it is cut short")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("a number without end")
