"""Claims of a JWT, and the proof that they make up: `jwt:<issuer>/<claim>=<value>,<claim>=<value>`.

A claim is named as it stands at the top of the token (`sub`), or by a JSON Pointer (RFC 6901) where it lies deeper:
`/kubernetes.io/serviceaccount/name`. So a name may hold dots without any marks of their own.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

_CHARACTER = r"[^\x00-\x1f\x7f]"
_STEP = r"/(?:[^/~\x00-\x1f\x7f]|~[01]){1,64}"
CLAIM_PATTERN = rf"^(?:(?!/){_CHARACTER}{{1,128}}|(?:{_STEP}){{1,8}})$(?![\s\S])"
_NAME, _VALUE = r"(?:[A-Za-z0-9._~:@/-]|%[0-9A-F]{2})+", r"(?:[A-Za-z0-9._~:@-]|%[0-9A-F]{2})+"
TOKEN_PROOF = rf"jwt:[A-Za-z0-9_+=.@-]{{1,128}}/{_NAME}={_VALUE}(?:,{_NAME}={_VALUE}){{0,7}}"
"""What `token_proof` makes: any other spelling is no token's."""
MAX_VALUE_LENGTH = 512
MAX_PROOF_LENGTH = 2048
_CLAIM = re.compile(CLAIM_PATTERN)
_PLAIN_IN_NAMES = ":@/"
_PLAIN_IN_VALUES = ":@"


def is_claim(name: str) -> bool:
    """True for the name of a claim, or a JSON Pointer to one that lies deeper."""
    return _CLAIM.match(name) is not None


def claim_value(claims: Mapping[str, Any], name: str) -> str | None:
    """The value of a claim as text: texts as they are, whole numbers in decimal, `true` and `false`.

    None where there is no such claim, or where it is empty, a list, an object, a fraction, or over 512 characters.
    """
    found: Any = claims
    for step in _steps(name):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    match found:
        case bool():
            return "true" if found else "false"
        case int():
            found = str(found) if abs(found) < 2**63 else ""
        case str():
            pass
        case _:
            return None
    return found if 0 < len(found) <= MAX_VALUE_LENGTH and _is_unicode(found) else None


def token_proof(issuer: str, names: Sequence[str], claims: Mapping[str, Any]) -> str | None:
    """The proof that those claims make up, in that order; None where one of them says nothing.

    In values all but letters, digits and `-._~:@` is percent-encoded (RFC 3986, 2.1), `,`, `=` and `/` with them: no
    value can look like another claim, and two different values never make the same proof.
    """
    parts = []
    for name in names:
        value = claim_value(claims, name)
        if value is None:
            return None
        parts.append(f"{quote(name, safe=_PLAIN_IN_NAMES)}={quote(value, safe=_PLAIN_IN_VALUES)}")
    proof = f"jwt:{issuer}/{','.join(parts)}"
    return proof if len(proof) <= MAX_PROOF_LENGTH else None


def _steps(name: str) -> Sequence[str]:
    if not name.startswith("/"):
        return (name,)
    return [step.replace("~1", "/").replace("~0", "~") for step in name[1:].split("/")]


def _is_unicode(text: str) -> bool:
    """JSON can spell half of a surrogate pair, which no text has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
