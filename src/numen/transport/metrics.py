"""What the live models have done, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from numen.serve.service import Service
from numen.serve.stats import BUCKETS


class _Models:
    """Reads the Service's counters when asked, so that serving pays nothing for it."""

    def __init__(self, service: Service):
        self._service = service

    def collect(self) -> Iterator[Metric]:
        labels = ("model", "version")
        live = GaugeMetricFamily("numen_model_live", "Whether the model is live", labels=labels)
        rows = CounterMetricFamily("numen_rows", "Rows the model ran", labels=labels)
        batches = CounterMetricFamily("numen_batches", "Runs of the model", labels=labels)
        queue = CounterMetricFamily("numen_queue_seconds", "Time requests waited", labels=labels)
        compute = CounterMetricFamily("numen_compute_seconds", "Time the model ran", labels=labels)
        failures = CounterMetricFamily(
            "numen_failures", "Failed requests", labels=(*labels, "code")
        )
        latency = HistogramMetricFamily(
            "numen_request_seconds", "Time from arrival to answer", labels=labels
        )
        for model in self._service.models.values():
            for endpoint in model.versions.values():
                names = (endpoint.name, endpoint.version)
                stats = endpoint.stats
                live.add_metric(names, 1)
                rows.add_metric(names, stats.rows)
                batches.add_metric(names, stats.batches)
                queue.add_metric(names, stats.queue_seconds)
                compute.add_metric(names, stats.compute_seconds)
                for code, count in stats.failures.items():
                    failures.add_metric((*names, code), count)
                total = 0
                buckets = []
                for bound, count in zip((*BUCKETS, "+Inf"), stats.histogram, strict=True):
                    total += count
                    buckets.append((str(bound), total))
                latency.add_metric(names, buckets, stats.seconds)
        yield from (live, rows, batches, queue, compute, failures, latency)


def exposition(service: Service) -> bytes:
    """The metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_Models(service))
    return generate_latest(registry)
