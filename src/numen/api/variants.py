"""Faster ways for a model to answer, added to its bundle and held against the exact one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from numen.api.package import write_files
from numen.core.bundle import CARD, GOLDEN, Bundle
from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import Classification, Manifest, Variant
from numen.core.signature import Array, Arrays, Signature
from numen.runtime.base import make

# Which runtime opens a file, by its suffix.
_RUNTIMES: Final = {".onnx": "onnx", ".npz": "lookup"}


def with_variants(
    bundle: Bundle,
    target: Path,
    paths: Mapping[str, Path],
    metrics: Mapping[str, Mapping[str, float]] | None = None,
) -> Bundle:
    """Writes the bundle again with further variants.

    Each is run on the recorded samples; how often it says what the exact one says is kept as its
    `agreement`, unless that was measured of more rows.

    Args:
        bundle: The model with its exact variant.
        target: The directory to make.
        paths: The variants' files by name.
        metrics: What was measured, by variant; those the bundle has already may be among them.

    Raises:
        NotFound: A file is not there.
        InvalidInput: A file is of no kind known here, or takes or gives other tensors.
    """
    manifest, measured = bundle.manifest, metrics or {}
    golden = bundle.golden()
    files = contents(bundle)
    variants = [
        msgspec.structs.replace(known, metrics={**known.metrics, **measured.get(known.name, {})})
        for known in manifest.variants
    ]
    for name, path in paths.items():
        if not path.is_file():
            raise NotFound(f"variant {name}: there is no {path}")
        if path.suffix not in _RUNTIMES or any(name == v.name for v in manifest.variants):
            raise InvalidInput(
                f"variant {name}: expected another name than the exact one's and a file of "
                f"{', '.join(_RUNTIMES)}, received {path.name}",
                field="variant",
            )
        variant = Variant(name, _RUNTIMES[path.suffix], f"predict.{name}{path.suffix}")
        said = _run(variant, path, manifest, golden.inputs, golden.outputs)
        found = {"agreement": _agreement(manifest, golden.outputs, said), **measured.get(name, {})}
        variants.append(msgspec.structs.replace(variant, metrics=found))
        files[variant.file] = path
    changed = msgspec.structs.replace(manifest, variants=tuple(variants), files=())
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_files(target, changed, files, golden)


def contents(bundle: Bundle) -> dict[str, Path | bytes]:
    """The bundle's files by path, without what is written anew with every bundle."""
    return {
        file.path: bundle.path / file.path
        for file in bundle.manifest.files
        if file.path not in (GOLDEN, CARD)
    }


def _run(
    variant: Variant, path: Path, manifest: Manifest, inputs: Arrays, expected: Arrays
) -> Arrays:
    runtime = make(variant.runtime)
    runtime.open(path)
    try:
        ends = [_form(signature) for signature in (runtime.signature, manifest.signature)]
        if variant.runtime == "onnx" and ends[0] != ends[1]:
            takes = ", ".join(f"{spec.name} {spec}" for spec in runtime.signature.inputs)
            exact = ", ".join(f"{spec.name} {spec}" for spec in manifest.signature.inputs)
            raise InvalidInput(
                f"variant {variant.name}: expected inputs {exact}, received {takes}",
                field="variant",
            )
        said = runtime.predict(inputs)
    finally:
        runtime.close()
    for name, array in expected.items():
        have = said.get(name)
        if have is None or (have.shape, have.dtype) != (array.shape, array.dtype):
            raise InvalidInput(
                f"variant {variant.name}: expected output {name} {array.dtype}"
                f"{list(array.shape)}, received "
                f"{'none' if have is None else f'{have.dtype}{list(have.shape)}'}",
                field="variant",
            )
    return said


def _form(signature: Signature) -> list[tuple[str, str, tuple[int | None, ...]]]:
    """What goes in, but for whether it may be missing, of which a graph says nothing."""
    return [(spec.name, spec.dtype, spec.shape) for spec in signature.inputs]


def _agreement(manifest: Manifest, expected: Arrays, said: Arrays) -> float:
    how = manifest.postprocess
    name = how.output if isinstance(how, Classification) else next(iter(expected))
    left, right = expected[name], said[name]
    scores = left.dtype.kind == "f" and left.reshape(len(left), -1).shape[1] > 1
    return float(np.mean(same_rows(left, right, scores)))


def same_rows(left: Array, right: Array, scores: bool) -> Array:
    """Of each row whether two outputs name the same label, or give nearly the same numbers.

    Args:
        left: `[rows, …]`.
        right: Of the same form.
        scores: They are one score a label.
    """
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    if scores:
        return np.asarray(left.argmax(axis=1) == right.argmax(axis=1))
    if left.dtype.kind == "f":
        return np.asarray(np.isclose(left, right, rtol=0.05, atol=0.05).all(axis=1))
    return np.asarray((left == right).all(axis=1))
