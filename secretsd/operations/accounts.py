"""Operations on accounts, for operators: they make accounts, and read nothing of what is in them (SECURITY 13)."""

from dataclasses import replace

from secretsd.api.accounts import (
    AccountDescription,
    CreateAccountRequest,
    CreateAccountResponse,
    DescribeAccountRequest,
    ListAccountsRequest,
    ListAccountsResponse,
    UpdateAccountRequest,
)
from secretsd.domain.errors import AlreadyExists, SecretsdError
from secretsd.domain.names import SYSTEM_ACCOUNT, Resource
from secretsd.domain.principals import Account
from secretsd.operations import pages
from secretsd.operations.call import Call
from secretsd.operations.new_accounts import account_records, new_account_id
from secretsd.operations.registry import operation
from secretsd.operations.tokens import new_token


def describe_account(account: Account) -> AccountDescription:
    """An account as operators see it."""
    return AccountDescription(
        account=account.id,
        account_name=account.name,
        resource=str(account_resource(account.id)),
        default_key=account.default_key_id,
        created_ms=account.created_ms,
    )


def account_resource(account: str) -> Resource:
    """What policies call an account: it is the operator's."""
    return Resource(SYSTEM_ACCOUNT, f"account/{account}")


@operation("CreateAccount", "POST /v1/accounts", audited=("account_name", "administrator", "ttl_seconds"))
async def create_account(call: Call, request: CreateAccountRequest) -> CreateAccountResponse:
    """Make an account with its default key and an administrator; his token is shown this once."""
    account, user, records = await account_records(
        call.parts, new_account_id(), request.account_name, request.administrator, call.time_ms
    )
    expires_ms = call.time_ms + request.ttl_seconds * 1000
    shown, token = new_token(call, user, expires_ms)
    asked = call.resource
    call.resource = account_resource(account.id)
    call.concerned.append(account.id)
    try:
        await call.commit(*map(call.add, records), call.add(token))
    except SecretsdError as error:
        # The event of a failure is about no account that never was.
        call.resource = asked
        call.concerned.remove(account.id)
        raise (_taken() if isinstance(error, AlreadyExists) else error) from None
    return CreateAccountResponse(
        account=account.id,
        account_name=account.name,
        resource=str(call.resource),
        default_key=account.default_key_id,
        administrator=user.name,
        token=shown,
        expires_ms=expires_ms,
        network=token.network or None,
    )


@operation("DescribeAccount", "GET /v1/accounts/{account}")
async def describe_account_operation(call: Call, request: DescribeAccountRequest) -> AccountDescription:
    """Tell what an account is called, and since when it is there."""
    return describe_account(await call.parts.rows.account(request.account))


@operation("ListAccounts", "GET /v1/accounts")
async def list_accounts(call: Call, request: ListAccountsRequest) -> ListAccountsResponse:
    """List the accounts, without the operator's own."""
    found = await call.parts.storage.accounts.page(pages.after(request.next_token), request.limit + 2)
    theirs = [account for account in found if account.id != SYSTEM_ACCOUNT]
    shown, token = pages.page(theirs, request.limit, lambda account: account.id)
    return ListAccountsResponse(accounts=tuple(map(describe_account, shown)), next_token=token)


@operation("UpdateAccount", "PATCH /v1/accounts/{account}", audited=("account_name",))
async def update_account(call: Call, request: UpdateAccountRequest) -> AccountDescription:
    """Give an account another name."""
    before = await call.parts.rows.account(request.account)
    call.concerned.append(before.id)
    after = replace(before, name=request.account_name)
    if after != before:
        try:
            await call.commit(call.replace(before, after))
        except AlreadyExists:
            raise _taken() from None
    return describe_account(after)


def _taken() -> AlreadyExists:
    return AlreadyExists("cannot give the account that name: another account has it")
