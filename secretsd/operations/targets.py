"""Operations on targets, for operators: where credentials are rotated, and whose logins are there (SECURITY 12)."""

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from secretsd.api.fields import TextValue
from secretsd.api.targets import (
    CreateTargetRequest,
    DeleteTargetRequest,
    DescribeTargetRequest,
    ListTargetsRequest,
    ListTargetsResponse,
    TargetDeletedResponse,
    TargetDescription,
    UpdateTargetRequest,
)
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.sensitive import Plaintext
from secretsd.domain.targets import Target, admin_context
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.ids import new_id
from secretsd.operations.registry import operation
from secretsd.operations.system_account import system_key
from secretsd.ports.keystore import KeyUse
from secretsd.ports.rotator import RotationFailed
from secretsd.ports.storage import Change, Delete, StaleRecord

CHANGEABLE = ("address", "admin_login", "admin_password", "logins", "description")


def describe_target(target: Target) -> TargetDescription:
    """A target as operators see it."""
    return TargetDescription(
        target=target.name,
        resource=str(Resource(SYSTEM_ACCOUNT, f"target/{target.name}")),
        rotator=target.rotator,
        address=msgspec.json.decode(target.address),
        logins={account: tuple(patterns.split("\n")) for account, patterns in target.logins.items()},
        created_ms=target.created_ms,
        changed_ms=target.changed_ms,
        admin_login=target.admin_login or None,
        description=target.description,
    )


@operation("CreateTarget", "POST /v1/targets", audited=("rotator", "admin_login"))
async def create_target(call: Call, request: CreateTargetRequest) -> TargetDescription:
    """Describe a system in which credentials are rotated."""
    if (request.admin_login is None) != (request.admin_password is None):
        raise InvalidRequest("cannot create the target: an administrator has both login and password")
    address = await _checked(call, request.rotator, request.address)
    target = Target(
        SYSTEM_ACCOUNT,
        request.target,
        new_id(),
        request.rotator,
        address,
        call.time_ms,
        call.time_ms,
        request.admin_login or "",
        logins=_joined(request.logins),
        description=request.description,
    )
    changes: list[Change] = []
    if request.admin_password is not None:
        target, changes = await _sealed(call, target, request.admin_password)
    try:
        await call.commit(call.add(target), *changes)
    except AlreadyExists:
        with contextlib.suppress(NotFound):
            await call.parts.storage.targets.get(request.target)
            raise AlreadyExists(f"cannot create target {request.target}: it exists already") from None
        raise StaleRecord from None  # the key of the system account was made by another call meanwhile
    return describe_target(target)


@operation("DescribeTarget", "GET /v1/targets/{target}")
async def describe_target_operation(call: Call, request: DescribeTargetRequest) -> TargetDescription:
    """Tell all about a target but its administrator's password."""
    return describe_target(await call.parts.storage.targets.get(request.target))


@operation("ListTargets", "GET /v1/targets")
async def list_targets(call: Call, request: ListTargetsRequest) -> ListTargetsResponse:
    """List the targets of this daemon."""
    found = await call.parts.storage.targets.page(pages.after(request.next_token), request.limit + 1)
    shown, token = pages.page(found, request.limit, lambda target: target.name)
    return ListTargetsResponse(targets=tuple(map(describe_target, shown)), next_token=token)


@operation("UpdateTarget", "PATCH /v1/targets/{target}", audited=("admin_login",))
async def update_target(call: Call, request: UpdateTargetRequest) -> TargetDescription:
    """Change a target; whoever moves it, or names another administrator, has to know the administrator's password."""
    call.fields["changed"] = tuple(name for name in CHANGEABLE if getattr(request, name) is not None)
    before = await call.parts.storage.targets.get(request.target)
    after = replace(before, changed_ms=call.time_ms)
    if request.description is not None:
        after = replace(after, description=request.description)
    if request.logins is not None:
        after = replace(after, logins=_joined(request.logins))
    if request.address is not None:
        after = replace(after, address=await _checked(call, before.rotator, request.address))
    if request.admin_login is not None:
        after = replace(after, admin_login=request.admin_login)
    changes: list[Change] = []
    if request.admin_password is not None:
        if not after.admin_login:
            raise InvalidRequest("cannot update the target: a password needs the administrator's login")
        after, changes = await _sealed(call, after, request.admin_password)
    elif not after.admin_login:
        after = replace(after, admin="")
    elif (after.address, after.admin_login) != (before.address, before.admin_login):
        raise InvalidRequest("cannot update the target: another address or administrator needs the password again")
    try:
        await call.commit(call.replace(before, after), *changes)
    except AlreadyExists:
        raise StaleRecord from None  # as above
    return describe_target(after)


@operation("DeleteTarget", "DELETE /v1/targets/{target}")
async def delete_target(call: Call, request: DeleteTargetRequest) -> TargetDeletedResponse:
    """Take a target away; it stays while a secret holds a login there."""
    target = await call.parts.storage.targets.get(request.target)
    if await call.parts.storage.targets.logins(target.name, "", 1):
        raise Conflict(f"cannot delete target {target.name}: a secret holds a login there")
    await call.commit(Delete(target))
    return TargetDeletedResponse(target=target.name)


def _joined(logins: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {account: "\n".join(patterns) for account, patterns in logins.items()}


async def _checked(call: Call, rotator: str, address: Mapping[str, Any]) -> str:
    try:
        return await call.parts.rotators.check_address(rotator, json.dumps(dict(address)))
    except RotationFailed as failed:
        if failed.reason == "unknown-rotator":
            raise InvalidRequest("cannot reach a target by that rotator: secretsd.yaml does not name it") from None
        if failed.reason == "bad-settings":
            raise InvalidRequest(f"cannot accept the address: it does not fit the schema of {rotator}") from None
        raise Conflict(f"cannot check the address: {failed.reason}") from None


async def _sealed(call: Call, target: Target, password: TextValue) -> tuple[Target, list[Change]]:
    """The target with its administrator's password sealed to it, and what that adds to the system account."""
    key, changes = await system_key(call)
    context = admin_context(target.id, target.address, target.admin_login)
    use = KeyUse(SYSTEM_ACCOUNT, Purpose.TARGET, call.request_name)
    sealed = await call.parts.keystore.encrypt(key, use, Plaintext(password.reveal()), context)
    return replace(target, admin=base64.b64encode(sealed).decode()), changes
