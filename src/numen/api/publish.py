"""A model made elsewhere becomes a published one: an object, a file, or a numen Model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from numen.api.model import Model
from numen.api.package import GOLDEN_ROWS, Facts, rows_are_free, write_bundle, write_files
from numen.api.variants import with_variants
from numen.api.workspace import registry, settings
from numen.core import plugins
from numen.core.bundle import Bundle, Golden
from numen.core.errors import InvalidInput, NotFound
from numen.core.manifest import Classification, ImageInput, Manifest, TextInput, Variant
from numen.core.reference import check_name
from numen.core.signature import Array, Signature, TensorSpec
from numen.registry import bundle_folder
from numen.runtime.base import make
from numen.train.base import Trained
from numen.train.find import exporter_for


def publish(
    model: Any,
    name: str,
    *,
    sample: Any = None,
    labels: Sequence[str] | None = None,
    pixel_scale: float | None = None,
    alias: str | None = None,
    licence: str = "",
    variants: Mapping[str, str | Path] | None = None,
) -> Model:
    """Publishes a model as the next version of `name`.

    Args:
        model: A Keras, torch, scikit-learn or LightGBM object; a numen Model; the path of an
            ONNX or `.keras` file, or of a bundle.
        name: The model's name.
        sample: A few inputs `[rows, …]`; recorded, and used to check the export.
        labels: What the output's columns stand for; `0`, `1`, … by default.
        pixel_scale: What a pixel of 0-255 is multiplied by before the model; told from the
            sample where it is not given (1/255 when the sample lies in 0-1).
        alias: Moved to the new version; a model's first version becomes `champion` anyway.
        licence: SPDX name of the model's licence.
        variants: Faster ways to answer, for when time is short: the path of an ONNX file, or of
            an `.npz` table (see `numen.runtime.lookup`), by name, such as `int8`.

    Returns:
        The published model.

    Raises:
        InvalidInput: The object is of no framework known here, or needs a sample.
        ExportFailed: It cannot be exported, or the exported graph differs from the model.
    """
    check_name(name)
    bundle = _bundle(model, sample, labels, pixel_scale, licence)
    if variants:
        paths = {variant: Path(path) for variant, path in variants.items()}
        bundle = with_variants(bundle, bundle_folder(settings()), paths)
    return Model(bundle, registry().publish(name, bundle, alias))


def _bundle(
    model: Any,
    sample: Any,
    labels: Sequence[str] | None,
    pixel_scale: float | None,
    licence: str,
) -> Bundle:
    if isinstance(model, Model):
        return model.bundle
    if isinstance(model, str | Path):
        path = Path(model)
        if not path.exists():
            raise NotFound(f"publish: there is no {path}")
        if (path / "manifest.json").is_file():
            return Bundle.open(path)
        if path.suffix == ".onnx":
            return _from_onnx(path, sample, labels, pixel_scale, licence)
        model = _read(path)
    trained = _wrap(model, sample)
    array = np.asarray(sample)[:GOLDEN_ROWS]
    (spec,) = trained.signature.inputs
    if array.dtype.kind in "OU" and array.ndim == 1:
        array = array[:, None]
    facts = Facts(
        preprocess=_text(spec) or _picture(spec, array, pixel_scale),
        postprocess=_relabel(trained.postprocess, labels, trained.signature),
        licence=licence,
    )
    samples = {spec.name: array.astype(spec.numpy)}
    return write_bundle(bundle_folder(settings()), trained, samples, facts)


def _wrap(model: Any, sample: Any) -> Trained:
    if sample is None:
        raise InvalidInput(
            "publish: a sample is needed to record and to check the export",
            hint="publish(model, name, sample=x[:32])",
            field="sample",
        )
    array = np.asarray(sample)
    if array.dtype == object or array.ndim < 1 or not len(array):
        raise InvalidInput(
            "sample: expected a regular array of a few rows, "
            f"received {type(sample).__name__} of shape {list(array.shape)}",
            field="sample",
        )
    return exporter_for(model).wrap(model, array[:GOLDEN_ROWS])


def _read(path: Path) -> Any:
    suffix = path.suffix.removeprefix(".")
    known = plugins.names("numen.readers")
    if suffix not in known:
        kinds = ", ".join(f".{name}" for name in sorted(["onnx", *known]))
        raise InvalidInput(
            f"publish: expected a bundle or one of {kinds}, received {path.name}", field="model"
        )
    return plugins.load("numen.readers", suffix)(path)


def _from_onnx(
    path: Path,
    sample: Any,
    labels: Sequence[str] | None,
    pixel_scale: float | None,
    licence: str,
) -> Bundle:
    runtime = make("onnx")
    runtime.open(path)
    try:
        signature = runtime.signature
        inputs = _samples(signature, sample)
        signature.check(inputs)
        outputs = runtime.predict(inputs)
        first = signature.inputs[0]
        manifest = Manifest(
            signature=signature,
            variants=(Variant("fp32", "onnx", "predict.onnx"),),
            preprocess=_text(first) or _picture(first, inputs[first.name], pixel_scale)
            if len(signature.inputs) == 1 and sample is not None
            else None,
            postprocess=_relabel(None, labels, signature) if labels else None,
            batched=rows_are_free(runtime, inputs, outputs),
            framework="onnx",
            family=path.stem,
            licence=licence,
        )
    finally:
        runtime.close()
    target = bundle_folder(settings())
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_files(target, manifest, {"predict.onnx": path}, Golden(inputs, outputs))


def _samples(signature: Signature, sample: Any) -> dict[str, Array]:
    """The given sample by input name, or numbers made up where every size is known."""
    if sample is not None:
        if isinstance(sample, dict):
            return {s.name: np.asarray(sample[s.name], s.numpy) for s in signature.inputs}
        return {s.name: np.asarray(sample, s.numpy)[:GOLDEN_ROWS] for s in signature.inputs[:1]}
    made = {}
    source = np.random.default_rng(0)
    for spec in signature.inputs:
        if None in spec.row or spec.dtype == "string":
            raise InvalidInput(
                f'input "{spec.name}" is {spec}: a sample is needed',
                hint="--sample samples.npy",
                field="sample",
            )
        rows = spec.shape[0] or 4 if spec.shape else 1
        shape = (rows, *(size or 1 for size in spec.row)) if spec.shape else ()
        whole = spec.numpy.kind in "iub"
        values = np.zeros(shape) if whole else source.standard_normal(shape)
        made[spec.name] = values.astype(spec.numpy)
    return made


def _text(spec: TensorSpec) -> TextInput | None:
    """Whether this input is a text a row."""
    return TextInput(spec.name) if spec.dtype == "string" and spec.row == (1,) else None


def _picture(spec: TensorSpec, sample: Array, scale: float | None) -> ImageInput | None:
    """How a picture becomes this input, where its shape is a picture's."""
    row = spec.row
    if spec.numpy.kind not in "fu" or None in row:
        return None
    sizes = [size or 0 for size in row]
    shapes = {
        2: ("hw", sizes, 1),
        3: ("chw", sizes[1:], sizes[0]) if sizes[0] in (1, 3) else ("hwc", sizes[:2], sizes[-1]),
    }
    layout, (height, width), channels = shapes.get(len(sizes), ("", (0, 0), 0))
    if not layout or channels not in (1, 3) or min(height, width) < 8:
        return None
    if scale is None:
        low, high = float(sample.min()), float(sample.max())
        scale = 1 / 255 if low >= 0.0 and high <= 1.0 else 1.0
    return ImageInput(spec.name, height, width, cast(Any, channels), cast(Any, layout), scale=scale)


def _relabel(known: Any, labels: Sequence[str] | None, signature: Signature) -> Any:
    if labels is None:
        return known
    output = signature.outputs[0]
    width = output.shape[-1]
    if width not in (len(labels), 1, None):
        raise InvalidInput(
            f"labels: expected {width} for {output.name}, received {len(labels)}", field="labels"
        )
    named = tuple(str(label) for label in labels)
    if isinstance(known, Classification):
        return Classification(output.name, named, known.activation, known.several)
    return Classification(output.name, named)
