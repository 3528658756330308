"""Requests and responses about what policies come to: why somebody may do something or not, and who may."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, field

from secretsd.api.fields import Limit, PageToken, Request, Response
from secretsd.domain.names import Resource, split_reference

Action = Annotated[str, Meta(pattern=r"^[A-Za-z]{1,64}$(?![\s\S])", description="An operation's name: a permission.")]
OwnPrincipal = Annotated[
    str,
    Meta(
        pattern=r"^(?:secretsd:[0-9]{12}:)?(?:user|role)/[A-Za-z0-9_+=.@-]{1,128}$(?![\s\S])",
        description="`user/<name>` or `role/<name>`, also in full.",
    ),
]
AnyResource = Annotated[
    str,
    Meta(
        pattern=r"^(?:secretsd:(?:[0-9]{12}|system):)?(?!secretsd:)[A-Za-z0-9/_+=.@!:*-]{1,600}$(?![\s\S])",
        description="What it is about: a path such as `secret/prod/db`, or in full, `secretsd:<account>:<path>`.",
    ),
]
Facts = Annotated[
    Mapping[
        Annotated[str, Meta(min_length=1, max_length=200)],
        Annotated[tuple[Annotated[str, Meta(max_length=600)], ...], Meta(max_length=20)],
    ],
    Meta(max_length=50, description="Values by condition key, as policies write them; none says that there is none."),
]

ReasonTold = Literal[
    "allowed", "denied", "not-allowed", "not-allowed-by-owner", "outside-boundary", "policy-missing", "open-to-all",
    "root-only",
]  # fmt: skip


class OfPrincipal(Request, frozen=True, kw_only=True):
    """A request about a user or role."""

    principal: OwnPrincipal

    @property
    def resource_path(self) -> str:
        """The user or role."""
        return split_reference(self.principal)[1]

    @property
    def resource_account(self) -> str | None:
        """The account that is named; None is the caller's own."""
        return split_reference(self.principal)[0]


class ExplainDecisionRequest(OfPrincipal, frozen=True, kw_only=True):
    """Whether a user or role may use a permission on a resource, and why.

    A condition is told as unknown unless its fact is given, or stands in records: who it is, tags, the time.
    """

    action: Action
    resource: AnyResource
    facts: Facts = field(default_factory=dict)

    def asked(self, account: str) -> Resource:
        """The resource that is asked about; `account` is the caller's."""
        named, path = split_reference(self.resource)
        return Resource(named or account, path)


class ConditionTold(Response, frozen=True, kw_only=True):
    """A condition of a statement, and whether it holds."""

    operator: str
    key: str
    values: tuple[str, ...]
    holds: Literal["yes", "no", "unknown"]


class StatementTold(Response, frozen=True, kw_only=True):
    """A statement or grant that speaks of it: `source` is where it stands, `number` counts its statements from 1.

    `side` is what it does: `denies`, allows as the principal's own (`identity`), `boundary`, or as the resource's
    owner (`owner`; `account` where he allows a whole account, whose own policies have to allow it as well).
    """

    side: Literal["denies", "identity", "boundary", "owner", "account"]
    source: str
    number: int
    holds: Literal["yes", "no", "unknown"]
    sid: str = ""
    conditions: tuple[ConditionTold, ...] = ()


class ExplainDecisionResponse(Response, frozen=True, kw_only=True):
    """What becomes of it: `told` says why in a sentence, `by` is the statement that decided, where one did.

    Where it `depends`, `unknown` are the condition keys that it hangs on. Without `owner_shown`, what the owner of the
    resource says of it was not looked at: the resource is another account's, or the caller lacks ExplainDecision on it.
    `left_out` counts the statements past the first hundred.
    """

    decision: Literal["allowed", "denied", "depends"]
    reason: ReasonTold
    told: str
    principal: str
    action: str
    resource: str
    owner_shown: bool
    by: StatementTold | None = None
    unknown: tuple[str, ...] = ()
    statements: tuple[StatementTold, ...] = ()
    left_out: int = 0


class WhoCanRequest(Request, frozen=True, kw_only=True):
    """Who may use a permission on a resource of the account: users first, then roles, then whom its owner names."""

    action: Action
    resource: AnyResource
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """What it is about."""
        return split_reference(self.resource)[1]

    @property
    def resource_account(self) -> str | None:
        """The account that is named; None is the caller's own."""
        return split_reference(self.resource)[0]


class WhoMay(Response, frozen=True, kw_only=True):
    """Somebody who may, and the statement or grant by which.

    `principal` is a user or role in full, an account, or `*` for everybody. `unknown` are the condition keys that it
    hangs on. `account_decides`: he is of another account, which has to allow it as well.
    """

    principal: str
    source: str
    number: int
    sid: str = ""
    unknown: tuple[str, ...] = ()
    account_decides: bool = False


class WhoCanResponse(Response, frozen=True, kw_only=True):
    """A page of those who may. It may be short, even empty, while `next_token` says that there are more to look at."""

    principals: tuple[WhoMay, ...]
    next_token: str | None = None


class ListConditionKeysRequest(Request, frozen=True, kw_only=True):
    """What conditions of policies may ask about."""

    @property
    def resource_path(self) -> str:
        """All policies."""
        return "policy/*"


class ConditionKeyDescription(Response, frozen=True, kw_only=True):
    """A condition key. `many`: a request may have several values of it. A family is written with a name behind it."""

    key: str
    type: Literal["String", "Numeric", "Date", "Bool", "IpAddress"]
    meaning: str
    many: bool = False
    family: bool = False


class ListConditionKeysResponse(Response, frozen=True, kw_only=True):
    """All condition keys."""

    keys: tuple[ConditionKeyDescription, ...]


class DraftPolicyFromUseRequest(OfPrincipal, frozen=True, kw_only=True):
    """A policy that allows what a user or role did in the last days, and no more; from the account's audit trail.

    Keys of secrets are those that were used then, whichever key a secret is under by now. `generalise` lets one pattern
    stand for all names under a path where more than so many of them were used alike.
    """

    days: Annotated[int, Meta(ge=1, le=3660)] = 30
    generalise: Annotated[int, Meta(ge=1, le=1000)] | None = None


class DraftPolicyFromUseResponse(Response, frozen=True, kw_only=True):
    """A draft to look at; nothing is stored. It is without a document where nothing was used.

    `events` were looked at, those up to `until_ms` (all of them where `complete`). `generalised` are the patterns that
    are wider than what was used, `left_out` what was used and cannot be written as a policy.
    """

    principal: str
    events: int
    complete: bool
    until_ms: int
    document: str | None = None
    generalised: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
