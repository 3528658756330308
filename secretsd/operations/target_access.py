"""Targets as rotations use them: who may, which login is whose, the credential opened for one step (SECURITY 12)."""

import base64
from collections.abc import Sequence

from secretsd.domain.envelope import CiphertextHeader, Purpose
from secretsd.domain.errors import AccessDenied, Conflict, InvalidCiphertext, InvalidRequest, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.rotation import Rotation
from secretsd.domain.secrets import Secret
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.targets import Target, TargetLogin, admin_context
from secretsd.operations.call import Call
from secretsd.ports.keystore import KeyUse
from secretsd.ports.rotator import RotationFailed, TargetOrder
from secretsd.ports.storage import Change, Delete


async def require_target(call: Call, name: str, rotator: str, logins: Sequence[str]) -> Target:
    """The target, which the caller may use with these logins of its account; AccessDenied, InvalidRequest."""
    # First of all, so that a target which is unknown and one which is forbidden look alike.
    await call.require("UseTarget", Resource(SYSTEM_ACCOUNT, f"target/{name}"))
    try:
        target = await call.parts.storage.targets.get(name)
    except NotFound:
        raise AccessDenied.without("UseTarget") from None
    for login in logins:
        target.require_login(call.account, login)
    if target.rotator != rotator:
        raise InvalidRequest(f"cannot use target {name} with {rotator}: it is one of another rotator")
    return target


async def claim_logins(
    call: Call, target: Target | None, logins: Sequence[str], secret: Secret, before: Rotation | None
) -> list[Change]:
    """Changes that give the secret these logins and no others; Conflict when another secret holds one."""
    had = set() if before is None else {(before.target, login) for login in before.logins}
    wanted = set() if target is None else {(target.name, login) for login in logins}
    changes: list[Change] = []
    for name, login in sorted(had - wanted):
        changes.append(Delete(await call.parts.storage.targets.login(name, login)))
    for name, login in sorted(wanted - had):
        try:
            await call.parts.storage.targets.login(name, login)
        except NotFound:
            changes.append(call.add(TargetLogin(name, login, secret.account, secret.id, call.time_ms)))
        else:
            raise Conflict(f"cannot rotate that login at target {name}: another secret holds it")
    return changes


async def release_logins(call: Call, rotation: Rotation) -> list[Change]:
    """Changes that set a rotation's logins free."""
    return [Delete(await call.parts.storage.targets.login(rotation.target, login)) for login in rotation.logins]


async def target_order(call: Call, rotation: Rotation) -> TargetOrder | None:
    """The target for one step, its credential opened; RotationFailed when the account may not use it any more."""
    if not rotation.target:
        return None
    try:
        target = await require_target(call, rotation.target, rotation.rotator, rotation.logins)
    except (AccessDenied, InvalidRequest):
        raise RotationFailed("target-not-allowed") from None
    return TargetOrder(target.name, target.address, target.admin_login, await _admin(call, target))


async def _admin(call: Call, target: Target) -> Plaintext | None:
    if not target.admin:
        return None
    sealed = base64.b64decode(target.admin)
    try:
        header, _, _ = CiphertextHeader.split(sealed)
        key = await call.parts.rows.key_version(SYSTEM_ACCOUNT, header.key_id, header.key_version)
        use = KeyUse(SYSTEM_ACCOUNT, Purpose.TARGET, call.request_name)
        context = admin_context(target.id, target.address, target.admin_login)
        return await call.parts.keystore.decrypt(key, use, sealed, context)
    except (InvalidCiphertext, NotFound):
        raise RotationFailed("target-credential-unreadable") from None
