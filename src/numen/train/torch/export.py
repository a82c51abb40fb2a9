"""A torch module as ONNX, numen's own or a user's.

By torch's TorchScript exporter, which needs nothing beside torch; where a module is beyond it and
onnxscript is installed, by the one that captures the graph.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from numen.core.errors import ExportFailed, MissingExtra
from numen.core.manifest import Classification, Regression
from numen.core.signature import Array, Arrays, Signature, TensorSpec
from numen.train.base import Trained

OPSET: Final = 15
_CHUNK: Final = 1024  # rows predicted at once
_KIND: Final = "torch.nn.modules.module.Module"


def load_torch() -> Any:
    """The module torch.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MissingExtra.of('trainer "torch"', "torch") from error
    return torch


class TorchExporter:
    """The plug-in `torch` of the seam `numen.exporters`."""

    def matches(self, model: Any) -> bool:
        """Whether the object is a torch module, told without importing torch."""
        return _KIND in [f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__]

    def wrap(self, model: Any, sample: Array) -> Trained:
        """The user's module as a Trained.

        Args:
            model: A module of one input and one output, rows first.
            sample: A few inputs, `[rows, …]`, of any numeric type.

        Raises:
            ExportFailed: It does not take the sample, or has several outputs.
        """
        torch = load_torch()
        sample = np.asarray(sample)
        dtype = "float32" if sample.dtype.kind == "f" else str(sample.dtype)
        try:
            with evaluating(torch, model):
                made = model(torch.from_numpy(np.ascontiguousarray(sample[:2].astype(dtype))))
        except Exception as error:  # the user's model: anything may be wrong with it
            raise ExportFailed(
                f"export: the module does not take the sample {sample.dtype}{list(sample.shape)}: "
                f"{error}",
                hint="give a sample of what the module was trained on",
            ) from error
        if not isinstance(made, torch.Tensor):
            raise ExportFailed(
                f"export: expected a module of one output, received {type(made).__name__}",
                hint="publish a module that returns the tensor to serve",
            )
        if not made.ndim or len(made) != min(2, len(sample)):
            raise ExportFailed(
                f"export: expected an output of {min(2, len(sample))} rows, "
                f"received {list(made.shape)}"
            )
        source = TensorSpec("input", dtype, (None, *sample.shape[1:]))
        target = TensorSpec("output", str(made.numpy().dtype), (None, *made.shape[1:]))
        family = type(model).__name__
        return as_trained(
            torch, model, Signature((source,), (target,)), family, _reading(model, target)
        )


def as_trained(
    torch: Any,
    model: Any,
    signature: Signature,
    family: str,
    postprocess: Classification | Regression | None,
) -> Trained:
    """A torch module with one input and one output, to be named as the signature says."""
    (source,), (target,) = signature.inputs, signature.outputs

    def predict(arrays: Arrays) -> dict[str, Array]:
        x = np.ascontiguousarray(arrays[source.name], source.numpy)
        with evaluating(torch, model):
            parts = [
                model(torch.from_numpy(x[at : at + _CHUNK].copy())).numpy()
                for at in range(0, len(x), _CHUNK)
            ]
        return {target.name: np.concatenate(parts)}

    def export(path: Path) -> None:
        sizes = (2, *(size or 1 for size in source.shape[1:]))
        given = torch.from_numpy(np.zeros(sizes, source.numpy))
        with evaluating(torch, model), _quiet(torch):
            _export(torch, model, given, path, source.name, target.name)

    framework = f"torch {torch.__version__}"
    return Trained(signature, predict, export, framework, family, postprocess)


@contextmanager
def evaluating(torch: Any, model: Any) -> Iterator[None]:
    """Without dropout and gradients; the module is left as it was."""
    was = {name: module.training for name, module in model.named_modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for name, module in model.named_modules():
            module.training = was.get(name, module.training)


def _export(torch: Any, model: Any, given: Any, path: Path, source: str, target: str) -> None:
    try:
        torch.onnx.export(
            model,
            (given,),
            str(path),
            dynamo=False,
            input_names=[source],
            output_names=[target],
            dynamic_axes={source: {0: "batch"}, target: {0: "batch"}},
            opset_version=OPSET,
        )
    except Exception as error:  # what it throws is no closed set
        if find_spec("onnxscript") is None:
            raise _failed(error, "or pip install onnxscript, whose exporter knows more") from error
    else:
        return
    try:
        torch.onnx.export(
            model,
            (given,),
            str(path),
            dynamo=True,
            input_names=[source],
            output_names=[target],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
        )
    except Exception as error:
        raise _failed(error, "or publish an ONNX file of your own making") from error


def _failed(error: Exception, otherwise: str) -> ExportFailed:
    said = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return ExportFailed(
        f"export: torch finds no way to ONNX: {said}",
        hint=f"use layers that torch.onnx.export knows, {otherwise}",
    )


@contextmanager
def _quiet(torch: Any) -> Iterator[None]:
    """Without torch's notes on its exporter, and its shortcut for attention, which has no ONNX."""
    log = logging.getLogger("torch.onnx")
    level, fast = log.level, torch.backends.mha.get_fastpath_enabled()
    log.setLevel(logging.ERROR)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
        torch.backends.mha.set_fastpath_enabled(fast)


def _reading(model: Any, target: TensorSpec) -> Classification | None:
    """Scores a class where the module's last layer says they are, else nothing."""
    layers = [module for module in model.modules() if not list(module.children())]
    ends = type(layers[-1]).__name__ if layers else ""
    if ends not in ("Softmax", "LogSoftmax") or len(target.shape) != 2:
        return None
    labels = tuple(map(str, range(target.shape[1] or 0)))
    if len(labels) < 2:
        return None
    # The softmax of a log-softmax is the probabilities again.
    return Classification(
        target.name, labels, activation="none" if ends == "Softmax" else "softmax"
    )
