"""What a model takes and gives: named, typed, shaped arrays.

A Signature accepts or rejects arrays with one message that names the field, what was expected
and what was received. It never casts and never reshapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

import msgspec
import numpy as np

from numen.core.errors import InvalidInput, TooLarge

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = Mapping[str, Array]

# The data types of the Open Inference Protocol, by their NumPy names.
DATATYPES: Final[dict[str, str]] = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "string",
}
_NUMPY: Final = {
    name: np.dtype(object if name == "string" else name) for name in DATATYPES.values()
}
_DATATYPE_OF: Final = {numpy: v2 for v2, numpy in DATATYPES.items()}
MAX_ROWS: Final = 65_536


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One named tensor.

    Attributes:
        name: The field's name in requests and answers.
        dtype: A NumPy name (`float32`, `int64`, …) or `string`.
        shape: Sizes, batch first; None where any size goes. `(None, 28, 28)`.
        missing: Whether NaN may stand for a missing value.
        otherwise: What every number is where a request leaves the input out; None if it may not.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    missing: bool = False
    otherwise: float | None = None

    def __post_init__(self) -> None:
        if self.dtype not in _DATATYPE_OF:
            raise InvalidInput(
                f'tensor "{self.name}": expected one of {", ".join(_DATATYPE_OF)}, '
                f'received "{self.dtype}"',
                field=self.name,
            )
        if any(size is not None and size < 1 for size in self.shape):
            raise InvalidInput(
                f'tensor "{self.name}": expected sizes of at least 1, '
                f"received {format_shape(self.shape)}",
                field=self.name,
            )

    @property
    def datatype(self) -> str:
        """The Open Inference Protocol's name of the type, such as `FP32`."""
        return _DATATYPE_OF[self.dtype]

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy type; strings are held as objects."""
        return _NUMPY[self.dtype]

    @property
    def row(self) -> tuple[int | None, ...]:
        """The shape of one row: `shape` without the batch axis."""
        return self.shape[1:]

    def __str__(self) -> str:
        return f"{self.dtype}{format_shape(self.shape)}"

    def check(self, array: Array) -> int:
        """Accepts `array` and returns its number of rows.

        Raises:
            InvalidInput: The type, the rank or a size differs, or a value is not finite.
            TooLarge: More rows than any request may carry.
        """
        rows = self.check_form(array)
        self.check_values(array)
        return rows

    def check_form(self, array: Array) -> int:
        """Accepts an array's type and sizes and returns its number of rows.

        Raises:
            InvalidInput: The type, the rank or a size differs.
            TooLarge: More rows than any request may carry.
        """
        if array.dtype != _NUMPY[self.dtype] or not self._fits(array.shape):
            dtype = "string" if array.dtype.kind in "OSU" else array.dtype.name
            raise InvalidInput(
                f'input "{self.name}": expected {self}, '
                f"received {dtype}{format_shape(array.shape)}",
                hint="reshape it or cast it",
                field=self.name,
            )
        rows: int = array.shape[0] if array.ndim else 1
        if rows == 0:
            raise InvalidInput(
                f'input "{self.name}": expected at least one row, received none',
                field=self.name,
            )
        if rows > MAX_ROWS:
            raise TooLarge(
                f'input "{self.name}": expected at most {MAX_ROWS} rows, received {rows}',
                hint="split the request",
                field=self.name,
            )
        return rows

    def check_values(self, array: Array) -> None:
        """Accepts an array's values.

        Raises:
            InvalidInput: One is not finite (or missing, where it may not be).
        """
        # Squares add up to something finite when all values are (overflow aside, hence the
        # second look); no other test is as quick.
        if array.dtype.kind == "f" and not isfinite(np.vdot(array, array)):
            bad = np.isinf(array) if self.missing else ~np.isfinite(array)
            if bad.any():
                where = tuple(int(i) for i in np.argwhere(bad)[0])
                raise InvalidInput(
                    f'input "{self.name}": expected finite values, '
                    f"received {array[where]} at {list(where)}",
                    field=self.name,
                )

    def _fits(self, shape: tuple[int, ...]) -> bool:
        if self.shape[:1] == (None,) and shape[1:] == self.shape[1:]:
            return len(shape) == len(self.shape)  # as nearly always: any rows, all else fixed
        return len(shape) == len(self.shape) and all(
            want is None or want == have for want, have in zip(self.shape, shape, strict=True)
        )


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The named tensors that go into a model and come out of it."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def required(self) -> tuple[TensorSpec, ...]:
        """The inputs that no request may leave out."""
        return tuple(spec for spec in self.inputs if spec.otherwise is None)

    def complete(self, arrays: Arrays, rows: int) -> dict[str, Array]:
        """Accepted arrays in the signature's order, and for what was left out its value."""
        return {
            spec.name: arrays[spec.name]
            if spec.name in arrays or spec.otherwise is None
            else np.full((rows, *(size or 1 for size in spec.row)), spec.otherwise, spec.numpy)
            for spec in self.inputs
        }

    def input(self, name: str) -> TensorSpec:
        """The input called `name`.

        Raises:
            InvalidInput: There is none.
        """
        return _find(self.inputs, name, "input")

    def output(self, name: str) -> TensorSpec:
        """The output called `name`.

        Raises:
            InvalidInput: There is none.
        """
        return _find(self.outputs, name, "output")

    def check(self, arrays: Arrays) -> int:
        """Accepts `arrays` and returns their common number of rows.

        Raises:
            InvalidInput: One is missing, unknown, or not as its spec says; or rows differ.
            TooLarge: More rows than any request may carry.
        """
        rows = self.check_form(arrays)
        self.check_values(arrays)
        return rows

    def check_values(self, arrays: Arrays) -> None:
        """Accepts the values of arrays whose form is right, of one caller or of many together.

        Raises:
            InvalidInput: One is not finite (or missing, where it may not be).
        """
        for spec in self.inputs:
            if spec.name in arrays:
                spec.check_values(arrays[spec.name])

    def check_form(self, arrays: Arrays) -> int:
        """Accepts the types and sizes of `arrays` and returns their common number of rows.

        Raises:
            InvalidInput: One is missing, unknown, or not as its spec says; or rows differ.
            TooLarge: More rows than any request may carry.
        """
        if len(arrays) != len(self.inputs):
            self._check_names(arrays)
        rows = 0
        for spec in self.inputs:
            array = arrays.get(spec.name)
            if array is None:
                self._check_names(arrays)
                continue  # it may be left out
            have = spec.check_form(array)
            if rows and have != rows:
                raise InvalidInput(
                    f'input "{spec.name}": expected {rows} rows as "{self.inputs[0].name}" has, '
                    f"received {have}",
                    field=spec.name,
                )
            rows = have
        return rows

    def _check_names(self, arrays: Arrays) -> None:
        expected = ", ".join(f'"{spec.name}"' for spec in self.inputs)
        for name in arrays:
            if all(spec.name != name for spec in self.inputs):
                raise InvalidInput(
                    f'input "{name}" is unknown: expected {expected}', field=str(name)
                )
        for spec in self.required:
            if spec.name not in arrays:
                raise InvalidInput(
                    f'input "{spec.name}" is missing: expected {expected}', field=spec.name
                )


def _find(specs: tuple[TensorSpec, ...], name: str, what: str) -> TensorSpec:
    for spec in specs:
        if spec.name == name:
            return spec
    known = ", ".join(f'"{spec.name}"' for spec in specs)
    raise InvalidInput(f'{what} "{name}" is unknown: expected {known}', field=name)


def format_shape(shape: tuple[int | None, ...]) -> str:
    """A shape as people write it: `[?, 28, 28]`."""
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
