"""Operations that tell of a CMK's versions, and the public half of the current one."""

import base64
import textwrap

from secretsd.api.key_lifecycle import (
    GetPublicKeyRequest,
    GetPublicKeyResponse,
    KeyVersionDescription,
    ListKeyVersionsRequest,
    ListKeyVersionsResponse,
)
from secretsd.domain.algorithms import algorithm_names
from secretsd.domain.errors import InvalidKeyUsage, InvalidRequest
from secretsd.domain.key_specs import SPECS
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.keys import find_key
from secretsd.operations.registry import operation


@operation("ListKeyVersions", "GET /v1/keys/{key}:versions")
async def list_key_versions(call: Call, request: ListKeyVersionsRequest) -> ListKeyVersionsResponse:
    """List the versions of a CMK, the newest first."""
    key = await find_key(call, request.key)
    before = pages.after(request.next_token) or str(2**62)
    if not before.isdecimal() or len(before) > 19:
        raise InvalidRequest("cannot go on with the list: next_token is not one of ours")
    found = await call.parts.storage.keys.versions(key.account, key.id, int(before), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda version: str(version.version))
    return ListKeyVersionsResponse(
        id=key.id,
        versions=tuple(
            KeyVersionDescription(
                version=one.version,
                state=one.state.value,
                current=one.version == key.current_version,
                # Rows of the first release do not say it; their keys have this one version.
                created_ms=one.created_ms or key.created_ms,
            )
            for one in shown
        ),
        next_token=token,
    )


@operation("GetPublicKey", "GET /v1/keys/{key}:public-key")
async def get_public_key(call: Call, request: GetPublicKeyRequest) -> GetPublicKeyResponse:
    """Tell the public half of an asymmetric CMK, for use outside."""
    key = await find_key(call, request.key)
    if not SPECS[key.spec].asymmetric:
        raise InvalidKeyUsage(f"cannot tell the public key of key {key.id}: a key of spec {key.spec.value} has none")
    key.require_usable(key.usage, call.time_ms)
    version = await call.parts.rows.key_version(key.account, key.id, key.current_version)
    return GetPublicKeyResponse(
        id=key.id,
        version=version.version,
        spec=key.spec.value,
        usage=key.usage.value,
        algorithms=algorithm_names(key.spec, key.usage),
        public_key=version.public_key,
        pem=_pem(version.public_key),
    )


def _pem(public_key: bytes) -> str:
    """RFC 7468 section 13: lines of 64 characters."""
    lines = textwrap.wrap(base64.b64encode(public_key).decode(), 64)
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
