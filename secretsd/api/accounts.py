"""Requests and responses about accounts, which belong to the operator (account `system`)."""

from typing import Annotated

from msgspec import Meta

from secretsd.api.fields import Limit, Milliseconds, PageToken, Request, Response, TextValue, Word
from secretsd.api.resource_policies import PolicedResource
from secretsd.api.targets import AccountId
from secretsd.domain.names import SYSTEM_ACCOUNT

MAX_FIRST_TOKEN_SECONDS = 24 * 3600
FirstTokenSeconds = Annotated[
    int, Meta(ge=60, le=MAX_FIRST_TOKEN_SECONDS, description="How long the token is good, a day at most.")
]


class OfAccounts(Request, frozen=True, kw_only=True):
    """A request about accounts: they are the operator's, whoever asks."""

    @property
    def resource_account(self) -> str:
        """The account of the operator."""
        return SYSTEM_ACCOUNT

    @property
    def resource_path(self) -> str:
        """All accounts."""
        return "account/*"


class OfAccount(OfAccounts, frozen=True, kw_only=True):
    """A request about one account."""

    account: AccountId

    @property
    def resource_path(self) -> str:
        """The account."""
        return f"account/{self.account}"


class CreateAccountRequest(OfAccounts, frozen=True, kw_only=True):
    """A new account and its first user, who may do everything in it.

    `account_name` is for people, and no two accounts have the same.
    """

    account_name: Word
    administrator: Word = "admin"
    ttl_seconds: FirstTokenSeconds = 3600


class CreateAccountResponse(Response, frozen=True, kw_only=True):
    """The account, and a token of its administrator, shown this once: it is to be replaced by what proves him.

    `network` is where that is good from: what the caller showed is good from there alone.
    """

    account: str
    account_name: str
    resource: str
    default_key: str
    administrator: str
    token: TextValue
    expires_ms: Milliseconds
    network: str | None = None


class DescribeAccountRequest(OfAccount, frozen=True, kw_only=True):
    """What an operator is told of an account: nothing that is in it, but how much."""


class UpdateAccountRequest(OfAccount, frozen=True, kw_only=True):
    """Another name for people; nothing else goes by it."""

    account_name: Word


class ListAccountsRequest(OfAccounts, frozen=True, kw_only=True):
    """Accounts, in order of their numbers."""

    limit: Limit = 100
    next_token: PageToken | None = None


class AccountDescription(Response, frozen=True, kw_only=True):
    """An account as operators see it."""

    account: str
    account_name: str
    resource: str
    default_key: str
    created_ms: Milliseconds


class ListAccountsResponse(Response, frozen=True, kw_only=True):
    """A page of accounts."""

    accounts: tuple[AccountDescription, ...]
    next_token: str | None = None


class RecoverAdministratorRequest(OfAccounts, frozen=True, kw_only=True):
    """Without `account` it is the only one there is. `operator` gives the new user all of account `system` as well.

    `lift_policy` also takes away the policy of a secret or key of the account, which would deny him too.
    """

    account: AccountId | None = None
    operator: bool = False
    lift_policy: PolicedResource | None = None

    @property
    def resource_path(self) -> str:
        """The account, or all where none is named."""
        return f"account/{self.account or '*'}"


class RecoverAdministratorResponse(Response, frozen=True, kw_only=True):
    """The new administrator, and a token of his that is good for an hour, shown this once."""

    account: str
    user: str
    token: TextValue
    expires_ms: Milliseconds
