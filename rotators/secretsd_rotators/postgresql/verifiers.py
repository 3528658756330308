"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) in PostgreSQL's form: all that the server ever learns of a password."""

import base64
import hashlib
import hmac
import os
import re

import msgspec

from secretsd.domain.sensitive import Plaintext

SALT_BYTES = 16
DEFAULT_ITERATIONS = 4096
"""What servers before 16 use, which cannot be asked."""
MAX_ITERATIONS = 1_000_000
"""Half a second of work; a server that wants more, or says so, must not keep us busy for good."""
_FORM = re.compile(
    r"SCRAM-SHA-256\$(?P<iterations>\d{1,9}):(?P<salt>[A-Za-z0-9+/=]+)\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+\Z"
)


class Journal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What prepare leaves beside a candidate, so that applying it again sends the same bytes.

    `marks` says whether the role's comment may carry our mark.
    """

    login: str
    verifier: str
    marks: bool


def verifier(password: Plaintext, iterations: int, salt: bytes | None = None) -> str:
    """The verifier of a password. Ours are ASCII, so SASLprep changes nothing."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.reveal(), salt, iterations)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, client, server)]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def matches(password: Plaintext, stored: str) -> bool:
    """Whether a stored verifier is one of that password."""
    found = _FORM.match(stored)
    if found is None:
        return False
    again = verifier(password, int(found["iterations"]), base64.b64decode(found["salt"]))
    return hmac.compare_digest(again, stored)
