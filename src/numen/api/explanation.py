"""A bundle's explanation: a bundle inside it, whose model says why the outer one's answers so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from numen.core.bundle import EXPLANATION, GOLDEN, Bundle, Golden, pack_golden
from numen.core.manifest import Classification, ImageInput, Manifest, Variant
from numen.core.observe import logger
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.explain import TARGET
from numen.runtime.base import open_variant

_LARGEST: Final = 64 << 20  # bytes of a graph; the weights of larger ones would be kept thrice
_log = logger(__name__)


@dataclass(frozen=True)
class _Way:
    """Variants of one way to explain, and their files.

    Attributes:
        variants: The exact one first.
        files: Contents by their paths.
        rows: How many samples are recorded with it: fewer where each takes long.
    """

    variants: tuple[Variant, ...]
    files: dict[str, bytes]
    rows: int | None = None


def explained(manifest: Manifest, graph: Path, samples: Arrays) -> dict[str, Path | bytes]:
    """The files of the explanation of an exported graph, by their paths in its bundle.

    Args:
        manifest: What the bundle says.
        graph: The exported file.
        samples: Recorded inputs.

    Returns:
        Nothing for a graph of several answers at once, a large one, or one of a kind that cannot be
        explained.
    """
    if find_spec("onnx") is None:  # extra `train`; a graph that is published as it is needs none
        return {}
    import onnx

    how = manifest.postprocess
    several = isinstance(how, Classification) and how.several
    if several or graph.stat().st_size > _LARGEST or len(manifest.signature.outputs) != 1:
        return {}
    (output,) = manifest.signature.outputs
    if not isinstance(how, Classification) and (output.row or (1,)) != (1,):
        return {}
    model = onnx.load(graph)
    for way in _WAYS:
        made = way(model, manifest, samples)
        if made is not None:
            return _files(manifest, made, samples)
    return {}


def _by_gradient(model: Any, manifest: Manifest, samples: Arrays) -> _Way | None:
    """Integrated gradients, and their slope alone where there is no time for them."""
    from numen.explain.graph import INTEGRATED, SALIENCY, Underivable, served, write

    try:
        explanation = write(model, manifest.signature.outputs[0].name)
    except Underivable as error:
        _log.info("no explanation by gradients: %s", error)
        return None
    baselines = {name: _baseline(manifest, samples[name]) for name in explanation.inputs}
    methods = (INTEGRATED, SALIENCY)
    return _Way(
        tuple(Variant(method, "onnx", f"{method}.onnx") for method in methods),
        {
            f"{method}.onnx": served(explanation, baselines, method).SerializeToString()
            for method in methods
        },
    )


def _by_trees(model: Any, manifest: Manifest, samples: Arrays) -> _Way | None:
    """Shapley values, exactly."""
    from numen.explain.trees.reading import Unreadable, read

    try:
        (rows,) = samples.values()
        paths = read(model, rows)
    except (Unreadable, ValueError) as error:
        _log.info("no explanation of trees: %s", error)
        return None
    labels = manifest.signature.outputs[0].shape[-1] or 1
    if len(paths.base) not in ({1, 2} if labels == 2 else {labels}):
        return None
    files = {"tree-shap.npz": paths.pack(), "tree-shap.onnx": model.SerializeToString()}
    return _Way((Variant("tree-shap", "trees", "tree-shap.npz"),), files)


def _by_perturbing(model: Any, manifest: Manifest, samples: Arrays) -> _Way | None:
    """What parts of an input are worth to the answer, and only what is lost without each."""
    from numen.explain.perturb.planning import plans

    (source, *others), (output,) = manifest.signature.inputs, manifest.signature.outputs
    if others or not manifest.batched or output.numpy.kind != "f":
        return None
    known = (
        source.row == (1,) if source.dtype == "string" else source.row and None not in source.row
    )
    if not known:
        return None
    files = {"perturb.onnx": model.SerializeToString()}
    made = plans(manifest.preprocess, samples[source.name], len(files["perturb.onnx"]) // 4)
    files |= {f"perturb.{plan.method}.npz": plan.pack() for plan in made}
    variants = (Variant(p.method, "perturb", f"perturb.{p.method}.npz") for p in made)
    return _Way(tuple(variants), files, rows=2)


_WAYS: Final[tuple[Callable[[Any, Manifest, Arrays], _Way | None], ...]] = (
    _by_gradient,
    _by_trees,
    _by_perturbing,
)


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


def _files(manifest: Manifest, way: _Way, samples: Arrays) -> dict[str, Path | bytes]:
    """The inner bundle's, made by running it once."""
    samples = {name: array[: way.rows] for name, array in samples.items()}
    inner = Manifest(
        signature=manifest.signature,
        variants=way.variants,
        preprocess=manifest.preprocess,
        postprocess=manifest.postprocess,
        batched=manifest.batched,
        framework=manifest.framework,
        family=manifest.family,
    )
    with tempfile.TemporaryDirectory() as work:
        draft = Bundle.write(Path(work) / "draft", inner, dict(way.files))
        runtime = open_variant(draft)
        try:
            asked = any(spec.name == TARGET for spec in runtime.signature.inputs)
            rows = len(next(iter(samples.values())))
            given = dict(samples) | ({TARGET: np.full(rows, -1)} if asked else {})
            outputs = runtime.predict(given)
            more = (TensorSpec(TARGET, "int64", (None,), otherwise=-1),) if asked else ()
            signature = Signature(
                (*manifest.signature.inputs, *more),
                tuple(_open(spec) for spec in runtime.signature.outputs),
            )
        finally:
            runtime.close()
        files: dict[str, Path | bytes] = {**way.files, GOLDEN: pack_golden(Golden(given, outputs))}
        bundle = Bundle.write(Path(work) / "bundle", replace(inner, signature=signature), files)
        return {
            f"{EXPLANATION}/{place.name}": place.read_bytes() for place in bundle.path.iterdir()
        }


def _open(spec: TensorSpec) -> TensorSpec:
    """The spec with its rows open, whatever a graph calls them."""
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:]))
