"""`speech`: sounds as 96 numbers, by Google's speech embedding (Apache-2.0).

A network that learnt to tell 5,000 spoken words apart (Lin et al., Training Keyword Spotters with
Limited and Synthesized Speech Data, 2020). It comes as a graph in a release of the package
`openwakeword`, beside one whose weights make its spectrogram. What stands around it is written
here: a sound as loud as others, with quiet around it, since a vector sums up 775 ms and words
begin earlier; the spectrogram of each row by itself; the mean of the vectors.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper, version_converter
from onnx.utils import Extractor

from numen.core.errors import MissingExtra
from numen.core.signature import Array, TensorSpec
from numen.train.bodies import FEATURES, Body, expected, folder_of
from numen.train.front import joined
from numen.train.words import IR_VERSION, OPSETS, Nodes

NAME: Final = "speech"
PACKAGE: Final = "openwakeword"
# The last release that carries the graphs; without what it names as needed, which nothing uses.
INSTALL: Final = f"pip install --no-deps {PACKAGE}==0.4.0"
RATE: Final = 16_000
_LOUDEST: Final = 20_000.0  # of 16 bits, which is how it heard sounds
_SILENCE: Final = 1e-4
_QUIET: Final = 6_400  # samples before and after: a recording of any length gives a vector
_STEP: Final = 160
_FAINTEST: Final = 1e-10
_DECIBEL: Final = 10 / math.log(10)
_DEPTH: Final = 80.0  # decibels below a recording's loudest that are told apart


def body() -> Body:
    """The plug-in `speech` of the seam `numen.bodies`; see `numen.train.bodies.load`."""
    folder = folder_of(NAME, PACKAGE, "openwakeword", INSTALL) / "resources" / "models"
    spectrogram, network = folder / "melspectrogram.onnx", folder / "embedding_model.onnx"
    for path in (spectrogram, network):
        if not path.is_file():
            raise MissingExtra(
                f'body "{NAME}": this release of {PACKAGE} has no {path.name}', hint=INSTALL,
                field="body",
            )  # fmt: skip
    try:
        waves, bands = _weights(spectrogram)
        layers = _layers(network)
        first, last = layers.graph.input[0].name, layers.graph.output[0].name
        made = joined(_before(waves, bands, first), layers, first, "spectrogram/")
        return Body(joined(made, _mean(last), last, "speech/"), "Apache-2.0", rate=RATE)
    except Exception as error:  # whatever the library makes of a stranger's file
        raise expected(NAME, network, error) from error


def _weights(path: Path) -> tuple[Array, Array]:
    """Cosines and sines under a window `[waves, 1, samples]`, and the bands they go into."""
    held = {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
    real, imaginary = (held[f"0.stft.conv_{part}.weight"] for part in ("real", "imag"))
    bands = held["1.melW"]
    return np.concatenate([real, imaginary]), np.concatenate([bands, bands]).T[:, :, None]


def _layers(path: Path) -> onnx.ModelProto:
    """From the first convolution to the last, for sounds of any length."""
    model = onnx.load(path)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    ends = convolutions[0].input[0], convolutions[-1].output[0]
    del model.graph.value_info[:]
    kind, float_ = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    model.graph.value_info.extend([
        kind(ends[0], float_, ["batch", 1, None, 34]), kind(ends[1], float_, None),
    ])  # fmt: skip
    found = version_converter.convert_version(
        Extractor(model).extract_model([ends[0]], [ends[1]]), OPSETS[""]
    )
    found.ir_version = IR_VERSION
    return found


def _before(waves: Array, bands: Array, name: str) -> onnx.ModelProto:
    """The spectrogram, `float32[n, 1, frames, bands + 2]`: 2 and a tenth of the decibels."""
    nodes = Nodes()
    loudest = nodes.add("ReduceMax", nodes.add("Abs", "sound"), axes=[1], keepdims=1)
    heard = nodes.add("Max", loudest, nodes.constant(_SILENCE, "float32"))
    factor = nodes.add("Div", nodes.constant(_LOUDEST, "float32"), heard)
    level = nodes.add("Mul", "sound", factor)
    x = nodes.add("Pad", level, nodes.constant([0, _QUIET, 0, _QUIET]))
    x = nodes.add("Reshape", x, nodes.constant([0, 1, -1]))
    x = nodes.add("Conv", x, nodes.constant(waves, "float32"), strides=[_STEP])
    x = nodes.add("Conv", nodes.add("Mul", x, x), nodes.constant(bands, "float32"))
    x = nodes.add("Log", nodes.add("Max", x, nodes.constant(_FAINTEST, "float32")))
    x = nodes.add("Mul", x, nodes.constant(_DECIBEL, "float32"))
    most = nodes.add("ReduceMax", x, axes=[1, 2], keepdims=1)
    x = nodes.add("Max", x, nodes.add("Sub", most, nodes.constant(_DEPTH, "float32")))
    x = nodes.add("Mul", x, nodes.constant(0.1, "float32"))
    x = nodes.add("Add", x, nodes.constant(2, "float32"))
    x = nodes.add("Unsqueeze", nodes.add("Transpose", x, perm=[0, 2, 1]), nodes.constant([1]))
    x = nodes.add("Pad", x, nodes.constant([0, 0, 0, 1, 0, 0, 0, 1]))
    nodes.nodes[-1].output[0] = name
    bands_ = len(bands) + 2
    return nodes.model(
        TensorSpec("sound", "float32", (None, None)),
        TensorSpec(name, "float32", (None, 1, None, bands_)),
    )


def _mean(name: str) -> onnx.ModelProto:
    nodes = Nodes()
    nodes.nodes.append(
        onnx.helper.make_node("ReduceMean", [name], [FEATURES], axes=[2, 3], keepdims=0)
    )
    given = TensorSpec(name, "float32", (None, None, None, None))
    return nodes.model(given, TensorSpec(FEATURES, "float32", (None, None)))
