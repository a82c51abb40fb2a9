"""The ONNX runtime: onnxruntime on the CPU, silent and without telemetry."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from numen.core.errors import CorruptBundle, Internal, InvalidInput
from numen.core.signature import Array, Arrays, Signature, TensorSpec

# Before the import: the library reports from its own loading on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

from numen.runtime.prepared import prepared

onnxruntime.disable_telemetry_events()
onnxruntime.set_default_logger_severity(4)

_DTYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
} | {
    f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


class OnnxRuntime:
    """Runs one ONNX graph."""

    def __init__(self) -> None:
        self._session: Any = None
        self._signature = Signature((), ())

    def open(self, path: Path, *, threads: int = 1) -> None:
        """Loads a graph; see `Runtime.open`."""
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), _options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise CorruptBundle(f"{path.name}: onnxruntime cannot load it: {error}") from error
        self._signature = Signature(
            tuple(_spec(node) for node in self._session.get_inputs()),
            tuple(_spec(node) for node in self._session.get_outputs()),
        )
        self._outputs = [spec.name for spec in self._signature.outputs]

    def prepare(self, path: Path, folder: Path) -> Path:
        """Makes a large graph ready for this machine; see `Preparing.prepare`."""
        return prepared(path, folder)

    @property
    def signature(self) -> Signature:
        """What the graph takes and gives."""
        return self._signature

    def predict(self, inputs: Arrays) -> dict[str, Array]:
        """Runs a batch; see `Runtime.predict`."""
        try:
            results = self._session.run(self._outputs, inputs)
        except Exception as error:
            message = str(error).partition("\n")[0]
            # The library's own word for values a graph cannot take, such as an index out of range.
            if "INVALID_ARGUMENT" in message:
                raise InvalidInput(f"the model refused the input: {message}") from error
            raise Internal(f"the model failed: {message}") from error
        return dict(zip(self._outputs, results, strict=True))

    def close(self) -> None:
        """Drops the session."""
        self._session = None


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Spinning threads take the core from the event loop that feeds them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _spec(node: Any) -> TensorSpec:
    try:
        dtype = _DTYPES[node.type]
    except KeyError as error:
        raise CorruptBundle(
            f'"{node.name}": {node.type} is not a type numen serves',
            hint="export the model with tensors only (no maps or sequences)",
        ) from error
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in node.shape)
    return TensorSpec(node.name, dtype, shape)
