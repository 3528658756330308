"""Networks of addresses, such as 192.0.2.0/24 or 2001:db8::/48, and whether an address is in one."""

import ipaddress
from functools import lru_cache

NETWORK_PATTERN = r"^[0-9A-Fa-f.:]{2,45}(?:/[0-9]{1,3})?$(?![\s\S])"
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def network_of(text: str) -> str | None:
    """The network in its one usual form; None for what is none, or has bits set behind its length."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        return None
    if network.version == 6 and network.subnet_of(_MAPPED):
        return None  # an IPv4 network in a form that no address would match
    return str(network)


def is_part(network: str, of: str) -> bool:
    """Whether all of a network lies within the other one, both in their usual form; everything does within ""."""
    if not of:
        return True
    inner, outer = ipaddress.ip_network(network), ipaddress.ip_network(of)
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)


@lru_cache(maxsize=4096)
def is_within(address: str, network: str) -> bool:
    """Whether the address is in the network; "" (no address at all) is in none. IPv4 in IPv6 counts as IPv4."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(found, "ipv4_mapped", None) or found) in ipaddress.ip_network(network)
