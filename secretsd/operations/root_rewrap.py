"""Operations on generations of the root: which there are, what each still wraps, and one key version moved on."""

from collections import Counter

from secretsd.api.fields import Response
from secretsd.api.keys import OfKey
from secretsd.api.root_keys import (
    DescribeErasureRequest,
    DescribeErasureResponse,
    DescribeRootKeysRequest,
    DescribeRootKeysResponse,
    RootKeyDescription,
)
from secretsd.domain.errors import InvalidState, KeyStoreUnavailable, NotFound
from secretsd.domain.key_specs import SPECS, KeyFamily
from secretsd.domain.keys import KeyState, KeyVersionState, WrappedKey
from secretsd.domain.root_keys import ErasedBy, Erasure, erased_from_backups
from secretsd.operations.call import Call
from secretsd.operations.keys import find_key
from secretsd.operations.registry import operation
from secretsd.ports.keystore import KeyStoreStatus

AT_ONCE = 500
DAY_MS = 24 * 3600 * 1000
_LATEST = 2**62


class RewrapKeyVersionRequest(OfKey, frozen=True, kw_only=True):
    """Which version of which CMK."""

    version: int


class RewrapKeyVersionResponse(Response, frozen=True, kw_only=True):
    """The root that wraps it now, and whether that is another one than before."""

    id: str
    version: int
    kek_id: str
    moved: bool


@operation("RewrapKeyVersion", None, audited=("version",))
async def rewrap_key_version(call: Call, request: RewrapKeyVersionRequest) -> RewrapKeyVersionResponse:
    """Wrap a key version by the current root instead of an older one; its material and all it made stay as they are."""
    before = await call.parts.storage.keys.version(call.account, request.key, request.version)
    after = before
    if before.state is KeyVersionState.LIVE:
        after = await call.parts.keystore.rewrap(before)
    moved = after.kek_id != before.kek_id
    if moved:
        call.fields["from_root"], call.fields["to_root"] = before.kek_id, after.kek_id
        await call.commit(call.replace(before, after))
    return RewrapKeyVersionResponse(id=before.key_id, version=before.version, kek_id=after.kek_id, moved=moved)


@operation("DescribeRootKeys", "GET /v1/root-keys")
async def describe_root_keys(call: Call, request: DescribeRootKeysRequest) -> DescribeRootKeysResponse:
    """Tell which generations of the root there are, and how many stored key versions still need each."""
    status = await _status(call)
    wrapped: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    after = "", "", -1
    while found := await call.parts.storage.keys.wrapped_otherwise(status.kek_id, after, AT_ONCE):
        wrapped.update(key.kek_id for key in found if key.state is KeyVersionState.LIVE)
        absent.update(key.kek_id for key in found if key.state is KeyVersionState.ABSENT)
        after = _place(found[-1])
    known = {root.kek_id for root in status.roots}
    return DescribeRootKeysResponse(
        roots=tuple(
            RootKeyDescription(
                kek_id=root.kek_id,
                generation=root.generation,
                made_ms=root.made_ms,
                wraps=root.kek_id == status.kek_id,
                held=root.held,
                destroyed_ms=root.destroyed_ms,
                key_versions=None if root.kek_id == status.kek_id else wrapped[root.kek_id],
                absent_versions=None if root.kek_id == status.kek_id else absent[root.kek_id],
                used_ms=root.used_ms,
            )
            for root in status.roots
        ),
        unknown=sum(count for kek_id, count in wrapped.items() if kek_id not in known),
        escrowed=await _escrowed(call, status.kek_id),
    )


@operation("DescribeErasure", "GET /v1/keys/{key}:erasure")
async def describe_erasure(call: Call, request: DescribeErasureRequest) -> DescribeErasureResponse:
    """Tell from when on backups no longer give a destroyed CMK."""
    key = await find_key(call, request.key)
    if key.state is not KeyState.DESTROYED or key.deletion_ms is None:
        raise InvalidState(f"cannot tell when key {key.id} is erased from backups: it is {key.state.value}")
    status = await _status(call)
    retention_ms = None if request.retention_days is None else request.retention_days * DAY_MS
    found: list[Erasure] = []
    before = _LATEST
    while versions := await call.parts.storage.keys.versions(key.account, key.id, before, AT_ONCE):
        found += (
            erased_from_backups(
                # A row of the first release does not say when it was made; then the key's own date is the earliest.
                one.created_ms or key.created_ms,
                key.deletion_ms,
                status.roots,
                retention_ms=retention_ms,
                resident=SPECS[key.spec].family is KeyFamily.EDWARDS,
            )
            for one in versions
        )
        before = versions[-1].version
    last = max(found, key=lambda one: _LATEST if one.at_ms is None else one.at_ms, default=_NOTHING)
    return DescribeErasureResponse(
        id=key.id, destroyed_ms=key.deletion_ms, how=last.how.value, at_ms=last.at_ms, versions=len(found)
    )


_NOTHING = Erasure(ErasedBy.NOTHING_YET, None)


async def _status(call: Call) -> KeyStoreStatus:
    status = await call.parts.keystore.status()
    if not status.available:
        raise KeyStoreUnavailable(retry_after_seconds=1)
    return status


async def _escrowed(call: Call, kek_id: str) -> int:
    """Candidates of the escrow whose key versions another root wraps, or that storage has lost; each version once."""
    needed = Counter(
        (entry.version.account, entry.version.key_id, entry.version.key_version)
        for entry in await call.parts.escrow.entries()
    )
    count = 0
    for (account, key_id, version), entries in needed.items():
        try:
            row = await call.parts.storage.keys.version(account, key_id, version)
        except NotFound:
            count += entries
        else:
            count += entries * (row.state is KeyVersionState.LIVE and row.kek_id != kek_id)
    return count


def _place(key: WrappedKey) -> tuple[str, str, int]:
    return key.account, key.key_id, key.version
