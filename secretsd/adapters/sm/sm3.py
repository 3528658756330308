"""SM3 (GB/T 32905) by OpenSSL."""

from secretsd.adapters.sm.extra import openssl


def digest(data: bytes) -> bytes:
    """The 32 bytes of the hash."""
    hashes = openssl().hashes
    hashed = hashes.Hash(hashes.SM3())
    hashed.update(data)
    return bytes(hashed.finalize())
