"""The lookup runtime: answers read from a table, for when there is time for nothing else.

The file is an `.npz` of plain arrays: `in:<name>` and `out:<name>` `[rows, …]` are the questions
known and their answers, `else:<name>` `[…]` is the answer to any other. Without questions it is a
rule of last resort: one answer to all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from numen.core.errors import CorruptBundle
from numen.core.signature import Array, Arrays, Signature, TensorSpec


class LookupRuntime:
    """Finds rows by their exact bytes."""

    def __init__(self) -> None:
        self._signature = Signature((), ())
        self._places: dict[bytes, int] = {}
        self._answers: dict[str, Array] = {}

    def open(self, path: Path, *, threads: int = 1) -> None:
        """Loads a table; see `Runtime.open`."""
        del threads
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: np.asarray(file[name]) for name in file.files}
        except Exception as error:  # what a broken archive raises is no closed set
            raise CorruptBundle(f"{path.name}: expected an .npz of arrays: {error}") from error
        known = {name[3:]: array for name, array in arrays.items() if name[:3] == "in:"}
        answers = {name[4:]: array for name, array in arrays.items() if name[:4] == "out:"}
        otherwise = {name[5:]: array for name, array in arrays.items() if name[:5] == "else:"}
        rows = {len(array) if array.ndim else -1 for array in (*known.values(), *answers.values())}
        if not otherwise or len(rows) > 1 or (answers and answers.keys() != otherwise.keys()):
            raise CorruptBundle(
                f"{path.name}: expected else:<output> for every output, and as many rows in every "
                "in:<input> and out:<output>"
            )
        for name, array in otherwise.items():
            table = answers.get(name, array[None][:0])
            if table.shape[1:] != array.shape or table.dtype != array.dtype:
                raise CorruptBundle(f"{path.name}: out:{name} and else:{name} differ in form")
            self._answers[name] = np.concatenate([table, array[None]])  # the last is for the rest
        self._places = {key: place for place, key in enumerate(_keys(known))} if known else {}
        self._signature = Signature(_specs(known), _specs(self._answers))

    @property
    def signature(self) -> Signature:
        """What the table takes (where it knows questions) and gives."""
        return self._signature

    def predict(self, inputs: Arrays) -> dict[str, Array]:
        """Looks a batch up; see `Runtime.predict`."""
        if self._places:
            own = {spec.name: inputs[spec.name] for spec in self._signature.inputs}
            places = np.array([self._places.get(key, -1) for key in _keys(own)])
        else:
            places = np.full(len(next(iter(inputs.values()))), -1)
        return {name: array[places] for name, array in self._answers.items()}

    def close(self) -> None:
        """Drops the table."""
        self._places = {}
        self._answers = {}


def _keys(inputs: Arrays) -> list[bytes]:
    """A row's bytes in all inputs, by name."""
    arrays = [np.ascontiguousarray(inputs[name]) for name in sorted(inputs)]
    return [b"\0".join([array[row].tobytes() for array in arrays]) for row in range(len(arrays[0]))]


def _specs(arrays: Arrays) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, array.dtype.name, (None, *array.shape[1:]))
        for name, array in arrays.items()
    )
