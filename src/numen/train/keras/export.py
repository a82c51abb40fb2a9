"""A Keras model as a Trained: predicting and writing itself as ONNX, numen's own or a user's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx

from numen.core.errors import ExportFailed, InvalidInput
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.train.base import Trained
from numen.train.front import Front
from numen.train.keras.backend import describe, load_keras
from numen.train.keras.objective import takes_logits
from numen.train.keras.onnx import convert
from numen.train.keras.pairs import BINARY, ending, loss_name

_CHUNK: Final = 512  # rows predicted at once
# Names Keras makes up when nobody gave one.
_MADE_UP: Final = re.compile(r"keras_tensor.*|input_layer.*|input(_\d+)?|.*_input|args_\d+")
_MADE_UP_OUTPUT: Final = re.compile(
    r"keras_tensor.*|(dense|activation|softmax|flatten|functional|sequential|dropout|reshape"
    r"|rescaling|add|concatenate|(global_)?(max|average)_pooling\dd|conv\dd)(_\d+)?"
)


def read_file(path: Path) -> Any:
    """The model in a `.keras` file; the plug-in `keras` of the seam `numen.readers`.

    Raises:
        InvalidInput: The file holds no model, or one that would run code when it is read.
    """
    keras = load_keras()
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # whatever a stranger's file makes Keras raise
        raise InvalidInput(
            f"publish: {path.name} cannot be read: {error}", field="model"
        ) from error


class KerasExporter:
    """The plug-in `keras` of the seam `numen.exporters`."""

    def matches(self, model: Any) -> bool:
        """Whether the object is a Keras 3 model, told without importing Keras."""
        kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__]
        return "keras.src.models.model.Model" in kinds

    def wrap(self, model: Any, sample: Array) -> Trained:
        """The user's model as a Trained.

        Args:
            model: A Keras model with one input and one output, built or not.
            sample: A few inputs, `[rows, …]`, of any numeric type.

        Raises:
            ExportFailed: It has several inputs or outputs, or does not take the sample.
        """
        keras = load_keras()
        sample = np.asarray(sample)
        try:
            if not model.built or not getattr(model, "inputs", None):
                model(sample[:1].astype(_floating(sample)))
            given = keras.tree.flatten(getattr(model, "inputs", None) or [])
            dtype = str(given[0].dtype) if given else _floating(sample)
            made = model(sample[:1].astype(dtype), training=False)
        except Exception as error:  # the user's model: anything may be wrong with it
            raise ExportFailed(
                f"export: the model does not take the sample {sample.dtype}{list(sample.shape)}: "
                f"{error}",
                hint="give a sample of what the model was trained on",
            ) from error
        outputs = keras.tree.flatten(made)
        if len(given) > 1 or len(outputs) != 1:
            raise ExportFailed(
                "export: expected a model with one input and one output, "
                f"received {len(given)} and {len(outputs)}",
                hint="publish a keras.Model of the input and the output to serve",
            )
        shape = tuple(given[0].shape) if given else (None, *sample.shape[1:])
        source = TensorSpec(_input_name(model, given), dtype, (None, *shape[1:]))
        sizes = (None, *tuple(outputs[0].shape)[1:])
        target = TensorSpec(_output_name(model), "float32", sizes)
        family = getattr(model, "name", "") or type(model).__name__
        signature = Signature((source,), (target,))
        return as_trained(keras, model, signature, family, _reading(keras, model, target))


def as_trained(
    keras: Any,
    model: Any,
    signature: Signature,
    family: str,
    postprocess: Classification | Regression | None,
    front: Front | None = None,
) -> Trained:
    """A Keras model with one input and one output, named as the signature says.

    With a front, the signature is that of both together.
    """
    (source,), (target,) = signature.inputs, signature.outputs

    def predict(arrays: Arrays) -> dict[str, Array]:
        x = arrays[source.name] if front is None else front.encode(arrays[source.name])
        parts = [
            np.asarray(model.predict_on_batch(x[at : at + _CHUNK]), "float32")
            for at in range(0, len(x), _CHUNK)
        ]
        return {target.name: np.concatenate(parts)}

    def export(path: Path) -> None:
        if front is None:
            made = convert(keras, model, signature)
        else:
            made = front.before(convert(keras, model, Signature((front.spec,), (target,))))
        onnx.save_model(made, path)

    licence = "" if front is None else front.licence
    return Trained(
        signature, predict, export, describe(keras), family, postprocess, licence=licence
    )


def _floating(sample: Array) -> str:
    """The type a model without a declared input gets its sample in."""
    return "float32" if sample.dtype.kind == "f" else str(sample.dtype)


def _input_name(model: Any, given: list[Any]) -> str:
    names = getattr(model, "input_names", None) or [x.name for x in given]
    name = str(names[0]) if names else ""
    return "input" if not name or _MADE_UP.fullmatch(name) else name


def _output_name(model: Any) -> str:
    inner = getattr(model, "_functional", None) or model  # Sequential keeps its graph inside
    names = getattr(inner, "output_names", None)
    name = str(names[0]) if names else ""
    return "output" if not name or _MADE_UP_OUTPUT.fullmatch(name) else name


def _reading(keras: Any, model: Any, target: TensorSpec) -> Classification | None:
    """Scores of labels where the model's loss or its last layer says so, else nothing.

    Independent ones where each has a sigmoid of its own.
    """
    if len(target.shape) != 2 or not isinstance(target.shape[1], int) or target.shape[1] < 2:
        return None
    labels = tuple(map(str, range(target.shape[1])))
    if takes_logits(model):
        several = loss_name(model.loss) in BINARY
        activation: Literal["sigmoid", "softmax"] = "sigmoid" if several else "softmax"
        return Classification(target.name, labels, activation, several)
    head = ending(keras, model)
    if head not in ("softmax", "sigmoid"):
        return None
    return Classification(target.name, labels, several=head == "sigmoid")
