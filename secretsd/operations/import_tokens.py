"""Import tokens: what a day later still says under which key pair material was wrapped, for which key, and how.

A token carries the wrapped key pair itself, sealed under the account's own key for this one purpose and bound to
account and key. So an import leaves nothing in storage that somebody would have to clean up or that a backup would
keep, any node takes it, and whoever has not asked for it can make none. It may be used again within its day, as those
of other KMSs may: it gets material into one key, and only the same material twice.
"""

import msgspec

from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import InvalidCiphertext, InvalidState, NotFound
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.domain.keys import CMK, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.call import Call
from secretsd.operations.versions import current_key_version
from secretsd.ports.keystore import KeyUse


class ImportToken(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The import's key pair, how the material will be wrapped under it, and when the two end."""

    pair: WrappedKey
    algorithm: WrappingAlgorithm
    expires_ms: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ImportToken).decode


async def seal_token(call: Call, key: CMK, token: ImportToken) -> bytes:
    """The token, sealed."""
    account = await call.parts.rows.account(key.account)
    sealing = await current_key_version(call, key.account, account.default_key_id)
    use = KeyUse(key.account, Purpose.IMPORT_TOKEN, call.request_name)
    return await call.parts.keystore.encrypt(sealing, use, Plaintext(_encode(token)), _context(key))


async def open_token(call: Call, key: CMK, sealed: bytes) -> ImportToken:
    """The token; InvalidCiphertext where it was made for another key or account, was changed, or has ended."""
    refused = InvalidCiphertext(f"cannot open the import token: it is none for key {key.id}, or its day is over")
    try:
        header, _, _ = CiphertextHeader.split(sealed)
        sealing = await call.parts.rows.key_version(key.account, header.key_id, header.key_version)
        sealing.require_live()
        use = KeyUse(key.account, Purpose.IMPORT_TOKEN, call.request_name)
        opened = await call.parts.keystore.decrypt(sealing, use, sealed, _context(key))
        token = _decode(opened.reveal())
    except (InvalidCiphertext, InvalidState, NotFound, msgspec.DecodeError):
        raise refused from None
    if token.expires_ms <= call.time_ms:
        raise refused
    return token


def _context(key: CMK) -> dict[str, str]:
    return {"account": key.account, "key": key.id}
