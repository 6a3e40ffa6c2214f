"""Counters and times for Prometheus."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper ends of the histograms' buckets."""


class ServerMetrics:
    """What happened since the start; threads may share it."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        labels = ("method", "route", "status")
        self.requests = Counter(
            "subpixel_requests", "Requests that were answered.", labels, registry=registry
        )
        self.seconds = Histogram(
            "subpixel_request_seconds",
            "From a request's head to the last byte of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = Histogram(
            "subpixel_stage_seconds",
            "A stage of one request: open, choose, upscale, send.",
            ("stage",),
            buckets=SECONDS,
            registry=registry,
        )
        self._megapixels = Counter(
            "subpixel_megapixels", "Megapixels in and out.", ("direction",), registry=registry
        )

    def add_megapixels(self, source: float, result: float) -> None:
        """In 10⁶ pixels, all frames together."""
        self._megapixels.labels("in").inc(source)
        self._megapixels.labels("out").inc(result)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, whether or not it ends well."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._stages.labels(name).observe(time.monotonic() - start)

    def watch_number(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A number that is read whenever somebody asks."""
        Gauge(f"subpixel_{name}", text, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """All of it, in Prometheus' own form."""
        return generate_latest(self._registry)
