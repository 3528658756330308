"""What storage can be asked for: each kind of record by its key, in pages, and by what is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from secretsd.domain.credentials import AccessKey, Session, Token
from secretsd.domain.grants import Grant
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import CMK, Alias, KeyOrigin, KeyOwner, KeyState, ProtectionLevel, WrappedKey
from secretsd.domain.policy import Policy, ResourcePolicy
from secretsd.domain.principals import Account, Group, Role, User
from secretsd.domain.proofs import Binding, CertificateAuthority, ProofSpace, TokenIssuer
from secretsd.domain.reencryption import ReEncryption
from secretsd.domain.rotation import Rotation, RotationState, RotationStep
from secretsd.domain.secrets import SealedValue, Secret, SecretVersion
from secretsd.domain.targets import Target, TargetLogin


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Which keys are wanted, all conditions together; None and no tags mean any. Without `destroyed` no tombstones."""

    state: KeyState | None = None
    spec: KeySpec | None = None
    usage: KeyUsage | None = None
    origin: KeyOrigin | None = None
    protection_level: ProtectionLevel | None = None
    owner: KeyOwner | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    destroyed: bool = True


ANY_KEY = KeyFilter()


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
    async def tokens(self, account: str, user: str) -> Sequence[Token]:
        """All tokens of a user, in order of id."""
        ...

    async def count_tokens(self, account: str, user: str, now_ms: int) -> int:
        """How many tokens of a user are good at that moment."""
        ...

    async def tokens_of_access_key(self, access_key: str, limit: int) -> Sequence[Token]: ...
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

    async def count_sessions(self, account: str, role: str, now_ms: int) -> int:
        """How many sessions of a role are good at that moment."""
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


class KeyReader(Protocol):
    """CMKs and their wrapped versions. NotFound, TamperedRecord as above."""

    async def get(self, account: str, key_id: str) -> CMK: ...
    async def by_id(self, key_id: str) -> CMK:
        """The key, whosever it is: whoever asks for it still has to be allowed to."""
        ...

    async def version(self, account: str, key_id: str, version: int) -> WrappedKey: ...
    async def page(self, account: str, after: str, limit: int, wanted: KeyFilter = ANY_KEY) -> Sequence[CMK]:
        """Keys whose ids come after `after` and that are as wanted, in order of id."""
        ...

    async def versions(self, account: str, key_id: str, before: int, limit: int) -> Sequence[WrappedKey]:
        """Versions of a key whose numbers are below `before`, the newest first."""
        ...

    async def alias(self, account: str, name: str) -> Alias: ...
    async def aliases(self, account: str, after: str, limit: int, key_id: str | None = None) -> Sequence[Alias]:
        """Aliases whose names come after `after`, of one key or of all of the account's, in order of name."""
        ...

    async def due(self, now_ms: int, limit: int) -> Sequence[CMK]:
        """Keys of all accounts that are to be destroyed, to be rotated, or whose material has expired by now.

        At most `limit` of each of the three, the longest overdue first, so that none of them waits for the others.
        """
        ...

    async def guards(self, key_id: str, limit: int) -> int:
        """How many secret versions, of whatever account, have their data keys under any version of a key.

        Counted up to `limit`.
        """
        ...

    async def guarded(self, key_id: str, version: int, after: tuple[str, str], limit: int) -> Sequence[SecretVersion]:
        """Secret versions, of whatever account, whose data keys are under that version of a key, in order of ids.

        `after` is the secret id and the version id of the one to go on behind; two empty texts begin.
        """
        ...

    async def guard_count(self, key_id: str, below: int) -> int:
        """How many secret versions, of whatever account, are under versions of a key below that one."""
        ...

    async def reencryption(self, account: str, key_id: str) -> ReEncryption: ...
    async def reencryptions_due(self, now_ms: int, limit: int) -> Sequence[ReEncryption]:
        """Re-encryptions of all accounts that go on by now, the longest due first."""
        ...

    async def wrapped_otherwise(self, kek_id: str, after: tuple[str, str, int], limit: int) -> Sequence[WrappedKey]:
        """Key versions of all accounts that need another root KEK, in order of key.

        It wraps their material; or that is imported, away, and known again by that root alone.
        `after` is account, key id and version of the one to go on behind.
        """
        ...

    async def count_wrapped_otherwise(self, kek_id: str) -> int:
        """How many key versions of all accounts have their material wrapped by another root KEK; walks through all."""
        ...


class SecretReader(Protocol):
    """Secrets, their versions and sealed values. NotFound, TamperedRecord as above."""

    async def get(self, account: str, name: str) -> Secret: ...
    async def version(self, account: str, secret_id: str, version_id: str) -> SecretVersion: ...
    async def value(self, account: str, secret_id: str, version_id: str) -> SealedValue: ...
    async def page(
        self, account: str, prefix: str, tags: Mapping[str, str], after: str, limit: int, include_deleted: bool
    ) -> Sequence[Secret]:
        """Secrets by name: those after `after` that start with `prefix` and carry every tag given."""
        ...

    async def versions(self, account: str, secret_id: str, before: int, limit: int) -> Sequence[SecretVersion]:
        """Versions whose numbers are below `before`, the newest first."""
        ...

    async def prunable(
        self, account: str, secret_id: str, labelled: Sequence[str], created_before_ms: int, keep: int, limit: int
    ) -> Sequence[SecretVersion]:
        """Unlabelled versions past the newest `keep` of them that were made before the moment; the oldest first."""
        ...

    async def deletions_due(self, now_ms: int, limit: int) -> Sequence[Secret]:
        """Secrets of all accounts whose recovery window has ended."""
        ...


class RotationReader(Protocol):
    """How secrets are rotated. NotFound, TamperedRecord as above."""

    async def get(self, account: str, secret_id: str) -> Rotation: ...
    async def due(self, now_ms: int, limit: int) -> Sequence[Rotation]:
        """Rotations of all accounts whose `next_due_ms` has come, save quarantined ones; the oldest due first.

        A rotation stays due until it is done, so what a crash left between two steps is here as well.
        """
        ...

    async def next_due_ms(self) -> int | None:
        """The earliest moment at which a rotation that is not quarantined is due."""
        ...

    async def page(self, account: str, after: str, limit: int) -> Sequence[Rotation]:
        """Rotations of an account whose secrets' ids come after `after`, in order of id."""
        ...

    async def states(self) -> Mapping[RotationState, int]:
        """How many rotations of all accounts are in which state, zeros left out; a figure that decides nothing."""
        ...

    async def steps(self, account: str, secret_id: str, before: int, limit: int) -> Sequence[RotationStep]:
        """Entries of the history whose numbers are below `before`, the newest first."""
        ...


class TargetReader(Protocol):
    """Targets, which belong to account `system`, and which secret holds which login. NotFound, TamperedRecord."""

    async def get(self, name: str) -> Target: ...
    async def page(self, after: str, limit: int) -> Sequence[Target]:
        """Targets whose names come after `after`, in order of name."""
        ...

    async def login(self, target: str, login: str) -> TargetLogin: ...
    async def logins(self, target: str, after: str, limit: int) -> Sequence[TargetLogin]:
        """The logins that are held at a target, those after `after`, in order."""
        ...
