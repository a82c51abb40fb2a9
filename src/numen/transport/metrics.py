"""What the live models have done, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from numen.serve.fleet import Tally
from numen.serve.service import Service
from numen.serve.stats import BUCKETS, Histogram


class _Models:
    """Reads counters when asked, so that serving pays nothing for it."""

    def __init__(self, tally: Tally):
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        labels = ("model", "version")
        by_variant = (*labels, "variant")
        tally = self._tally
        yield GaugeMetricFamily("numen_workers", "Processes that serve", tally.workers)
        yield CounterMetricFamily(
            "numen_worker_restarts", "Processes that had to be replaced", tally.restarts
        )
        live = GaugeMetricFamily(
            "numen_model_live", "Processes in which the model is open", labels=labels
        )
        waiting = GaugeMetricFamily("numen_queue_rows", "Rows that wait", labels=("model",))
        for model, number in tally.waiting.items():
            waiting.add_metric((model,), number)
        rows = CounterMetricFamily("numen_rows", "Rows the model ran", labels=by_variant)
        queue = HistogramMetricFamily(
            "numen_queue_seconds", "Time requests waited to be run", labels=by_variant
        )
        compute = HistogramMetricFamily(
            "numen_compute_seconds", "Time batches took", labels=by_variant
        )
        total = HistogramMetricFamily(
            "numen_request_seconds", "Time from arrival to answer or failure",
            labels=(*by_variant, "outcome"),
        )  # fmt: skip
        counted = [
            ((model, version), stats)
            for model, versions in tally.counts.items()
            for version, stats in versions.items()
        ]
        for names, stats in counted:
            live.add_metric(names, tally.open.get(names[0], {}).get(names[1], 0))
            for name, variant in list(stats.variants.items()):
                which = (*names, name)
                rows.add_metric(which, variant.rows)
                _add(queue, which, variant.queue)
                _add(compute, which, variant.compute)
                outcome = "degraded" if variant.degraded else "met"
                _add(total, (*which, outcome), variant.total)
            for code, histogram in list(stats.failures.items()):
                _add(total, (*names, "", code), histogram)
        yield from (live, waiting, rows, queue, compute, total)


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], histogram: Histogram) -> None:
    bounds = map(str, (*BUCKETS, "+Inf"))
    totals = accumulate(histogram.counts)
    family.add_metric(labels, list(zip(bounds, totals, strict=True)), histogram.seconds)


def exposition(service: Service) -> bytes:
    """The metrics in Prometheus's text format, of all processes that serve together. Blocks."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_Models(service.tally()))
    return generate_latest(registry)
