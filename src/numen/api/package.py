"""A trained model becomes a bundle: exported, compared with its framework, measured, described."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from numen.api.card import card
from numen.api.explanation import explained
from numen.core.bundle import CARD, GOLDEN, Bundle, Golden, pack_golden
from numen.core.errors import ExportFailed
from numen.core.manifest import (
    Classification,
    Manifest,
    Preprocess,
    Regression,
    Variant,
)
from numen.core.signature import Array, Arrays
from numen.runtime.base import Runtime, make
from numen.train.base import Trained

GOLDEN_ROWS = 16


@dataclass(frozen=True, slots=True)
class Facts:
    """What a bundle says beside its graph."""

    preprocess: Preprocess | None = None
    postprocess: Classification | Regression | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    dataset: str = ""
    data: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found of a draft of the bundle.

    Attributes:
        metrics: By name.
        files: What was found besides, by file name.
        postprocess: How its output is read, now that it was measured.
    """

    metrics: dict[str, float]
    files: dict[str, bytes]
    postprocess: Classification | Regression | None


Measure: TypeAlias = Callable[[Bundle], Measured]


def replay(trained: Trained, graph: Path, samples: Arrays) -> tuple[Golden, float, bool]:
    """Runs an exported graph on samples and compares it with the framework.

    Args:
        trained: What was exported.
        graph: The exported file.
        samples: Inputs by name.

    Returns:
        The samples with the framework's outputs, the largest difference, and whether rows of
        different callers may run together.

    Raises:
        ExportFailed: The graph differs by more than the trainer's tolerance, or has other names.
    """
    runtime = make("onnx")
    runtime.open(graph)
    try:
        expected = trained.predict(samples)
        received = runtime.predict(samples)
        worst = 0.0
        for spec in trained.signature.outputs:
            if spec.name not in received:
                raise ExportFailed(f'the exported graph has no output "{spec.name}"')
            worst = max(worst, _difference(expected[spec.name], received[spec.name]))
        if not worst <= trained.tolerance:
            raise ExportFailed(
                f"the exported graph differs from {trained.framework} by {worst:.3g}: "
                f"expected at most {trained.tolerance:g}",
                hint="please report it with the model's layers",
            )
        return Golden(dict(samples), expected), worst, rows_are_free(runtime, samples, received)
    finally:
        runtime.close()


def _difference(expected: Array, received: Array) -> float:
    if expected.shape != received.shape:
        raise ExportFailed(
            f"the exported graph gives {list(received.shape)}, its framework {list(expected.shape)}"
        )
    if expected.dtype.kind not in "fiub":
        return 0.0 if np.array_equal(expected, received) else float("inf")
    gap = np.abs(np.asarray(expected, np.float64) - np.asarray(received, np.float64))
    return float(gap.max(initial=0.0))


def rows_are_free(runtime: Runtime, samples: Arrays, outputs: Mapping[str, Array]) -> bool:
    """Whether a row's answer is the same alone as in a batch, so that batches may be mixed."""
    signature = runtime.signature
    if any(spec.shape[:1] != (None,) for spec in (*signature.inputs, *signature.outputs)):
        return False
    rows = {len(array) for array in (*samples.values(), *outputs.values())}
    if len(rows) != 1:
        return False
    try:
        alone = runtime.predict({name: array[:1] for name, array in samples.items()})
    except Exception:  # whatever it is, the model does not take another number of rows
        return False
    return all(
        array.dtype.kind == "O" or np.allclose(alone[name], array[:1], atol=1e-4, rtol=1e-3)
        for name, array in outputs.items()
    )


def write_bundle(
    target: Path,
    trained: Trained,
    samples: Arrays,
    facts: Facts,
    measure: Measure | None = None,
) -> Bundle:
    """Exports a trained model and writes its bundle.

    Args:
        target: The directory to make.
        trained: The model.
        samples: Inputs to record, by name.
        facts: What else the manifest says.
        measure: What to measure it with; None measures nothing.

    Raises:
        ExportFailed: It cannot be exported, or the graph differs from the framework.
    """
    # Beside the target: the graph is copied once, on one file system.
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        graph = Path(folder) / "predict.onnx"
        trained.export(graph)
        golden, parity, batched = replay(trained, graph, samples)
        manifest = Manifest(
            signature=trained.signature,
            variants=(Variant("fp32", "onnx", "predict.onnx"),),
            preprocess=facts.preprocess,
            postprocess=facts.postprocess or trained.postprocess,
            batched=batched,
            framework=trained.framework,
            family=trained.family,
            recipe=facts.recipe,
            dataset=facts.dataset,
            data=facts.data,
            parity=parity,
            licence=facts.licence or trained.licence,
        )
        files: dict[str, Path | bytes] = {**trained.files, "predict.onnx": graph}
        return write_files(target, manifest, files, golden, measure)


def write_files(
    target: Path,
    manifest: Manifest,
    files: Mapping[str, Path | bytes],
    golden: Golden,
    measure: Measure | None = None,
) -> Bundle:
    """Writes a bundle of files that are there already; see `write_bundle`."""
    contents = {**files, GOLDEN: pack_golden(golden)}
    exact = contents.get("predict.onnx")
    if isinstance(exact, Path):
        contents |= explained(manifest, exact, golden.inputs)
    if measure is not None:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            found = measure(Bundle.write(Path(folder) / "draft", manifest, contents))
        manifest = msgspec.structs.replace(
            manifest, metrics=found.metrics, postprocess=found.postprocess
        )
        contents |= found.files
    contents[CARD] = card(manifest, contents).encode()
    return Bundle.write(target, manifest, contents)
