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
from numen.core.signature import Arrays
from numen.runtime.base import make

# Which runtime opens a file, by its suffix.
_RUNTIMES: Final = {".onnx": "onnx", ".npz": "lookup"}


def with_variants(bundle: Bundle, target: Path, paths: Mapping[str, Path]) -> Bundle:
    """Writes the bundle again with further variants.

    Each is run on the recorded samples; how often it says what the exact one says is kept as its
    `agreement`.

    Args:
        bundle: The model with its exact variant.
        target: The directory to make.
        paths: The variants' files by name.

    Raises:
        NotFound: A file is not there.
        InvalidInput: A file is of no kind known here, or takes or gives other tensors.
    """
    manifest = bundle.manifest
    golden = bundle.golden()
    known = (GOLDEN, CARD)
    files: dict[str, Path | bytes] = {
        file.path: bundle.path / file.path for file in manifest.files if file.path not in known
    }
    added = []
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
        agreement = _agreement(manifest, golden.outputs, said)
        added.append(msgspec.structs.replace(variant, metrics={"agreement": agreement}))
        files[variant.file] = path
    changed = msgspec.structs.replace(manifest, variants=(*manifest.variants, *added), files=())
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_files(target, changed, files, golden)


def _run(
    variant: Variant, path: Path, manifest: Manifest, inputs: Arrays, expected: Arrays
) -> Arrays:
    runtime = make(variant.runtime)
    runtime.open(path)
    try:
        if variant.runtime == "onnx" and runtime.signature.inputs != manifest.signature.inputs:
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


def _agreement(manifest: Manifest, expected: Arrays, said: Arrays) -> float:
    """The share of rows on which both name the same label, or give nearly the same numbers."""
    how = manifest.postprocess
    name = how.output if isinstance(how, Classification) else next(iter(expected))
    left, right = expected[name], said[name]
    left, right = left.reshape(len(left), -1), right.reshape(len(right), -1)
    if left.dtype.kind == "f" and left.shape[1] > 1:
        return float(np.mean(left.argmax(axis=1) == right.argmax(axis=1)))
    if left.dtype.kind == "f":
        return float(np.mean(np.isclose(left, right, rtol=0.05, atol=0.05).all(axis=1)))
    return float(np.mean((left == right).all(axis=1)))
