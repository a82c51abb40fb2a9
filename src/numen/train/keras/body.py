"""Networks trained before, used as they are: training rows go through them once, a head is learnt.

A body is one that comes in a package (`numen.train.bodies`), an ONNX file, a `.keras` file or the
bundle of a published model. Its own head is left out: what it gives is what its last dense layer
would have been given.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import onnx
from onnx import helper, version_converter
from onnx.utils import Extractor

from numen.core.bundle import Bundle
from numen.core.errors import ExportFailed, InvalidInput, NotFound
from numen.core.manifest import AudioInput, ImageInput
from numen.core.signature import TensorSpec, format_shape
from numen.data.dataset import Dataset
from numen.train import bodies
from numen.train.bodies import FEATURES
from numen.train.front import ALIKE, Front, joined
from numen.train.keras.backend import load_keras
from numen.train.keras.ends import head
from numen.train.keras.export import KerasExporter, read_file
from numen.train.keras.graph import IR_VERSION, Graph
from numen.train.keras.passed import encoder
from numen.train.recipe import Recipe, params_of
from numen.train.shapes import inferred
from numen.train.sound import at_rate

_MEASURED: Final = 4096  # rows by which features are brought to one size
# What stands between a network's last dense layer and its output.
_AFTER: Final = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "Identity", "Cast"})
# ITU-R BT.601: how bright a colour is.
_LUMA: Final = (0.299, 0.587, 0.114)


class TransferParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is learnt behind a body, and what the body takes pixels for.

    Attributes:
        units: Units of one hidden layer; 0 has none.
        dropout: Part of the features that is left out at each step.
        scale: Factor on pixels of 0-255, unless the body is numen's own and says it.
        mean: Taken off each channel after scaling.
        std: What each channel is divided by after that.
    """

    units: Annotated[int, msgspec.Meta(ge=0)] = 0
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.2
    scale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def front(data: Dataset, recipe: Recipe) -> Front:
    """The body that the recipe names, as what rows go through before the head.

    Raises:
        InvalidInput: There is none, it is no network, or it does not take such rows.
    """
    params = params_of(recipe, TransferParams)
    if not recipe.body:
        raise InvalidInput(
            'body: family "transfer" needs a network trained before',
            hint=f"--set body=…: {', '.join(bodies.names())}, a published model, "
            "an .onnx or a .keras file",
            field="body",
        )
    how: ImageInput | None = None
    licence, rate = "", 0
    if recipe.body in bodies.names():
        known = bodies.load(recipe.body)
        body, licence, rate = known.graph, known.licence, known.rate
        params = msgspec.structs.replace(
            params, mean=params.mean or known.mean, std=params.std or known.std
        )
    else:
        model, how = _load(Path(recipe.body))
        body = _without_head(model)
    given = _spec(body)
    if isinstance(data.preprocess, ImageInput) and given.dtype != "string":
        body = joined(_pictures(data.preprocess, given, params, how), body, given.name, "pixels/")
    elif isinstance(data.preprocess, AudioInput) and rate:
        heard = at_rate(data.spec, data.preprocess.rate, rate)
        body = joined(heard, body, given.name, "heard/")
    elif given.shape != data.spec.shape or given.dtype != data.spec.dtype:
        raise InvalidInput(f"body: it takes {given}, the data give {data.spec}", field="body")
    elif given.name != data.spec.name:
        body = joined(_as_it_is(data.spec), body, given.name, "rows/")
    encode = encoder(body, data.spec.name)
    (sample,) = next(iter(data.train.batches(1))).inputs.values()
    spec = TensorSpec(FEATURES, "float32", (None, int(encode(sample).shape[1])))
    return Front(spec, encode, body, licence=licence)


def build(keras: Any, data: Dataset, recipe: Recipe, before: Front) -> Any:
    """The head: features of one size, left out at random, and what the target asks for."""
    params = params_of(recipe, TransferParams)
    given = keras.Input(before.spec.row, name=before.spec.name)
    # Measured, not followed while it trains: few rows make few steps.
    (some,) = next(iter(data.train.batches(_MEASURED, seed=recipe.seed))).inputs.values()
    features = before.encode(some).astype("float64")
    x = keras.layers.Normalization(
        mean=features.mean(0), variance=features.var(0) + 1e-6, dtype="float32"
    )(given)
    x = keras.layers.Dropout(params.dropout)(x)
    if params.units:
        x = keras.layers.Dense(params.units, activation="relu")(x)
        x = keras.layers.Dropout(params.dropout)(x)
    return keras.Model(given, head(keras, data, x), name="transfer")


def _load(path: Path) -> tuple[onnx.ModelProto, ImageInput | None]:
    """The network at an opset like numen's, and what a bundle says of its pictures."""
    how = None
    if (path / "manifest.json").is_file():
        bundle = Bundle.open(path)
        if isinstance(bundle.manifest.preprocess, ImageInput):
            how = bundle.manifest.preprocess
        path = path / bundle.manifest.variants[0].file
    if not path.is_file():
        raise NotFound(f"body: there is no file {path}", field="body")
    try:
        model = _from_keras(path) if path.suffix == ".keras" else onnx.load(path)
        onnx.checker.check_model(model)
        said = (o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        if any(version not in ALIKE for version in said):
            model = version_converter.convert_version(model, ALIKE[-1])
        model.ir_version = IR_VERSION
        return inferred(model), how
    except (ExportFailed, InvalidInput):
        raise
    except Exception as error:  # whatever the libraries make of a stranger's file
        raise InvalidInput(f"body: {path.name} is no network: {error}", field="body") from error


def _from_keras(path: Path) -> onnx.ModelProto:
    model = read_file(path)
    keras = load_keras()
    (given, *more) = keras.tree.flatten(model.inputs)
    if more or None in given.shape[1:]:
        raise InvalidInput(f"body: expected one input of known size in {path.name}", field="body")
    trained = KerasExporter().wrap(model, np.zeros((1, *given.shape[1:]), given.dtype))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "body.onnx"
        trained.export(target)
        return onnx.load(target)


def _without_head(model: onnx.ModelProto) -> onnx.ModelProto:
    """The network up to what its last dense layer is given, as one vector a row."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise InvalidInput(
            f"body: expected one input and one output, found {len(inputs)} and {len(graph.output)}",
            field="body",
        )
    makers = {name: node for node in graph.node for name in node.output}
    name = graph.output[0].name
    while (node := makers.get(name)) is not None and node.op_type in _AFTER:
        name = node.input[0]
    if node is not None and node.op_type == "Add":
        parts = [each for each in node.input if each in makers]
        node = makers[parts[0]] if len(parts) == 1 else None
    if node is not None and node.op_type in ("Gemm", "MatMul") and node.input[1] in constants:
        name = node.input[0]
    if name == inputs[0]:
        raise InvalidInput("body: it is one dense layer, so there is no body", field="body")
    body = Extractor(model).extract_model([inputs[0]], [name])
    return _as_vectors(body, name)


def _as_vectors(body: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Maps of features become their means; the output is called `FEATURES`."""
    rank = len(body.graph.output[0].type.tensor_type.shape.dim)
    if rank == 2:
        last = helper.make_node("Identity", [name], [FEATURES])
    elif rank > 2:
        body.graph.node.append(helper.make_node("GlobalAveragePool", [name], ["body/means"]))
        last = helper.make_node("Flatten", ["body/means"], [FEATURES], axis=1)
    else:
        raise InvalidInput(f"body: what it gives has {rank} axes, not two or more", field="body")
    body.graph.node.append(last)
    del body.graph.output[:]
    body.graph.output.append(
        helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, ["batch", None])
    )
    return body


def _spec(body: onnx.ModelProto) -> TensorSpec:
    constants = {tensor.name for tensor in body.graph.initializer}
    (value,) = (value for value in body.graph.input if value.name not in constants)
    kind = value.type.tensor_type
    sizes = tuple(dim.dim_value or None for dim in kind.shape.dim)
    text = kind.elem_type == onnx.TensorProto.STRING
    dtype = "string" if text else helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    return TensorSpec(value.name, dtype, (None, *sizes[1:]))


def _as_it_is(spec: TensorSpec) -> onnx.ModelProto:
    g = Graph()
    g.nodes.append(helper.make_node("Identity", [spec.name], ["rows"]))
    return g.model([spec], [TensorSpec("rows", spec.dtype, spec.shape)])


def _pictures(
    have: ImageInput, given: TensorSpec, params: TransferParams, how: ImageInput | None
) -> onnx.ModelProto:
    """From the data's pixels to the body's: size, channels, layout, scale."""
    layout, height, width, channels = _layout(given, have)
    g = Graph()
    shape = [0, 1, have.height, have.width]
    if have.channels == 1:
        x = g.add("Reshape", have.input, g.constant(shape, "int64"))
    else:
        x = g.add("Transpose", have.input, perm=[0, 3, 1, 2])
    if (have.channels, channels) == (1, 3):
        x = g.add("Concat", x, x, x, axis=1)
    elif (have.channels, channels) == (3, 1):
        x = g.add("Conv", x, g.constant(np.reshape(_LUMA, (1, 3, 1, 1))))
    if (have.height, have.width) != (height, width):
        scales = [1, 1, height / have.height, width / have.width]
        x = g.add("Resize", x, "", g.constant(scales), mode="linear",
                  coordinate_transformation_mode="half_pixel")  # fmt: skip
    x = g.add("Mul", x, g.constant(params.scale if how is None else how.scale))
    if how is not None and how.offset:
        x = g.add("Add", x, g.constant(how.offset))
    for op, values in (("Sub", params.mean), ("Div", params.std)):
        if values:
            if len(values) not in (1, channels):
                raise InvalidInput(
                    f"params: expected {channels} values, one a channel, received {len(values)}",
                    field="mean" if op == "Sub" else "std",
                )
            x = g.add(op, x, g.constant(np.reshape(values, (1, -1, 1, 1))))
    if layout == "hwc":
        x = g.add("Transpose", x, perm=[0, 2, 3, 1])
    elif layout == "hw":
        x = g.add("Reshape", x, g.constant([0, height, width], "int64"))
    g.nodes.append(helper.make_node("Identity", [x], ["pixels"]))
    made = TensorSpec("pixels", "float32", (None, *given.row))
    return g.model([TensorSpec(have.input, "float32", (None, *have.shape))], [made])


def _layout(given: TensorSpec, have: ImageInput) -> tuple[str, int, int, int]:
    """How a body lays out its pictures: layout, height, width and channels."""
    row = given.row
    if len(row) == 2:
        return "hw", row[0] or have.height, row[1] or have.width, 1
    if len(row) == 3 and row[0] in (1, 3):
        return "chw", row[1] or have.height, row[2] or have.width, row[0]
    if len(row) == 3 and row[2] in (1, 3):
        return "hwc", row[0] or have.height, row[1] or have.width, row[2]
    raise InvalidInput(
        f"body: expected a network that takes pictures, it takes {format_shape(given.shape)}",
        field="body",
    )
