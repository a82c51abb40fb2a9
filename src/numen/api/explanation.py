"""A bundle's explanation: a bundle inside it, whose model says why the outer one's answers so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import replace as replace_
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec.structs import replace

from numen.api.faithfulness import deletion, rows_of, shuffled, stability
from numen.core.bundle import EXPLANATION, GOLDEN, Bundle, Golden, pack_golden
from numen.core.manifest import AudioInput, Classification, ImageInput, Manifest, Variant
from numen.core.observe import logger
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.explain import TARGET
from numen.explain.faithful import alike
from numen.explain.target import SPEC
from numen.runtime.base import Runtime, open_variant

_LARGEST: Final = 64 << 20  # bytes of a graph; the weights of larger ones would be kept thrice
_log = logger(__name__)


@dataclass(frozen=True)
class _Way:
    """Variants of one way to explain, and their files.

    Attributes:
        variants: The exact one first.
        files: Contents by their paths.
        rows: How many samples are recorded with it: fewer where each takes long.
        unlearnt: The same way of the model with weights in an order of chance, which an explanation
            of what was learnt must not look like.
    """

    variants: tuple[Variant, ...]
    files: dict[str, bytes]
    rows: int | None = None
    unlearnt: Callable[[], _Way | None] | None = None


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
            return _files(manifest, made, graph, samples)
    return {}


def _by_gradient(model: Any, manifest: Manifest, samples: Arrays) -> _Way | None:
    """Integrated gradients, and their slope alone where there is no time for them."""
    made = _gradient(model, manifest, samples)
    return made and replace_(made, unlearnt=lambda: _gradient(shuffled(model), manifest, samples))


def _gradient(model: Any, manifest: Manifest, samples: Arrays) -> _Way | None:
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
    from numen.explain.perturb.head import parted
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
    if any(plan.many for plan in made) and (two := parted(model, samples[source.name])):
        files |= dict(zip(("perturb.head.onnx", "perturb.tail.onnx"), two, strict=True))
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
    if isinstance(manifest.preprocess, ImageInput | AudioInput) or samples.ndim != 2:
        return np.zeros(shape)
    rows = samples.astype(np.float64)
    there = ~np.isnan(rows)
    total = np.where(there, rows, 0).sum(0, keepdims=True)
    return np.asarray(total / np.maximum(there.sum(0, keepdims=True), 1))


def _files(manifest: Manifest, way: _Way, graph: Path, samples: Arrays) -> dict[str, Path | bytes]:
    """The inner bundle's, made by running it once and seeing how far it can be trusted."""
    samples = {name: array[: way.rows] for name, array in samples.items()}
    with tempfile.TemporaryDirectory() as work:
        with _opened(manifest, way, Path(work)) as runtime:
            given, outputs = _run(runtime, samples)
            signature = Signature(
                (*manifest.signature.inputs, *_asked(runtime)),
                tuple(_open(spec) for spec in runtime.signature.outputs),
            )
            metrics = _trust(manifest, way, runtime, graph, given, outputs)
        files: dict[str, Path | bytes] = {**way.files, GOLDEN: pack_golden(Golden(given, outputs))}
        inner = replace(_inner(manifest, way), signature=signature, metrics=metrics)
        bundle = Bundle.write(Path(work) / "bundle", inner, files)
        return {
            f"{EXPLANATION}/{place.name}": place.read_bytes() for place in bundle.path.iterdir()
        }


def _inner(manifest: Manifest, way: _Way) -> Manifest:
    return Manifest(
        signature=manifest.signature,
        variants=way.variants,
        preprocess=manifest.preprocess,
        postprocess=manifest.postprocess,
        batched=manifest.batched,
        framework=manifest.framework,
        family=manifest.family,
    )


@contextmanager
def _opened(manifest: Manifest, way: _Way, work: Path) -> Iterator[Runtime]:
    """The way's first variant, as a bundle opens it."""
    draft = Bundle.write(work / "draft", _inner(manifest, way), dict(way.files))
    runtime = open_variant(draft)
    try:
        yield runtime
    finally:
        runtime.close()


def _asked(runtime: Runtime) -> tuple[TensorSpec, ...]:
    """The input that names a label, where there are several."""
    some = any(spec.name == TARGET for spec in runtime.signature.inputs)
    return (SPEC,) if some else ()


def _run(runtime: Runtime, samples: Arrays) -> tuple[dict[str, Array], dict[str, Array]]:
    """What is asked of samples, and what comes out."""
    rows = len(next(iter(samples.values())))
    given = dict(samples) | {spec.name: np.full(rows, -1) for spec in _asked(runtime)}
    return given, runtime.predict(given)


def _trust(
    manifest: Manifest, way: _Way, runtime: Runtime, graph: Path, given: Arrays, outputs: Arrays
) -> dict[str, float]:
    """How far the explanation can be trusted; see `numen.api.faithfulness`."""
    if len(manifest.signature.inputs) != 1:
        return {}
    (source,) = manifest.signature.inputs
    baseline = _baseline(manifest, given[source.name])
    rows = rows_of(manifest, given, outputs, baseline)
    metrics = deletion(manifest, graph, rows, outputs)
    if rows.tokens is None and way.rows is None:
        metrics["stability"] = stability(runtime, manifest, given, rows)
    if way.unlearnt is not None and (other := way.unlearnt()) is not None:
        with tempfile.TemporaryDirectory() as work, _opened(manifest, other, Path(work)) as blind:
            _, unlearnt = _run(blind, {source.name: given[source.name][: len(rows)]})
        metrics["randomised"] = alike(
            rows.values, rows_of(manifest, given, unlearnt, baseline).values
        )
    return metrics


def _open(spec: TensorSpec) -> TensorSpec:
    """The spec with its rows open, whatever a graph calls them."""
    return TensorSpec(spec.name, spec.dtype, (None, *spec.shape[1:]))
