"""Limits on callers: how many requests a second, and how often a proof may fail. Each worker counts for itself."""

import math
import time
from collections.abc import Callable, Hashable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from secretsd.domain.errors import Throttled
from secretsd.domain.limits import BackOff, Rate
from secretsd.domain.principals import Principal
from secretsd.operations.request_facts import Way

LOOKS_PER_SECOND = 10.0
"""How many proofs that cost signatures are verified for who failed too often: a good one among them gets through."""
_NETWORK_BITS = 64
"""Of an IPv6 address: what is behind them belongs to one customer of a provider, who has all of it to call from."""


class CallerLimits:
    """0 turns each of them off. `now` tells seconds of a monotonic clock.

    Nobody waits here: who has to is told so at once, and for how long.
    """

    def __init__(
        self,
        requests_per_principal: float = 0.0,
        requests_per_account: float = 0.0,
        free_failed_proofs: int = 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._principals = Rate(requests_per_principal)
        self._accounts = Rate(requests_per_account)
        self._back_off = BackOff(free_failed_proofs)
        self._looks = Rate(LOOKS_PER_SECOND)
        self._any = self._principals.limited or self._accounts.limited
        self._now = now

    def admit(self, principal: Principal) -> None:
        """Count a request of the principal and his account; Throttled where it is one too many, and then not counted.

        All sessions of a role are one principal.
        """
        if not self._any:
            return
        now, who = self._now(), principal[:2]
        principals, accounts = self._principals, self._accounts
        if principals.limited and (wait := principals.wait(who, now)) > 0:
            raise _too_many("user or role", wait)
        if accounts.limited and (wait := accounts.wait(who[0], now)) > 0:
            raise _too_many("account", wait)
        if principals.limited:
            principals.take(who, now)
        if accounts.limited:
            accounts.take(who[0], now)

    def look(self, way: Way) -> None:
        """Count a proof whose signatures are to be verified; Throttled where too many are tried after what failed."""
        if not (held := self._held(way)):
            return
        now, source = self._now(), _source(way)
        if self._looks.wait(source, now) > 0:
            raise _too_many_failures(held)
        self._looks.take(source, now)

    def failed(self, way: Way) -> None:
        """Count a proof that failed; Throttled, and not counted, where one has to wait since an earlier one."""
        if held := self._held(way):
            raise _too_many_failures(held)
        self._back_off.failed(_source(way), self._now())

    def _held(self, way: Way) -> int:
        """Whole seconds for which whoever fails is told to wait; 0 where he is not."""
        if not len(self._back_off):
            return 0
        return math.ceil(self._back_off.held(_source(way), self._now()))


def _too_many_failures(seconds: int) -> Throttled:
    return Throttled("cannot look at more proofs of identity from there now", retry_after_seconds=seconds)


def _too_many(what: str, wait: float) -> Throttled:
    return Throttled(f"cannot take more requests of this {what} now", retry_after_seconds=math.ceil(wait))


def _source(way: Way) -> Hashable:
    """Whom a failure is counted for: the uid at a Unix socket, else the address, of IPv6 its network."""
    return _network(way.address) if way.uid is None else way.uid


@lru_cache(maxsize=4096)
def _network(text: str) -> Hashable:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return "network", int(address) >> (128 - _NETWORK_BITS)
    return str(address)
