"""Variants held against the exact model: how large, how quick, how often right, side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from numen.api.model import Model
from numen.api.variants import same_rows
from numen.core.errors import InvalidInput
from numen.core.signature import Array, Arrays
from numen.data.split import Split
from numen.runtime.base import Runtime, make
from numen.train.evaluate import Judged
from numen.train.evaluate.figures import ClassFigures, QuantityFigures
from numen.train.evaluate.ranking import RankingFigures

_SIZES: Final = (1, 64)  # rows timed
_SECONDS: Final = 2.0  # spent on timing one number of rows, all variants together
_RUNS: Final = (5, 500)  # of each variant, at least and at most
_GAIN: Final = 0.95  # of the exact model's size or time: less than that is a gain


class Tried(msgspec.Struct, frozen=True, omit_defaults=True):
    """One variant, as measured.

    Attributes:
        name: What it is called.
        bytes: Size of its file.
        ms: Median milliseconds of one call on one thread, by number of rows.
        score: Accuracy, r2 where the target is a quantity, ndcg10 of an order; on the test rows.
        agreement: Part of the test rows on which it says what the exact one says.
        refused: Why it is not worth serving; empty where it is.
    """

    name: str
    bytes: int
    ms: dict[int, float]
    score: float
    agreement: float
    refused: str = ""

    def metrics(self, metric: str) -> dict[str, float]:
        """As the manifest has it; `metric` is what the score is."""
        times = {f"ms_{rows}": value for rows, value in self.ms.items()}
        return {
            "bytes": float(self.bytes), **times, metric: self.score, "agreement": self.agreement,
        }  # fmt: skip

    def __str__(self) -> str:
        times = ", ".join(f"{value:.4g} ms for {rows} rows" for rows, value in self.ms.items())
        return f"{self.bytes:,} bytes, {times}, score {self.score:.4f}"


@dataclass(frozen=True, slots=True)
class Trial:
    """The exact variant and the others; `metric` is what their score is."""

    exact: Tried
    tried: tuple[Tried, ...]
    metric: str


@contextmanager
def opened(graph: Path) -> Iterator[Runtime]:
    """An ONNX file, open."""
    runtime = make("onnx")
    runtime.open(graph)
    try:
        yield runtime
    finally:
        runtime.close()


def score(judged: Judged) -> float:
    """Accuracy, r2 where the target is a quantity, or ndcg10 of an order."""
    return judged.figures()[_metric(judged)]


def lost(exact: Judged, other: Judged) -> Array:
    """What each row adds to the score that `other` loses, float64[rows]: their mean is the loss.

    Of an order, what each group adds, float64[groups].
    """
    a, b = exact.figures, other.figures
    if isinstance(a, RankingFigures) and isinstance(b, RankingFigures):
        return np.asarray(a.ndcg[10] - b.ndcg[10])
    if isinstance(a, ClassFigures) and isinstance(b, ClassFigures):
        return np.asarray(a.right.astype(np.float64) - b.right)
    assert isinstance(a, QuantityFigures)
    assert isinstance(b, QuantityFigures)
    return np.asarray((b.error**2 - a.error**2) / max(float(exact.target.var()), 1e-300))


def _metric(judged: Judged) -> str:
    if judged.group is not None:
        return "ndcg10"
    return "r2" if judged.labels is None else "accuracy"


def trial(model: Model, test: Split, paths: Mapping[str, Path], tolerance: float) -> Trial:
    """Measures variants beside the exact model.

    Args:
        model: The exact model.
        test: The rows to judge by.
        paths: The variants' graphs, by name.
        tolerance: How much of the score a variant may lose.

    Raises:
        InvalidInput: A variant does not take the model's input.
    """
    exact = model.manifest.variants[0]
    graphs = {exact.name: model.bundle.file(exact.file), **paths}
    with ExitStack() as stack:
        runtimes = {name: stack.enter_context(opened(path)) for name, path in graphs.items()}
        times = _times(model, runtimes)
        judged = {name: model.judge(test, runtime) for name, runtime in runtimes.items()}
    first = judged[exact.name]
    found: list[Tried] = []
    for name, path in graphs.items():
        same = same_rows(first.output, judged[name].output, first.labels is not None)
        agreement = float(same.mean())
        size = path.stat().st_size
        tried = Tried(name, size, times[name], score(judged[name]), agreement)
        refused = _refusal(found[0], tried, _metric(first), tolerance) if found else ""
        found.append(msgspec.structs.replace(tried, refused=refused))
    return Trial(found[0], tuple(found[1:]), _metric(first))


def _refusal(exact: Tried, tried: Tried, metric: str, tolerance: float) -> str:
    lost = exact.score - tried.score
    if not lost <= tolerance + 1e-9:
        return (
            f"loses {lost:.4f} of {metric} ({exact.score:.4f} to {tried.score:.4f}), "
            f"over the tolerance of {tolerance:g}"
        )
    faster = any(tried.ms[rows] < _GAIN * ms for rows, ms in exact.ms.items())
    if not faster and tried.bytes >= _GAIN * exact.bytes:
        return "is neither faster nor smaller than the exact model"
    return ""


def _times(model: Model, runtimes: Mapping[str, Runtime]) -> dict[str, dict[int, float]]:
    """Median milliseconds of a call by number of rows; variants take turns, so none has luck."""
    golden = model.bundle.golden().inputs
    sizes = _SIZES if model.manifest.batched else (len(next(iter(golden.values()))),)
    found: dict[str, dict[int, float]] = {name: {} for name in runtimes}
    for size in sizes:
        batch = {name: np.resize(a, (size, *a.shape[1:])) for name, a in golden.items()}
        taken: dict[str, list[float]] = {name: [] for name in runtimes}
        end = time.perf_counter() + _SECONDS
        for name, runtime in runtimes.items():
            _run(name, runtime, batch)
        while not _enough(len(next(iter(taken.values()))), end):
            for name, runtime in runtimes.items():
                begin = time.perf_counter()
                runtime.predict(batch)
                taken[name].append(time.perf_counter() - begin)
        for name, seconds in taken.items():
            found[name][size] = statistics.median(seconds) * 1e3
    return found


def _enough(runs: int, end: float) -> bool:
    least, most = _RUNS
    return runs >= most or (runs >= least and time.perf_counter() > end)


def _run(name: str, runtime: Runtime, batch: Arrays) -> None:
    try:
        runtime.predict(batch)
    except InvalidInput as error:
        raise InvalidInput(f"variant {name}: {error.message}") from error
