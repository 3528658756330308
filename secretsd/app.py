"""A worker: the composition root, the one module that names adapters. Run as `python -I -m secretsd.app`."""

import asyncio
import contextlib
import logging
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from secretsd import settings as settings_module
from secretsd.adapters import child
from secretsd.adapters.calendar import TriggerCalendar
from secretsd.adapters.file_escrow import FileEscrow
from secretsd.adapters.jwks.fetcher import JwksFetcher
from secretsd.adapters.keystore_process.client import ProcessKeyStore
from secretsd.adapters.keystore_process.lanes import LaneKeyStore
from secretsd.adapters.rotator_host.client import ProcessRotatorHost
from secretsd.adapters.sqlite import open_storage
from secretsd.adapters.system_clock import SystemClock
from secretsd.dialects.native.dialect import NativeDialect
from secretsd.dialects.native.openapi import document_page
from secretsd.dialects.native.pages import health_page, metrics_page
from secretsd.domain.errors import KeyStoreUnavailable, SecretsdError, StorageUnavailable
from secretsd.domain.limits import Quotas
from secretsd.domain.records import RecordAuthenticator
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.bootstrap import ensure_first_account, ensure_token
from secretsd.operations.catalogue import catalogue
from secretsd.operations.limits import CallerLimits
from secretsd.operations.parts import Parts, assemble
from secretsd.operations.pipeline import Pipeline
from secretsd.services.escrow import EscrowKeeper
from secretsd.services.expired_credentials import ExpiredCredentials
from secretsd.services.expired_grants import ExpiredGrants
from secretsd.services.health import Health
from secretsd.services.key_deletion import KeyDeletions
from secretsd.services.key_reencryption import ReEncryptions
from secretsd.services.key_rotation import KeyRotations
from secretsd.services.proof_uses import NotedUses
from secretsd.services.root_rewrap import RootRewraps
from secretsd.services.rotation import Rotations
from secretsd.services.secret_deletion import SecretDeletions
from secretsd.settings import Settings
from secretsd.transport.limits import Limits
from secretsd.transport.listener import Listener
from secretsd.transport.tls import CannotUseCertificate, NoAnchors, PlainRefused, TlsContexts, served_by

log = logging.getLogger("secretsd.worker")
DRAIN_SECONDS = 5.0


class FirstStart(msgspec.Struct, frozen=True):
    """What the first start needs: who becomes administrator, how that is known, and `dev`'s token if there is one."""

    uids: tuple[int, ...]
    by: str
    token: str | None = None


class Configuration(msgspec.Struct, frozen=True):
    """What the supervisor hands a worker."""

    settings: dict[str, Any]
    listen_fds: tuple[int, ...]
    first_start: FirstStart | None = None


def main() -> None:
    """The process's whole life."""
    child.harden()
    configuration = child.configuration(Configuration)
    settings = settings_module.from_document(configuration.settings)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, configuration))
    except PlainRefused as error:
        child.refuse(str(error))
    except CannotUseCertificate as error:
        log.error("%s", error)  # it may be whole again at the next start
        sys.exit(1)
    except SecretsdError as error:
        log.error("%s", error.message)  # the supervisor starts another worker, which may find it better
        sys.exit(1)


async def serve(settings: Settings, configuration: Configuration) -> None:
    """Serve until SIGTERM. Waits for the key store first: without its storage key no row can be trusted."""
    control = child.Control()
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        keystore = LaneKeyStore(
            ProcessKeyStore(settings.keystore_socket, deadline_seconds=settings.keystore.call_seconds),
            ProcessKeyStore(settings.keystore_slow_socket, deadline_seconds=settings.keystore.slow_seconds),
        )
        stack.push_async_callback(keystore.close)
        storage_key = await _patiently(keystore)
        authenticator = RecordAuthenticator(storage_key.reveal())
        # Before this there is nothing to end politely, and the wait may be long: SIGTERM ends the process by itself.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        storage = await stack.enter_async_context(
            open_storage(settings.storage_dir, authenticator, reads=settings.storage.read_events)
        )
        rotators = ProcessRotatorHost(settings.rotator_socket, attempt_seconds=settings.rotation.attempt_seconds)
        stack.callback(rotators.close)
        parts = assemble(
            storage=storage,
            keystore=keystore,
            rotators=rotators,
            escrow=FileEscrow(settings.escrow_dir, storage_key),
            calendar=TriggerCalendar(settings.rotation.min_interval_seconds),
            clock=SystemClock(),
            authenticator=authenticator,
            max_rows=settings.cache.max_rows,
            data_key_seconds=settings.cache.data_key_seconds,
            max_data_keys=settings.cache.max_data_keys,
            max_watchers=settings.limits.max_watchers,
            min_interval_seconds=settings.rotation.min_interval_seconds,
            min_grace_seconds=settings.rotation.min_grace_seconds,
            issuer_keys=JwksFetcher(
                settings.token_issuers.ca_file, plain_loopback=settings.token_issuers.plain_loopback
            ),
            quotas=Quotas(**asdict(settings.quotas)),
        )
        if configuration.first_start is not None:
            await _first_start(parts, configuration.first_start)
        caller_limits = CallerLimits(
            settings.limits.requests_per_principal,
            settings.limits.requests_per_account,
            settings.limits.free_failed_proofs,
        )
        pipeline = Pipeline(parts, settings.limits.max_in_flight, caller_limits)
        keeper = EscrowKeeper(pipeline)
        await keeper.replay()  # before anything is served or rotated: what is made first would take a lost number
        health = Health(keystore, storage, lambda: pipeline.storage_failures)
        rewraps = RootRewraps(pipeline, keys_per_second=settings.keystore.rewraps_per_second)
        listeners: list[Listener] = []
        operations = catalogue()
        pages = {
            "/v1/openapi.json": document_page(operations),
            "/v1/health": health_page(health),
            "/metrics": metrics_page(
                pipeline, health, listeners, lambda: asdict(storage.statistics), lambda: rewraps.rewrapped
            ),
        }
        dialect = NativeDialect(pipeline, operations, pages)
        limits = Limits(
            header_seconds=settings.limits.header_seconds,
            body_seconds=settings.limits.body_seconds,
            idle_seconds=settings.limits.idle_seconds,
            max_connections=settings.limits.max_connections,
        )
        shared = settings.workers > 1
        tls = _tls(settings, parts)
        for fd in configuration.listen_fds:
            opened = child.listener(fd)
            listeners.append(Listener(opened, dialect, limits, shared=shared, tls=served_by(opened, tls)))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, tls.reload if tls is not None else _nothing)
        for listener in listeners:
            listener.start()
        rotations = Rotations(pipeline)
        deletions = (SecretDeletions(pipeline), KeyDeletions(pipeline))
        on_keys = (KeyRotations(pipeline), ReEncryptions(pipeline), rewraps)
        noted = NotedUses(parts.proof_uses)
        expired = (ExpiredGrants(pipeline), ExpiredCredentials(pipeline))
        services = (rotations, *deletions, *on_keys, *expired, noted, keeper, health)
        running = [asyncio.create_task(service.run()) for service in services]
        child.settle()
        control.ready()
        await asyncio.wait([asyncio.create_task(stop.wait()), *running], return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done():
                log.error("cannot go on: a service ended")
            task.cancel()
        await asyncio.gather(*(listener.stop(DRAIN_SECONDS) for listener in listeners))
        await noted.ensure()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await rotations.settled()
    control.close()


def _tls(settings: Settings, parts: Parts) -> TlsContexts | None:
    certificate, private_key = settings.http.certificate, settings.http.private_key
    if certificate is None or private_key is None:
        return None
    anchors = parts.tls_proofs if settings.http.client_certificates else NoAnchors()
    return TlsContexts(Path(certificate), Path(private_key), anchors)


def _nothing() -> None:
    """There is nothing to read again."""


async def _patiently(keystore: LaneKeyStore) -> Plaintext:
    said = False
    while True:
        try:
            return await keystore.storage_key()
        except KeyStoreUnavailable:
            if not said:
                log.warning("cannot serve yet: waiting for the key store")
                said = True
            await asyncio.sleep(0.02)


async def _first_start(parts: Parts, wanted: FirstStart) -> None:
    for attempt in range(50):
        try:
            account = await ensure_first_account(parts, wanted.uids, wanted.by)
            if wanted.token is not None:
                await ensure_token(parts, account, Plaintext.from_text(wanted.token), wanted.by)
            return
        except (KeyStoreUnavailable, StorageUnavailable):
            if attempt == 49:
                raise
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
