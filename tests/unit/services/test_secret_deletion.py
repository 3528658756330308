"""Deletions that are due are done under a lease, each as a step of the account's rotation role."""

from types import SimpleNamespace
from typing import Any

from secretsd.domain.errors import StorageUnavailable
from secretsd.domain.principals import ROTATION_ROLE, Principal
from secretsd.domain.secrets import Secret
from secretsd.operations.catalogue import catalogue
from secretsd.ports.storage import Fence, Lease
from secretsd.services.secret_deletion import SecretDeletions
from secretsd.testing import samples

catalogue()  # declares the operations, as the composition root does before any service runs
NOW_MS = 5_000


class MemoryParts:
    """As much of storage and pipeline as the service calls."""

    def __init__(self, due: list[Secret], *, lease: bool = True, fails: bool = False) -> None:
        self.due = due
        self.erased: list[tuple[str, str, Principal, Fence | None]] = []
        self.lease = Lease("secret-deletion", "me", 3) if lease else None
        self.released: list[Lease] = []
        self.fails = fails
        self.asked_at: list[int] = []
        self.secrets = self.leases = self
        clock = SimpleNamespace(now_ms=lambda: NOW_MS)
        self.parts = SimpleNamespace(storage=self, clock=clock)

    async def claim(self, name: str, seconds: float) -> Lease | None:
        return self.lease

    async def release(self, lease: Lease) -> None:
        self.released.append(lease)

    async def deletions_due(self, now_ms: int, limit: int) -> list[Secret]:
        self.asked_at.append(now_ms)
        return self.due[:limit]

    async def run_scheduled(self, operation: Any, request: Any, principal: Principal, fence: Fence | None) -> None:
        if self.fails:
            raise StorageUnavailable
        self.erased.append((operation.name, request.name, principal, fence))


def service(parts: MemoryParts) -> SecretDeletions:
    return SecretDeletions(parts)  # type: ignore[arg-type]  # what it calls, and no more


async def test_what_is_due_is_erased() -> None:
    parts = MemoryParts([samples.secret("a"), samples.secret("b")])
    assert await service(parts).ensure() == 2
    assert [(operation, name) for operation, name, _, _ in parts.erased] == [("EraseSecret", "a"), ("EraseSecret", "b")]
    for _, _, principal, fence in parts.erased:
        assert principal == Principal(samples.ACCOUNT, ROTATION_ROLE, "schedule")
        assert fence == Fence("secret-deletion", "me", 3)
    assert parts.asked_at == [NOW_MS]
    assert parts.released == [parts.lease]


async def test_another_worker_is_at_it() -> None:
    parts = MemoryParts([samples.secret("a")], lease=False)
    assert await service(parts).ensure() == 0
    assert parts.erased == []


async def test_the_lease_is_given_back_when_it_fails() -> None:
    parts = MemoryParts([samples.secret("a")], fails=True)
    try:
        await service(parts).ensure()
    except StorageUnavailable:
        assert parts.released == [parts.lease]
    else:
        raise AssertionError("the failure must be told, so that it is tried again")
