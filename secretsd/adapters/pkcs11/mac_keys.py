"""The MAC key beside an imported AES key on a module without GCM: made in the HSM, and kept when the material goes.

Blob of such a key: the wrapped cipher key 40 | the wrapped MAC key 40 | seal 32
    seal    the root's HMAC-SHA-256 over the wrapped MAC key, its row, and the fingerprint of the material it goes with
When the material is deleted, the last two stay in the row, whose own MAC they do not need. The same material gets them
back, so that it opens what it sealed; whoever writes storage, or lies for a worker, joins no other two keys to one.
"""

import hmac
from dataclasses import replace

from secretsd.adapters.pkcs11 import importing, key_kinds
from secretsd.adapters.pkcs11.key_rows import SEAL_BYTES, sealed_bytes
from secretsd.adapters.pkcs11.token_session import Root, TokenSession
from secretsd.adapters.pkcs11.vouched_rows import VouchedRows
from secretsd.domain.envelope import GCM_SUITES, SUITE_AES_256_CBC_HMAC, SUITE_NONE
from secretsd.domain.errors import Internal
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import SEALED_MAC_KEY_BYTES, KeyMetadata, WrappedKey


def suite_of(session: TokenSession, metadata: KeyMetadata, before: WrappedKey | None) -> int:
    """The suite that imported material gets: the one it had, which a new one could not open; Internal if it had none.

    It had that of its spec, or suite 2 where the module of then lacked GCM; one that this module lacks is kept too.
    """
    if before is None:
        return session.suite_of_new(metadata.spec)
    possible = {GCM_SUITES.get(metadata.spec, SUITE_NONE)}
    if metadata.spec is KeySpec.AES_256:
        possible.add(SUITE_AES_256_CBC_HMAC)
    if before.suite not in possible or before.version != metadata.version:
        raise _not_ours(before)
    return before.suite


def completed(
    session: TokenSession, rows: VouchedRows, root: Root, row: WrappedKey, before: WrappedKey | None
) -> WrappedKey:
    """The row with the MAC key that its suite wants: the one from before for the same material, else a new one.

    Internal where the one from before is not what the HSM once made; PKCS11Error.
    """
    if not row.has_sealed_mac_key:
        return row
    if before is None or not hmac.compare_digest(before.fingerprint, row.fingerprint):
        made, _ = session.make(key_kinds.kind_of(row).partner)
        with importing.gone_afterwards(made):
            both = replace(row, blob=row.blob + session.wrap(root, made))
        return rows.macked(root, sealed(session, root, both))
    stays = before.without_material().blob
    if len(stays) != SEALED_MAC_KEY_BYTES:
        raise _not_ours(before)
    mine = sealed(session, root, replace(row, blob=row.blob + stays[:-SEAL_BYTES]))
    if not hmac.compare_digest(mine.blob, row.blob + stays):
        raise _not_ours(before)
    return rows.macked(root, mine)


def sealed(session: TokenSession, root: Root, row: WrappedKey) -> WrappedKey:
    """The row of two wrapped keys with the seal behind them; PKCS11Error."""
    wrapped = row.blob[SEAL_BYTES - SEALED_MAC_KEY_BYTES :]
    return replace(row, blob=row.blob + session.mac(root, sealed_bytes(row, wrapped)))


def _not_ours(key: WrappedKey) -> Internal:
    return Internal(f"cannot use what stays of key {key.key_id}: its row is not what the key store made")
