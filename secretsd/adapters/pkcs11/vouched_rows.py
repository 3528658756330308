"""Key rows as the module vouches for them: made under a generation of the root, and believed only by its MAC."""

import hmac
from dataclasses import replace

from secretsd.adapters.pkcs11.key_rows import authenticated_bytes, fingerprinted_bytes
from secretsd.adapters.pkcs11.token_session import Root, RootMissing, TokenSession
from secretsd.domain.errors import Internal, InvalidState
from secretsd.domain.keys import KeyMetadata, WrappedKey, protection_level


class VouchedRows:
    """Makes and checks rows on an open token. Every method may raise PKCS11Error."""

    def __init__(self, session: TokenSession) -> None:
        self._session = session

    def root(self, kek_id: str = "") -> Root:
        """A generation of the root, the current one by default; InvalidState where that one is gone."""
        if self._session.current is None:
            raise RootMissing
        root = self._session.root_of(kek_id) if kek_id else self._session.current
        if root is None:
            raise InvalidState("cannot tell whether it is the same material: the root KEK of then is gone")
        return root

    def root_of(self, key: WrappedKey) -> Root:
        """The generation that wraps a row, which is what the HSM once MACed; Internal or InvalidState where not."""
        root = self._session.root_of(key.kek_id)
        if root is None and key.version == 0:
            raise InvalidState("cannot import under that key pair: the root KEK of then is gone; get new parameters")
        if root is None:
            raise Internal(f"cannot use key {key.key_id}: its root KEK is not on the token")
        if not hmac.compare_digest(self.macked(root, key).mac, key.mac):
            raise Internal(f"cannot use key {key.key_id}: its row is not what the key store made")
        return root

    def row(
        self,
        root: Root,
        metadata: KeyMetadata,
        blob: bytes,
        public_key: bytes,
        answer: bytes = b"",
        suite: int | None = None,
    ) -> WrappedKey:
        """The row of new material; `answer` is what its fingerprint is made of, for what was imported.

        `suite` is that of a new key unless it is given.
        """
        fingerprint = self.fingerprint(root, metadata, answer) if answer else b""
        suite = self._session.suite_of_new(metadata.spec) if suite is None else suite
        level = protection_level(metadata.spec)
        row = WrappedKey(
            metadata.account, metadata.key_id, metadata.version, metadata.spec, metadata.usage, metadata.origin,
            level, suite, root.kek_id, blob, b"", public_key=public_key, fingerprint=fingerprint,
        )  # fmt: skip
        return self.macked(root, row)

    def fingerprint(self, root: Root, metadata: KeyMetadata, answer: bytes) -> bytes:
        """The keyed digest by which imported material is known again (SECURITY 4)."""
        return self._session.mac(root, fingerprinted_bytes(metadata, answer))

    def macked(self, root: Root, key: WrappedKey) -> WrappedKey:
        """The row with that generation's MAC over it."""
        covered = authenticated_bytes(key.metadata, key.suite, key.kek_id, key.blob, key.public_key, key.fingerprint)
        return replace(key, mac=self._session.mac(root, covered))
