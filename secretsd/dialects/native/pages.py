"""Documents that are no operations and leave no event: health and metrics."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from secretsd.dialects.native.dialect import JSON, Page
from secretsd.operations.pipeline import Pipeline
from secretsd.ports.keystore import KeyStoreStatus

METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Seen(Protocol):
    """What health knows."""

    keystore_status: KeyStoreStatus | None
    storage_reason: str

    @property
    def well(self) -> bool: ...


class Connections(Protocol):
    """What a listener counts."""

    accepted: int
    turned_away: int

    @property
    def open_connections(self) -> int: ...


def health_page(seen: Seen) -> Page:
    """`GET /v1/health`: 200 while everything answers, else 503; says what does not."""

    def page() -> tuple[int, str, bytes]:
        status = seen.keystore_status
        parts = {
            "keystore": "ok" if status is not None and status.available else (status.reason if status else "unknown"),
            "storage": seen.storage_reason or "ok",
        }
        body = {"status": "ok" if seen.well else "degraded", "parts": parts}
        return 200 if seen.well else 503, JSON, msgspec.json.encode(body)

    return page


def metrics_page(
    pipeline: Pipeline, seen: Seen, listeners: list[Any], statistics: Callable[[], Mapping[str, int]] = dict
) -> Page:
    """`GET /metrics` in Prometheus's text form; names of operations and outcomes only.

    `statistics` are the storage's own counts since the start, by name.
    """
    registry = CollectorRegistry()
    registry.register(_Metrics(pipeline.counts, seen, listeners, statistics))

    def page() -> tuple[int, str, bytes]:
        return 200, METRICS, generate_latest(registry)

    return page


class _Metrics:
    """Read when asked for: counting costs the hot path no lock."""

    def __init__(
        self,
        counts: Mapping[tuple[str, str], int],
        seen: Seen,
        listeners: list[Connections],
        statistics: Callable[[], Mapping[str, int]],
    ) -> None:
        self._counts = counts
        self._seen = seen
        self._listeners = listeners
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """The metrics of this worker."""
        calls = CounterMetricFamily("secretsd_calls", "Answered calls.", labels=("operation", "outcome"))
        for labels, count in list(self._counts.items()):
            calls.add_metric(labels, count)
        yield calls
        yield GaugeMetricFamily(
            "secretsd_open_connections", "Open connections.", sum(one.open_connections for one in self._listeners)
        )
        yield CounterMetricFamily(
            "secretsd_accepted_connections", "Accepted connections.", sum(one.accepted for one in self._listeners)
        )
        yield CounterMetricFamily(
            "secretsd_refused_connections", "Connections over the limit.", sum(x.turned_away for x in self._listeners)
        )
        for name, count in self._statistics().items():
            words = name.replace("_", " ")
            yield CounterMetricFamily(f"secretsd_storage_{name}", f"The storage's count of {words}.", count)
        status = self._seen.keystore_status
        up = int(status is not None and status.available)
        yield GaugeMetricFamily("secretsd_keystore_up", "1 while the key store answers.", up)
        up = int(not self._seen.storage_reason)
        yield GaugeMetricFamily("secretsd_storage_up", "1 while the storage answers.", up)
