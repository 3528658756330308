"""Counts of what the storage has done, for metrics and for tests that hold it to its word."""

from dataclasses import dataclass


@dataclass(slots=True)
class Statistics:
    """Since this storage was opened. A batch is one transaction; only batches of changes cost an fsync each."""

    units: int = 0
    unit_batches: int = 0
    failed_batches: int = 0
    events: int = 0
    event_batches: int = 0
    failed_event_batches: int = 0
    busy_waits: int = 0
    log_restarts: int = 0
    changes_seen: int = 0
    tampered_records: int = 0
