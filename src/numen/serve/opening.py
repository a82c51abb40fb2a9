"""Opening a model: every variant loaded, warmed, measured, and the best one checked.

What does not give the outputs that were recorded at training never goes live.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from numen.core.bundle import Bundle, Golden
from numen.core.errors import CorruptBundle, NumenError
from numen.core.manifest import Variant
from numen.core.observe import logger
from numen.core.signature import Arrays, format_shape
from numen.runtime.base import Runtime, open_variant
from numen.serve.ladder import Ladder, Pace, Rung

# A graph on another CPU may differ from the framework by rounding, not by more than this.
_GOLDEN_TOLERANCE: Final = 1e-3
# Longest that measuring one variant may take, in seconds; larger batches are then reckoned.
_MEASURING: Final = 0.1
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A model that was loaded and warmed, but is not live yet.

    Attributes:
        name: The model's name.
        version: Its version.
        bundle: What was opened.
        ladder: Its variants.
    """

    name: str
    version: str
    bundle: Bundle
    ladder: Ladder


def open_model(
    name: str,
    version: str,
    bundle: Bundle,
    *,
    max_rows: int = 64,
    threads: int = 1,
    cache: Path | None = None,
) -> Opened:
    """Loads a bundle, replays its golden samples and measures it. Blocks; not for the loop.

    Args:
        name: The model's name.
        version: Its version.
        bundle: What to open.
        max_rows: Most rows that will run together.
        threads: Threads one run may use.
        cache: Where files prepared for this machine are kept; None prepares none.

    Raises:
        CorruptBundle: It does not load, or does not give the recorded outputs.
    """
    manifest = bundle.manifest
    golden = bundle.golden()
    with _refusal(f"model {name}@{version}: recorded samples"):
        manifest.signature.check(golden.inputs)
    rungs: list[Rung] = []
    with ExitStack() as undo:
        for variant in _best_first(manifest.variants):
            runtime = open_variant(bundle, variant.name, threads=threads, cache=cache)
            undo.callback(runtime.close)
            exact = variant is manifest.variants[0]
            with _refusal(f"model {name}@{version}: recorded samples"):
                compare(golden, runtime.predict(golden.inputs), exact=exact)
            sizes = max_rows if manifest.batched else 0
            pace = Pace(_measure(runtime, golden.inputs, sizes))
            if rungs and pace.per_row >= rungs[-1].pace.per_row:
                _log.warning(
                    "%s@%s: variant %s is left out: it is worse than %s and no faster",
                    name, version, variant.name, rungs[-1].variant,
                )  # fmt: skip
                runtime.close()
                continue
            rungs.append(Rung(variant.name, runtime, pace, degraded=bool(rungs)))
        undo.pop_all()
    return Opened(name, version, bundle, Ladder(rungs))


@contextmanager
def _refusal(what: str) -> Iterator[None]:
    try:
        yield
    except NumenError as error:
        raise CorruptBundle(f"{what}: {error}") from error


def _best_first(variants: tuple[Variant, ...]) -> list[Variant]:
    """The exact one, then the others by what was measured of them, or as they are listed."""
    exact, *others = variants
    for metric in ("accuracy", "agreement"):
        if all(metric in variant.metrics for variant in others):
            return [exact, *sorted(others, key=lambda v: -v.metrics[metric])]
    return [exact, *others]


def compare(golden: Golden, outputs: Arrays, *, exact: bool = True) -> None:
    """Refuses outputs that are not those recorded; shapes only where they need not be `exact`.

    Raises:
        CorruptBundle: They differ by more than rounding.
    """
    for key, expected in golden.outputs.items():
        received = outputs.get(key)
        if received is None or received.shape != expected.shape:
            raise CorruptBundle(
                f'output "{key}": expected {format_shape(expected.shape)}, received '
                f"{'none' if received is None else format_shape(received.shape)}"
            )
        if not exact:
            texts = expected.dtype.kind == "U" and received.dtype.kind == "O"
            if expected.dtype != received.dtype and not texts:
                raise CorruptBundle(
                    f'output "{key}": expected {expected.dtype}, received {received.dtype}'
                )
        elif expected.dtype.kind not in "fiub":
            if expected.astype(str).tolist() != received.astype(str).tolist():
                raise CorruptBundle(f'output "{key}" differs')
        elif not np.allclose(
            received, expected, atol=_GOLDEN_TOLERANCE, rtol=_GOLDEN_TOLERANCE, equal_nan=True
        ):
            gap = np.abs(np.asarray(received, np.float64) - np.asarray(expected, np.float64))
            raise CorruptBundle(f'output "{key}" differs by {float(gap.max()):.3g}')


def _measure(runtime: Runtime, inputs: Arrays, max_rows: int) -> dict[int, float]:
    """Seconds by rows, for 1, 2, 4 … `max_rows` rows; of the samples as they are for 0.

    However slow the model is, two rows are measured beside one, or nobody would know that they
    had better run together.
    """
    sizes = [1 << n for n in range((max_rows - 1).bit_length())] + [max_rows] if max_rows else [0]
    seconds: dict[int, float] = {}
    end = time.perf_counter() + _MEASURING
    for size in sizes:
        batch = inputs
        if size:
            batch = {key: np.resize(a, (size, *a.shape[1:])) for key, a in inputs.items()}
        runtime.predict(batch)
        seconds[max(size, 1)] = statistics.median(_times(runtime, batch, end))
        if len(seconds) > 1 and time.perf_counter() > end:
            break
    return seconds


def _times(runtime: Runtime, batch: Arrays, end: float) -> Iterator[float]:
    for _ in range(3):
        begin = time.perf_counter()
        runtime.predict(batch)
        now = time.perf_counter()
        yield now - begin
        if now > end:
            break
