"""TLS on a TCP listener: its certificate from files that may change, and whose clients' certificates are asked for.

The handshake proves that a client has the key of its certificate; that the chain is good is found out by
operations.tls_proofs, at each call. The library looks at it as well, because it offers no handshake without.
"""

import logging
import os
import socket
import ssl
import stat
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn, Protocol

from secretsd.operations.tls_proofs import ClientCertificate

log = logging.getLogger("secretsd.tls")
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2"
"""Of TLS 1.2 (RFC 9325, 4.2); those of 1.3 are all good. Level 2 refuses SHA-1 and keys below 112 bits of strength."""
LOOK_SECONDS = 1.0
"""How old what is known of the files may be when a connection comes."""
MAX_FILE_BYTES = 1024 * 1024
_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME, which Python has no name for
_DER = 2  # _ssl.ENCODING_DER


class CannotUseCertificate(Exception):
    """The files are no certificate with its key; the message names them and never quotes them."""


class PlainRefused(Exception):
    """A socket may not be served without TLS; the message names it."""


class Anchors(Protocol):
    """Who knows the authorities of clients."""

    async def anchors(self) -> tuple[int, str]:
        """Their certificates in PEM, "" for none, and a number that changes with them."""
        ...


class NoAnchors:
    """Of a listener that asks no client for a certificate."""

    async def anchors(self) -> tuple[int, str]:
        """Nobody's."""
        return 0, ""


class TlsContexts:
    """What new connections are served with. Those that are open keep what they have."""

    def __init__(
        self, certificate: Path, private_key: Path, anchors: Anchors, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """CannotUseCertificate where the files are of no use now."""
        self._files = certificate, private_key
        self._anchors = anchors
        self._clock = clock
        self._problem = ""
        self._generation = -1
        self._pem = ""
        self._seen = _state(self._files)
        self._looked = clock()
        self._context = _made(self._files, "")

    async def context(self) -> ssl.SSLContext:
        """For the next connection. Where what is new cannot be used, the log says so and the old goes on."""
        try:
            generation, pem = await self._anchors.anchors()
        except Exception as error:  # noqa: BLE001  # storage may be away; tokens over TLS have their own answer then
            log.warning("cannot learn of new certificate authorities: %s", type(error).__name__)
            generation, pem = self._generation, self._pem
        changed = self._clock() - self._looked >= LOOK_SECONDS and self._look()
        if changed or generation != self._generation:
            self._pem = pem
            self._renew()
            self._generation = generation
        return self._context

    def reload(self) -> None:
        """Read the files now, whatever is known of them."""
        self._look()
        self._renew()

    def _look(self) -> bool:
        """Whether the files are others than those that were read; a file that came to nothing is looked at again."""
        self._looked = self._clock()
        before, self._seen = self._seen, _state(self._files)
        return self._seen != before or bool(self._problem)

    def _renew(self) -> None:
        try:
            self._context = _made(self._files, self._pem)
            problem = ""
        except CannotUseCertificate as error:
            problem = str(error)
        if problem and problem != self._problem:
            log.error("%s; the one before serves on", problem)
        if self._problem and not problem:
            log.warning("the certificate of TLS can be used again")
        self._problem = problem


def served_by(listening: socket.socket, contexts: TlsContexts | None) -> TlsContexts | None:
    """What a listening socket is served with, None for plain HTTP; PlainRefused where that may not be.

    Others would read tokens and values on their way, so plain HTTP is for Unix sockets and loopback addresses only.
    """
    if listening.family == socket.AF_UNIX:
        return None
    host, port, *_ = listening.getsockname()
    if contexts is None and not ip_address(host).is_loopback:
        raise PlainRefused(f"cannot serve on {host} port {port}: beyond loopback it needs http.certificate")
    if contexts is None:
        log.info("serving plain HTTP on %s port %d, for this host only", host, port)
    return contexts


def client_certificate(transport: Any) -> ClientCertificate | None:
    """What the peer sent, if it sent one. Called once the handshake is over."""
    found = transport.get_extra_info("ssl_object") if transport is not None else None
    if found is None:
        return None
    # Public from Python 3.13 on, and DER there; before that it is the object behind that has it. Without a certificate
    # the list holds None. A client may send its own certificate twice.
    ask = getattr(found, "get_unverified_chain", None) or found._sslobj.get_unverified_chain
    chain = [one if isinstance(one, bytes) else one.public_bytes(_DER) for one in ask() or () if one is not None]
    return ClientCertificate(tuple(dict.fromkeys(chain))) if chain else None


def refusal(error: BaseException) -> str | None:
    """Why the library refused a client's certificate; None for any other error of a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return None


def _made(files: tuple[Path, Path], anchors: str) -> ssl.SSLContext:
    certificate, private_key = files
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # A ticket would bring the client's certificate along without those between it and the authority.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    _require_private(private_key)
    try:
        # Without a word of ours OpenSSL would ask for the password of an encrypted key at the terminal, and wait.
        context.load_cert_chain(certificate, private_key, password=_no_password)
    except ssl.SSLError as error:
        why = "they do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "they are not in PEM, or weak"
        raise CannotUseCertificate(f"cannot use {certificate} with the key {private_key}: {why}") from None
    except OSError as error:
        named = f"{certificate} or {private_key}"
        raise CannotUseCertificate(f"cannot read {named}: {error.strerror}") from None
    if anchors:
        try:
            context.load_verify_locations(cadata=anchors)
        except ssl.SSLError:
            raise CannotUseCertificate("cannot use the certificates of the authorities of clients") from None
        context.verify_mode = ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    return context


def _no_password() -> NoReturn:
    raise CannotUseCertificate("cannot use the key of the certificate of TLS: it is encrypted")


def _require_private(private_key: Path) -> None:
    try:
        found = os.stat(private_key)
    except OSError as error:
        raise CannotUseCertificate(f"cannot read {private_key}: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
        raise CannotUseCertificate(f"cannot use {private_key}: it is no file, or far too long for a key")
    if found.st_mode & 0o007:
        raise CannotUseCertificate(f"cannot use {private_key}: everybody may read it; chmod o= it")


def _state(files: tuple[Path, ...]) -> tuple[object, ...]:
    """What changes when a file, or the link in its place, becomes another one."""
    found: list[object] = []
    for path in files:
        try:
            seen = os.stat(path)
        except OSError as error:
            found.append(error.errno)
        else:
            found.append((seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size))
    return tuple(found)
