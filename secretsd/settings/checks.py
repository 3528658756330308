"""What no single setting can say: ranges, and settings that do not go together."""

import os
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path

from secretsd.settings.parts import CREDENTIAL, Settings, address

_CALLER_LIMITS = ("requests_per_principal", "requests_per_account", "free_failed_proofs")


def check(settings: Settings) -> list[str]:
    """What no single type can say: ranges and combinations."""
    problems = []
    if not 1 <= settings.workers <= 64:
        problems.append("cannot use workers: it is from 1 to 64")
    if settings.http.listen is not None:
        try:
            host, _ = address(settings.http.listen)
            if not ip_address(host).is_loopback and settings.http.certificate is None:
                problems.append("cannot use http.listen: without TLS only a loopback address is opened")
        except ValueError:
            problems.append("cannot use http.listen: its form is 127.0.0.1:8280 or [::1]:8280")
    tls = {name: getattr(settings.http, name) for name in ("certificate", "private_key")}
    if None in tls.values() and set(tls.values()) != {None}:
        problems.append("cannot use http.certificate and http.private_key: neither goes without the other")
    for name, place in tls.items():
        if place is not None and not place.startswith(CREDENTIAL) and not Path(place).is_absolute():
            problems.append(f"cannot use http.{name}: it is neither an absolute path nor {CREDENTIAL}NAME")
    for name in ("state_dir", "runtime_dir"):
        if not Path(getattr(settings, name)).is_absolute():
            problems.append(f"cannot use {name}: it is not an absolute path")
    if not Path(settings.token_issuers.ca_file or "/").is_absolute():
        problems.append("cannot use token_issuers.ca_file: it is not an absolute path")
    if not Path(settings.rotation.escrow_dir or "/").is_absolute():
        problems.append("cannot use rotation.escrow_dir: it is not an absolute path")
    elif Path(os.path.normpath(settings.escrow_dir)).is_relative_to(os.path.normpath(settings.storage_dir)):
        problems.append("cannot use rotation.escrow_dir: it is inside the storage, whose loss it has to outlive")
    positive = (
        ("keystore.stall_seconds", settings.keystore.stall_seconds),
        ("keystore.call_seconds", settings.keystore.call_seconds),
        ("keystore.slow_seconds", settings.keystore.slow_seconds),
        ("keystore.rewraps_per_second", settings.keystore.rewraps_per_second),
        ("rotation.attempt_seconds", settings.rotation.attempt_seconds),
        ("rotation.min_interval_seconds", settings.rotation.min_interval_seconds),
        ("limits.header_seconds", settings.limits.header_seconds),
        ("limits.idle_seconds", settings.limits.idle_seconds),
        ("limits.max_connections", settings.limits.max_connections),
        ("limits.max_in_flight", settings.limits.max_in_flight),
        ("limits.body_seconds", settings.limits.body_seconds),
    )
    problems += [f"cannot use {name}: it is not above zero" for name, value in positive if not value > 0]
    not_negative = (
        *((f"cache.{part.name}", getattr(settings.cache, part.name)) for part in fields(settings.cache)),
        *((f"limits.{name}", getattr(settings.limits, name)) for name in _CALLER_LIMITS),
        *((f"quotas.{part.name}", getattr(settings.quotas, part.name)) for part in fields(settings.quotas)),
    )
    return problems + [f"cannot use {name}: it is below zero" for name, value in not_negative if not value >= 0]
