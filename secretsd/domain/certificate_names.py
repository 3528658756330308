"""Names in a client's TLS certificate, and the proofs that they make: `tls:<authority>/dns/…`, `tls:<authority>/uri/…`.

The subject's common name makes none: no authority promises what it may say (RFC 6125, 1.7).
"""

import re
from collections.abc import Sequence

MAX_NAMES = 16
"""How many names of a certificate are looked up."""
_DNS = r"(?=[^/]{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
_URI = r"[a-z][a-z0-9+.-]{0,31}:[A-Za-z0-9._~:/?@!$&'()*+,;=%-]{1,1750}"
CERTIFICATE_PROOF = rf"tls:[A-Za-z0-9_+=.@-]{{1,128}}/(?:dns/{_DNS}|uri/{_URI})"
"""What `certificate_proofs` makes: any other spelling is no certificate's."""
_IS_DNS = re.compile(rf"^{_DNS}$(?![\s\S])")
_IS_URI = re.compile(rf"^{_URI}$(?![\s\S])")


class NamesRefused(Exception):
    """The names of a certificate prove nothing; the reason says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def certificate_proofs(authority: str, dns_names: Sequence[str], uris: Sequence[str]) -> tuple[str, ...]:
    """The proofs of a certificate that the authority vouches for, the URI's first; NamesRefused where it has none.

    Of URIs it may have one (SPIFFE X.509-SVID, 2: more than one must be refused). DNS names are compared in lower case;
    a wildcard is no name of anybody, and makes no proof.
    """
    if len(uris) > 1:
        raise NamesRefused("it has more than one URI as its name")
    if len(dns_names) > MAX_NAMES:
        raise NamesRefused(f"it has more than {MAX_NAMES} DNS names")
    found = [f"uri/{uri}" for uri in uris if _IS_URI.match(uri)]
    found += [f"dns/{name}" for name in dict.fromkeys(map(str.lower, dns_names)) if _IS_DNS.match(name)]
    if not found:
        raise NamesRefused("it has no URI and no DNS name that can be bound")
    return tuple(f"tls:{authority}/{name}" for name in found)
