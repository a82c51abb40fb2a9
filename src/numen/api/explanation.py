"""A bundle's explanation: a bundle inside it, whose model says why the outer one's answers so."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from numen.core.bundle import EXPLANATION, GOLDEN, Bundle, Golden, pack_golden
from numen.core.manifest import Classification, ImageInput, Manifest, Variant
from numen.core.observe import logger
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.runtime.base import make

_LARGEST: Final = 64 << 20  # bytes of a graph; the weights of larger ones would be kept thrice
_log = logger(__name__)


def explained(manifest: Manifest, graph: Path, samples: Arrays) -> dict[str, Path | bytes]:
    """The files of the explanation of an exported graph, by their paths in its bundle.

    Args:
        manifest: What the bundle says.
        graph: The exported file.
        samples: Recorded inputs.

    Returns:
        Nothing for a graph that has no derivative, is of several answers at once, or is large.
    """
    if find_spec("onnx") is None:  # extra `train`; a graph that is published as it is needs none
        return {}
    import onnx

    from numen.explain.graph import INTEGRATED, SALIENCY, Underivable, served, write

    how = manifest.postprocess
    several = isinstance(how, Classification) and how.several
    if several or graph.stat().st_size > _LARGEST or len(manifest.signature.outputs) != 1:
        return {}
    (output,) = manifest.signature.outputs
    try:
        explanation = write(onnx.load(graph), output.name)
        if how is None or (not isinstance(how, Classification) and (output.row or (1,)) != (1,)):
            return {}
        baselines = {name: _baseline(manifest, samples[name]) for name in explanation.inputs}
        graphs = {
            f"{method}.onnx": served(explanation, baselines, method).SerializeToString()
            for method in (INTEGRATED, SALIENCY)
        }
        return _files(manifest, graphs, samples)
    except Underivable as error:
        _log.info("no explanation by gradients: %s", error)
        return {}


def _baseline(manifest: Manifest, samples: Array) -> Array:
    """What an input is compared with: black, silence, or the mean of the recorded rows."""
    if samples.dtype.kind not in "fiu":
        return np.zeros((1, 1))
    shape = (1, *samples.shape[1:])
    tabular = manifest.preprocess is None or not isinstance(manifest.preprocess, ImageInput)
    if not tabular or samples.ndim != 2:
        return np.zeros(shape)
    rows = samples.astype(np.float64)
    there = ~np.isnan(rows)
    total = np.where(there, rows, 0).sum(0, keepdims=True)
    return np.asarray(total / np.maximum(there.sum(0, keepdims=True), 1))


def _files(
    manifest: Manifest, graphs: dict[str, bytes], samples: Arrays
) -> dict[str, Path | bytes]:
    with tempfile.TemporaryDirectory() as work:
        first, *_ = graphs
        path = Path(work) / first
        path.write_bytes(graphs[first])
        runtime = make("onnx")
        runtime.open(path)
        try:
            outputs = runtime.predict(samples)
            signature = Signature(
                manifest.signature.inputs, tuple(_open(spec) for spec in runtime.signature.outputs)
            )
        finally:
            runtime.close()
        inner = Manifest(
            signature=signature,
            variants=tuple(Variant(name.removesuffix(".onnx"), "onnx", name) for name in graphs),
            preprocess=manifest.preprocess,
            postprocess=manifest.postprocess,
            batched=manifest.batched,
            framework=manifest.framework,
            family=manifest.family,
        )
        files: dict[str, Path | bytes] = {
            **graphs,
            GOLDEN: pack_golden(Golden(dict(samples), outputs)),
        }
        bundle = Bundle.write(Path(work) / "bundle", inner, files)
        return {
            f"{EXPLANATION}/{place.name}": place.read_bytes() for place in bundle.path.iterdir()
        }


def _open(spec: TensorSpec) -> TensorSpec:
    """The spec with its rows open, whatever a graph calls them."""
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:]))
