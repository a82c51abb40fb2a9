"""A runtime that echoes its rows, and misbehaves where a row says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from numen.core.bundle import Bundle
from numen.core.errors import Internal, InvalidInput
from numen.core.manifest import Manifest, Variant
from numen.core.signature import Array, Signature, TensorSpec
from numen.serve.ladder import Ladder, Pace, Rung
from numen.serve.opening import Opened

REFUSED, FAILED, CRASHED, SHORT, SCALAR, NOTHING = -1, -2, -3, -4, -5, -6
MISDEEDS = (REFUSED, FAILED, CRASHED, SHORT, SCALAR, NOTHING)


class Echo:
    """Gives back `x` as `y`; a row that begins with a misdeed's number brings it about."""

    def __init__(self, row: tuple[int | None, ...] = (2,), seconds: float = 0.0):
        self.signature = Signature(
            (TensorSpec("x", "int64", (None, *row)),), (TensorSpec("y", "int64", (None, *row)),)
        )
        self.seconds = seconds
        self.runs: list[list[int]] = []
        self.threads: set[int] = set()
        self.closed = 0
        self.resume = threading.Event()
        self.resume.set()

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        assert not self.closed, "a closed runtime was asked"
        self.threads.add(threading.get_ident())
        self.resume.wait(10)
        if self.seconds:
            time.sleep(self.seconds)
        x = inputs["x"]
        marks = set(x.reshape(len(x), -1)[:, 0].tolist()) & set(MISDEEDS)
        self.runs.append(x.reshape(len(x), -1)[:, 0].tolist())
        if REFUSED in marks:
            raise InvalidInput("the model refused the input")
        if FAILED in marks:
            raise Internal("the model failed: as it was told")
        if CRASHED in marks:
            raise ZeroDivisionError("a plug-in's defect")
        if SHORT in marks:
            return {"y": x[:-1]}
        if SCALAR in marks:
            return {"y": np.array(1)}
        if NOTHING in marks:
            return None  # type: ignore[return-value]
        return {"y": x.copy()}

    def open(self, path: object, *, threads: int = 1) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


def opened_of(runtime: Echo, seconds: float, *, batched: bool = True, max_rows: int = 8) -> Opened:
    """An opened model of one variant, whose full batch is said to take `seconds`."""
    manifest = Manifest(
        runtime.signature, (Variant("fp32", "echo", "predict.echo"),), batched=batched
    )
    pace = Pace(
        {1: max(seconds, 1e-6), max_rows: max(seconds, 1e-6)}
        if batched
        else {1: max(seconds, 1e-6)}
    )
    bundle = Bundle(Path("nowhere"), manifest, "sha256:0")
    return Opened("m", "1", bundle, Ladder([Rung("fp32", runtime, pace)]))
