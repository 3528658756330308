"""Key versions are made: in the module, from material that is imported, or anew under the current root."""

from dataclasses import replace

from secretsd.adapters.pkcs11 import fingerprints, imported_keys, importing, key_kinds, mac_keys, software_keys
from secretsd.adapters.pkcs11.held_keys import HeldKeys
from secretsd.adapters.pkcs11.recovering_token import RecoveringToken
from secretsd.adapters.pkcs11.vouched_rows import VouchedRows
from secretsd.adapters.sm import sm2
from secretsd.domain.errors import InvalidKeyUsage
from secretsd.domain.key_import import WrappingAlgorithm, WrappingSpec, importable
from secretsd.domain.key_specs import SPECS, KeySpec
from secretsd.domain.keys import KeyMetadata, KeyOrigin, WrappedKey, protection_level


class KeyMaker:
    """Makes rows on one token. Unsupported for what its module lacks."""

    def __init__(self, token: RecoveringToken, rows: VouchedRows, held: HeldKeys) -> None:
        self._token, self._session, self._rows, self._held = token, token.session, rows, held
        self._run = token.run

    def generate_key(self, metadata: KeyMetadata) -> WrappedKey:
        """A new CMK version, made and wrapped in the module, with the HSM's MAC over the row; Unsupported."""
        _require_version(metadata)
        self._token.require_able(metadata.spec.value)
        if SPECS[metadata.spec].software:
            return self._keep(metadata, *software_keys.generate(metadata.spec))
        kind = self._session.kind_of_new(metadata)

        def work() -> WrappedKey:
            root = self._rows.root()
            if kind.resident:
                blob, public_key = self._session.make_resident(kind, metadata.key_id, metadata.version)
            else:
                made, public_key = self._session.make(kind)
                key = self._session.completed(kind, made)
                blob = self._session.wrap(root, key)
                key.destroy()
            row = self._rows.row(root, metadata, blob, public_key)
            if kind.resident:
                self._session.keep_resident(metadata.key_id, metadata.version)
            return row

        return self._run(work)

    def generate_import_key(self, account: str, key_id: str, spec: WrappingSpec) -> WrappedKey:
        """A key pair under which material of the key comes in; Unsupported."""
        metadata = KeyMetadata(account, key_id, 0, KeySpec(spec.value))
        self._token.require_able(spec.value)
        if spec is WrappingSpec.SM2:
            metadata = replace(metadata, protection_level=protection_level(metadata.spec))
            return self._keep(metadata, *software_keys.generate(metadata.spec))
        kind = key_kinds.kind_of(metadata)

        def work() -> WrappedKey:
            root = self._rows.root()
            return self._rows.row(root, metadata, *importing.make_pair(self._session, root, kind))

        return self._run(work)

    def import_key(
        self,
        metadata: KeyMetadata,
        import_key: WrappedKey,
        algorithm: WrappingAlgorithm,
        material: bytes,
        before: WrappedKey | None = None,
    ) -> WrappedKey:
        """The material as a key version, under the root of the one `before`; InvalidCiphertext, Unsupported.

        `before` is what a worker says: whatever of it goes into the new row has a seal of the HSM's.
        """
        kek_id = "" if before is None else before.kek_id
        fits = (import_key.spec is KeySpec.SM2) is (algorithm is WrappingAlgorithm.SM2PKE)
        if not importable(metadata.spec, algorithm) or metadata.version == 0 or import_key.version != 0 or not fits:
            raise InvalidKeyUsage(f"cannot import {metadata.spec.value} by {algorithm.value}")
        self._token.require_able(metadata.spec.value)
        self._token.require_able(algorithm.value)
        metadata = replace(metadata, origin=KeyOrigin.EXTERNAL)
        if SPECS[metadata.spec].software:
            return self._run(lambda: self._import_software(metadata, import_key, material, kek_id))
        suite = mac_keys.suite_of(self._session, metadata, before)
        kind = key_kinds.kind_for(metadata.spec, metadata.usage)

        def work() -> WrappedKey:
            root = self._rows.root(kek_id)
            into = (self._session, root, lambda: self._held.used(import_key))
            made = imported_keys.take_in(*into, kind, algorithm, material)
            row = self._rows.row(root, metadata, *made, suite)
            return mac_keys.completed(self._session, self._rows, root, row, before)

        return self._run(work)

    def rewrap(self, key: WrappedKey) -> WrappedKey:
        """The same key version under the current root; the row itself where it is there already.

        Also where its root is newer than the current one: that one is held back here, and not on another node.
        """
        _require_version(key.metadata)

        def work() -> WrappedKey:
            root = self._rows.root()
            old = self._session.root_of(key.kek_id)
            if old is not None and old.generation >= root.generation:
                return key
            handle = self._held.handle(key)
            if SPECS[key.spec].software:
                blob = software_keys.rewrap(self._session, self._session.roots[key.kek_id], root, key)
                answer = software_keys.answer(handle.object, key.public_key) if key.fingerprint else b""
            else:
                kind = key_kinds.kind_of(key)
                blob = key.blob if kind.resident else self._session.wrap(root, handle.object)
                answer = fingerprints.answer(kind, handle.object, key.public_key) if key.fingerprint else b""
            renewed = replace(key, kek_id=root.kek_id, blob=blob)
            if key.fingerprint:
                renewed = replace(renewed, fingerprint=self._rows.fingerprint(root, key.metadata, answer))
            if key.has_sealed_mac_key:
                renewed = mac_keys.sealed(self._session, root, renewed)
            return self._rows.macked(root, renewed)

        return self._run(work)

    def _import_software(
        self, metadata: KeyMetadata, import_key: WrappedKey, material: bytes, kek_id: str
    ) -> WrappedKey:
        """As `import_key` within the token's recovery, for keys that are used in memory."""
        root = self._rows.root(kek_id)
        opened = sm2.decrypt(self._held.used(import_key).object, material)
        try:
            found, public_key = software_keys.imported(metadata.spec, opened)
        finally:
            software_keys.wipe(opened)
        try:
            answer = software_keys.answer(found, public_key)
            return self._rows.row(
                root, metadata, software_keys.seal(self._session, root, metadata, found), public_key, answer
            )
        finally:
            software_keys.wipe(found)

    def _keep(self, metadata: KeyMetadata, material: bytes, public_key: bytes) -> WrappedKey:
        """The row of a key that is used in memory; its material is overwritten here."""

        def work() -> WrappedKey:
            root = self._rows.root()
            return self._rows.row(
                root, metadata, software_keys.seal(self._session, root, metadata, material), public_key
            )

        try:
            return self._run(work)
        finally:
            software_keys.wipe(material)


def _require_version(key: KeyMetadata) -> None:
    """An import's key pair, whose version is 0, is made in its own way, and not worth a renewal."""
    if key.version == 0:
        raise InvalidKeyUsage(f"cannot do that with version 0 of key {key.key_id}: it is no key version")
