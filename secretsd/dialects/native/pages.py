"""Documents that are no operations and leave no event: health and metrics."""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any, Protocol

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from secretsd.dialects.native.dialect import JSON, Page
from secretsd.domain.rotation import RotationState
from secretsd.operations.pipeline import Pipeline
from secretsd.operations.read_barrier import BUCKETS, HeldReads
from secretsd.ports.keystore import TIME_BUCKETS, KeyStoreStatus

METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Seen(Protocol):
    """What health knows."""

    keystore_status: KeyStoreStatus | None
    storage_reason: str
    rotation_states: Mapping[RotationState, int]
    left_to_rewrap: int | None

    @property
    def well(self) -> bool: ...


class Connections(Protocol):
    """What a listener counts."""

    accepted: int
    turned_away: int
    failed_handshakes: int

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
    pipeline: Pipeline,
    seen: Seen,
    listeners: list[Any],
    statistics: Callable[[], Mapping[str, int]] = dict,
    rewrapped: Callable[[], int] = int,
) -> Page:
    """`GET /metrics` in Prometheus's text form; names of operations, outcomes and states only.

    `statistics` are the storage's own counts since the start, by name; `rewrapped` key versions this worker has moved
    to a newer root.
    """
    registry = CollectorRegistry()
    registry.register(_Metrics(pipeline, seen, listeners, statistics, rewrapped))

    def page() -> tuple[int, str, bytes]:
        return 200, METRICS, generate_latest(registry)

    return page


class _Metrics:
    """Read when asked for: counting costs the hot path no lock."""

    def __init__(
        self,
        pipeline: Pipeline,
        seen: Seen,
        listeners: list[Connections],
        statistics: Callable[[], Mapping[str, int]],
        rewrapped: Callable[[], int],
    ) -> None:
        self._counts = pipeline.counts
        self._held = pipeline.parts.barrier.held
        self._seen = seen
        self._listeners = listeners
        self._statistics = statistics
        self._rewrapped = rewrapped

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
        yield CounterMetricFamily(
            "secretsd_failed_handshakes",
            "TLS handshakes that failed.",
            sum(x.failed_handshakes for x in self._listeners),
        )
        for name, count in self._statistics().items():
            words = name.replace("_", " ")
            yield CounterMetricFamily(f"secretsd_storage_{name}", f"The storage's count of {words}.", count)
        yield from _rotation_metrics(self._seen.rotation_states, self._held)
        status = self._seen.keystore_status
        up = int(status is not None and status.available)
        yield GaugeMetricFamily("secretsd_keystore_up", "1 while the key store answers.", up)
        if status is not None:
            yield from _keystore_metrics(status)
        if self._seen.left_to_rewrap is not None:
            yield GaugeMetricFamily(
                "secretsd_key_versions_under_older_roots",
                "Stored key versions that an older root still wraps.",
                self._seen.left_to_rewrap,
            )
        yield CounterMetricFamily(
            "secretsd_rewrapped_key_versions", "Key versions moved to a newer root by this worker.", self._rewrapped()
        )
        up = int(not self._seen.storage_reason)
        yield GaugeMetricFamily("secretsd_storage_up", "1 while the storage answers.", up)


def _keystore_metrics(status: KeyStoreStatus) -> Iterator[Metric]:
    took = HistogramMetricFamily(
        "secretsd_keystore_use_seconds", "How long the HSM took, by kind of use and spec.", labels=("use", "spec")
    )
    bounds = [*map(str, TIME_BUCKETS), "+Inf"]
    for name, times in status.times.items():
        use, _, spec = name.partition(" ")
        buckets = list(zip(bounds, accumulate(times.counts), strict=True))
        took.add_metric((use, spec), buckets, times.seconds)
    yield took
    errors = CounterMetricFamily(
        "secretsd_keystore_errors", "What the HSM answered instead of working, by its name.", labels=("error",)
    )
    for name, count in status.errors.items():
        errors.add_metric((name,), count)
    yield errors
    yield GaugeMetricFamily("secretsd_keystore_loaded_keys", "Key versions held as objects.", status.loaded_keys)


def _rotation_metrics(states: Mapping[RotationState, int], held: HeldReads) -> Iterator[Metric]:
    rotations = GaugeMetricFamily("secretsd_rotations", "Rotations of all accounts, by state.", labels=("state",))
    for state in RotationState:
        rotations.add_metric((state.value,), states.get(state, 0))
    yield rotations
    bounds = [*map(str, BUCKETS), "+Inf"]
    buckets = list(zip(bounds, accumulate(held.counts), strict=True))
    yield HistogramMetricFamily(
        "secretsd_reads_held_seconds",
        "How long reads waited for a rotation to find out which value works.",
        buckets=buckets,
        sum_value=held.total_seconds,
    )
    yield CounterMetricFamily(
        "secretsd_reads_refused_by_barrier", "Reads that were told to come again while a value rotated.", held.refused
    )
