"""TLS of the client: whom it trusts, and the certificate by which it proves who it is, from files that may change."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from secretsd.client.errors import ClientError

if TYPE_CHECKING:
    import ssl

LOOK_SECONDS = 1.0
"""How old what is known of the files may be when a call is made."""
_State = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM. Without `ca` the host's own authorities are trusted; without `certificate` there is none of ours.

    `certificate` holds those between it and the authority as well; `private_key` None means that the key stands there
    too.
    """

    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None

    def __post_init__(self) -> None:
        if self.private_key is not None and self.certificate is None:
            raise ClientError("cannot use the client key: there is no client certificate")

    @classmethod
    def choose(
        cls,
        ca: str | os.PathLike[str] | None = None,
        certificate: str | os.PathLike[str] | None = None,
        private_key: str | os.PathLike[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Self | None:
        """What was given, else what the environment says, else None. A certificate and a key that were given never mix
        with those of the environment."""
        found = environment or {}
        ca = ca or found.get("SECRETSD_CA_FILE") or None
        if certificate is None and private_key is None:
            certificate = found.get("SECRETSD_CLIENT_CERTIFICATE") or None
            private_key = found.get("SECRETSD_CLIENT_KEY") or None
        if ca is None and certificate is None and private_key is None:
            return None
        return cls(*(None if one is None else Path(one) for one in (ca, certificate, private_key)))


class ClientTls:
    """One for a place where the daemon is. A certificate that lives for an hour is renewed under a client that runs."""

    def __init__(self, files: TlsFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self._files = files
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._seen: _State = ()
        self._looked = 0.0

    def renewed(self) -> "ssl.SSLContext | None":
        """A context for new connections where the files have changed since the last one, and at first; else None.

        ClientError where they are of no use at first; later the one before goes on until they are good again.
        """
        now = self._clock()
        if self._context is not None:
            if now - self._looked < LOOK_SECONDS:
                return None
            self._looked = now
            state = self._state()
            if state == self._seen:
                return None
            try:
                made = self._made()
            except ClientError:
                return None
            self._context, self._seen = made, state
            return made
        self._looked, self._seen = now, self._state()
        self._context = self._made()
        return self._context

    @property
    def shows(self) -> bool:
        """Whether the daemon may be shown one."""
        return self._files.certificate is not None

    def _made(self) -> "ssl.SSLContext":
        import ssl

        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        files = self._files
        if files.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.load_verify_locations(files.ca)
            except ssl.SSLError:
                raise ClientError(f"cannot use the authorities in {files.ca}: it is not in PEM") from None
            except OSError as error:
                raise ClientError(f"cannot read the authorities in {files.ca}: {error.strerror}") from None
        if files.certificate is not None:
            self._load(context, files.certificate, files.private_key or files.certificate)
        return context

    def _load(self, context: "ssl.SSLContext", certificate: Path, private_key: Path) -> None:
        import ssl

        try:
            # Without a word of ours OpenSSL would ask for the password of an encrypted key at the terminal, and wait.
            context.load_cert_chain(certificate, private_key, password=_no_password)
        except ssl.SSLError as error:
            why = "they do not belong together" if error.reason == "KEY_VALUES_MISMATCH" else "it is not in PEM"
            raise ClientError(f"cannot use the client certificate {certificate} and its key: {why}") from None
        except OSError as error:
            raise ClientError(f"cannot read {certificate} or {private_key}: {error.strerror}") from None

    def _state(self) -> _State:
        found: list[object] = []
        for path in (self._files.ca, self._files.certificate, self._files.private_key):
            try:
                seen = None if path is None else os.stat(path)
            except OSError as error:
                found.append(error.errno)
            else:
                found.append(seen and (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size))
        return tuple(found)


def _no_password() -> NoReturn:
    raise ClientError("cannot use the client key: it is encrypted")
