"""The one algorithm suite of our messages: AES-256-GCM under a key of each message's own, with key commitment.

It is 0x0478 of the AWS Encryption SDK, described in docs/reference/message-format.md.
"""

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.sensitive import Plaintext

ALGORITHM = 0x0478
DATA_KEY_BYTES = 32
MESSAGE_ID_BYTES = 32
COMMITMENT_BYTES = 32
IV_BYTES = 12
TAG_BYTES = 16
_KEY_INFO = ALGORITHM.to_bytes(2, "big") + b"DERIVEKEY"
_COMMITMENT_INFO = b"COMMITKEY"


@dataclass(frozen=True, slots=True)
class MessageKeys:
    """What a data key and a message's id give: the cipher of that message alone, and the commitment to the data key."""

    cipher: AESGCM = field(repr=False)
    commitment: bytes

    @classmethod
    def derive(cls, data_key: Plaintext, message_id: bytes) -> "MessageKeys":
        """HKDF with SHA-512 (RFC 5869), the message's id as its salt.

        A message's id is random, so two messages under one data key have different keys, whoever wrote them. A data
        key that is not 32 bytes long raises InvalidCiphertext.
        """
        if len(data_key) != DATA_KEY_BYTES:
            raise InvalidCiphertext(f"cannot use the data key of the message: it is not {DATA_KEY_BYTES} bytes long")
        return cls(
            AESGCM(_derived(data_key, message_id, _KEY_INFO)),
            _derived(data_key, message_id, _COMMITMENT_INFO),
        )

    def commits_to(self, commitment: bytes) -> bool:
        """Whether the message says that it was made with this very data key."""
        return hmac.compare_digest(self.commitment, commitment)


def _derived(data_key: Plaintext, message_id: bytes, info: bytes) -> bytes:
    return HKDF(SHA512(), 32, message_id, info).derive(data_key.reveal())
