"""Break-glass: root of the host makes an administrator where all others are lost. It rests on no stored right.

Whoever is root here could write the storage's key out of memory anyway; so this hands on no right, it records one. The
proof is the kernel's word about the peer of a Unix socket, no binding: those, users and policies may all be gone.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from secretsd.api.accounts import RecoverAdministratorRequest, RecoverAdministratorResponse
from secretsd.domain.errors import InvalidRequest, InvalidState, NotFound
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import InlinePolicy
from secretsd.domain.principals import Account, User
from secretsd.operations.accounts import account_resource
from secretsd.operations.call import Call
from secretsd.operations.new_accounts import ADMINISTRATOR, ALL_OF_SYSTEM, EVERYTHING
from secretsd.operations.registry import operation
from secretsd.operations.resource_policies import policed, policy_of, stored_name
from secretsd.operations.tokens import new_token
from secretsd.ports.storage import Change, Delete

log = logging.getLogger("secretsd.break_glass")
TOKEN_SECONDS = 3600
"""How long the token is good: long enough to bind what proves the administrator from then on."""
_PAGE = 100


@operation("RecoverAdministrator", "POST /v1/accounts:recover-administrator", audited=("operator", "lift_policy"))
async def recover_administrator(call: Call, request: RecoverAdministratorRequest) -> RecoverAdministratorResponse:
    """Make a new administrator of an account, for root of the daemon's host alone, whom no policy can stop."""
    account = await _wanted(call, request.account)
    call.resource = account_resource(account.id)
    call.concerned.append(account.id)
    # His rights are his own: a policy that he would only hold may be gone, or say something else by now.
    own = [InlinePolicy(ADMINISTRATOR, (EVERYTHING,))]
    if request.operator:
        own.append(InlinePolicy("operator", (ALL_OF_SYSTEM,)))
    made = datetime.fromtimestamp(call.time_ms / 1000, UTC)
    user = User(
        account.id,
        f"recovered-{made:%Y%m%dT%H%M%S}.{call.time_ms % 1000:03}Z",
        call.time_ms,
        inline=tuple(own),
        description="made by root of the host",
    )
    expires_ms = call.time_ms + TOKEN_SECONDS * 1000
    shown, token = new_token(call, user, expires_ms)
    lifted = [] if request.lift_policy is None else await _lifted(call, account.id, request.lift_policy)
    call.fields["user"] = user.name
    await call.commit(call.add(user), call.add(token), *lifted)
    log.critical(
        "root of this host made user %s an administrator of account %s%s%s (request %s)",
        user.name,
        account.id,
        " and an operator" if request.operator else "",
        f" and took away the policy of {request.lift_policy}" if request.lift_policy else "",
        call.request_name,
    )
    return RecoverAdministratorResponse(account=account.id, user=user.name, token=shown, expires_ms=expires_ms)


async def _lifted(call: Call, account: str, named: str) -> list[Change]:
    """What takes the policy of a secret or key away, also one that is lost."""
    if named.startswith("alias/"):
        named = f"key/{(await call.parts.rows.alias(account, named.removeprefix('alias/'))).key_id}"
    resource = await policed(call, account, named)
    if not resource.has_policy:
        raise InvalidState(f"cannot take away the policy of {named}: it has none")
    policy = await policy_of(call, account, stored_name(resource))
    lifted: list[Change] = [call.replace(resource, replace(resource, has_policy=False))]
    return lifted if policy is None else [*lifted, Delete(policy)]


async def _wanted(call: Call, named: str | None) -> Account:
    """The account that is named, else the only one; NotFound, or InvalidRequest that lists several."""
    if named is not None:
        return await call.parts.rows.account(named)
    found = await call.parts.storage.accounts.page("", _PAGE)
    accounts = [account for account in found if account.id != SYSTEM_ACCOUNT]
    if not accounts:
        raise NotFound("cannot recover an administrator: there is no account")
    if len(accounts) > 1:
        listed = ", ".join(f"{account.id} ({account.name})" for account in accounts[:20])
        raise InvalidRequest(f"cannot choose the account: there are several, {listed}{' …' * (len(accounts) > 20)}")
    return accounts[0]
