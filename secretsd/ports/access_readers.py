"""What storage can be asked about access: who there is, what proves somebody, and what owners let others do."""

from collections.abc import Sequence
from typing import Protocol

from secretsd.domain.credentials import AccessKey, Session, Token
from secretsd.domain.grants import Grant
from secretsd.domain.policy import Policy, ResourcePolicy
from secretsd.domain.principals import Account, Group, Role, User
from secretsd.domain.proofs import Binding, CertificateAuthority, ProofSpace, TokenIssuer


class AccountReader(Protocol):
    """Accounts and who is in them. What returns one record raises NotFound.

    TamperedRecord when an authenticator does not match. Lists are in order of name, and come after `after`.
    """

    async def get(self, account: str) -> Account: ...
    async def page(self, after: str, limit: int) -> Sequence[Account]:
        """Accounts whose ids come after `after`, in order of id."""
        ...

    async def held(self, account: str, table: str) -> int:
        """How many records an account has of a table with a quota (`domain.limits.QUOTA_TABLES`), at once."""
        ...

    async def user(self, account: str, name: str) -> User: ...
    async def users(self, account: str, after: str, limit: int) -> Sequence[User]: ...
    async def members(self, account: str, group: str, after: str, limit: int) -> Sequence[User]:
        """Users who are in the group."""
        ...

    async def group(self, account: str, name: str) -> Group: ...
    async def groups(self, account: str, after: str, limit: int) -> Sequence[Group]: ...
    async def role(self, account: str, name: str) -> Role: ...
    async def roles(self, account: str, after: str, limit: int) -> Sequence[Role]: ...
    async def policy(self, account: str, name: str) -> Policy: ...
    async def policies(self, account: str, after: str, limit: int) -> Sequence[Policy]: ...
    async def users_with(self, account: str, policy: str, after: str, limit: int) -> Sequence[User]:
        """Users to whom the policy is attached, or whose boundary it is."""
        ...

    async def groups_with(self, account: str, policy: str, after: str, limit: int) -> Sequence[Group]:
        """Groups to which the policy is attached."""
        ...

    async def roles_with(self, account: str, policy: str, after: str, limit: int) -> Sequence[Role]:
        """Roles to which the policy is attached, or whose boundary it is."""
        ...

    async def roles_trusting(self, account: str, principal: str, after: str, limit: int) -> Sequence[Role]:
        """Roles whose trust policy has that user or role, written in full, in any place."""
        ...


class ProofReader(Protocol):
    """What proves somebody. NotFound names nothing here: a caller may hold anything. TamperedRecord as above."""

    async def token(self, digest: str) -> Token: ...
    async def token_of_user(self, account: str, user: str, identifier: str) -> Token: ...
    async def tokens(self, account: str, user: str, after: str, limit: int) -> Sequence[Token]:
        """Tokens of a user after an id, in order of id."""
        ...

    async def newest_token(self, account: str, user: str) -> Token:
        """The token of a user of that name that was made last."""
        ...

    async def count_tokens(self, account: str, user: str, now_ms: int) -> int:
        """How many tokens of a user are good at that moment."""
        ...

    async def count_lasting_tokens(self, account: str, user: str, now_ms: int, longest_ms: int) -> int:
        """How many of those are good for longer than that, or become one that is."""
        ...

    async def tokens_of_access_key(self, access_key: str, now_ms: int, limit: int) -> Sequence[Token]:
        """Tokens that were got for an access key and are good at that moment; those that end first come first."""
        ...

    async def expired_tokens(self, before_ms: int, limit: int) -> Sequence[Token]:
        """Tokens that were good until before that moment, the oldest first."""
        ...

    async def access_key(self, identifier: str) -> AccessKey: ...
    async def access_keys(self, account: str, user: str) -> Sequence[AccessKey]:
        """All access keys of a user, in order of id."""
        ...

    async def access_keys_of_account(self, account: str, after: str, limit: int) -> Sequence[AccessKey]:
        """Access keys of an account's users after an id, in order of id."""
        ...

    async def session(self, digest: str) -> Session: ...
    async def sessions_of_account(self, account: str, after: str, limit: int) -> Sequence[Session]:
        """Sessions of an account's roles after a digest, in order of digest."""
        ...

    async def session_of_access_key(self, access_key: str) -> Session: ...
    async def sessions(self, account: str, role: str, now_ms: int, after: str, limit: int) -> Sequence[Session]:
        """Sessions of a role that are good at that moment and come after an access key, in order of access key."""
        ...

    async def count_sessions(self, role: Role, by: str, now_ms: int) -> int:
        """How many sessions of a role that somebody opened are good at that moment, and were not revoked."""
        ...

    async def newest_session(self, role: Role) -> int:
        """When the newest session of a role was opened, good or not, as far as it is stored; 0 for none."""
        ...

    async def expired_sessions(self, before_ms: int, limit: int) -> Sequence[Session]:
        """Sessions that were good until before that moment, the oldest first."""
        ...

    async def binding(self, proof: str) -> Binding: ...
    async def bindings(self, account: str, after: str, limit: int) -> Sequence[Binding]:
        """Bindings of an account after a proof, in order of proof."""
        ...

    async def bindings_of_others(self, account: str, after: str, before: str, limit: int) -> Sequence[Binding]:
        """Bindings of other accounts that come after one proof and before another one, in order of proof."""
        ...

    async def bindings_of_user(self, account: str, user: str, limit: int) -> Sequence[Binding]:
        """Bindings that lead to a user, in order of proof."""
        ...

    async def bindings_of_role(self, account: str, role: str, limit: int) -> Sequence[Binding]:
        """Bindings that lead to a role, in order of proof."""
        ...

    async def spaces(self) -> Sequence[ProofSpace]:
        """All proof spaces, in order."""
        ...

    async def authorities(self) -> Sequence[CertificateAuthority]:
        """All certificate authorities, in order of name."""
        ...

    async def issuers(self) -> Sequence[TokenIssuer]:
        """All token issuers, in order of name."""
        ...


class GrantReader(Protocol):
    """What the owners of resources let others do. NotFound, TamperedRecord as above."""

    async def policy(self, account: str, resource: str) -> ResourcePolicy: ...
    async def grants(self, account: str, key_id: str, after: str, limit: int) -> Sequence[Grant]:
        """Grants of a key after an id, in order of id."""
        ...

    async def grant(self, identifier: str) -> Grant: ...
    async def retirable(self, principal: str, after: str, limit: int) -> Sequence[Grant]:
        """Grants after an id that the principal (in full) may retire, in order of id."""
        ...

    async def expired(self, before_ms: int, limit: int) -> Sequence[Grant]:
        """Grants that were good until before that moment, the oldest first."""
        ...
