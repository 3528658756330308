"""SCRAM-SHA-256 verifiers as PostgreSQL stores them, made here once more by the RFC and not by the rotator's code."""

import base64
import hashlib
import hmac
import re

_FORM = re.compile(r"SCRAM-SHA-256\$(\d{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)\Z")


def verifies(stored: str, password: str) -> bool:
    """Whether the stored verifier is one of the password, with the salt and the iterations that stand in it."""
    found = _FORM.match(stored)
    if found is None:
        return False
    iterations, salt, stored_key, server_key = found.groups()
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return [base64.b64encode(one).decode() for one in (client, server)] == [stored_key, server_key]
