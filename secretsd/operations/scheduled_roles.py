"""The roles as which scheduled work runs: what each may do stands here, not in storage."""

from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.policy_rules import Rules
from secretsd.domain.principals import KEY_ROTATION_ROLE, ROTATION_ROLE
from secretsd.operations.registry import OPERATIONS

KEY_ROTATION_STEPS = ("RenewKey", "ContinueReEncryption")
KEY_STEPS = ("BeginKeyErasure", "EraseKey", "ExpireKeyMaterial", "RewrapKeyVersion", "ExpireGrant")
"""The other scheduled steps that act on keys."""
CREDENTIAL_STEPS = ("ForgetExpiredCredentials",)
"""Those that act on tokens. What is named in none of the three acts on secrets, and on nothing else."""


def rotation_rules(account: str) -> Rules:
    """What an account's rotation role may do: the steps of scheduled work on secrets and keys of its account."""
    steps = {operation.name for operation in OPERATIONS.values() if operation.route is None}
    on_secrets = tuple(sorted(steps.difference(KEY_STEPS, KEY_ROTATION_STEPS, CREDENTIAL_STEPS)))
    statements = (
        Statement(Effect.ALLOW, on_secrets, ("secret/*",)),
        Statement(Effect.ALLOW, CREDENTIAL_STEPS, ("token/*",)),
        Statement(Effect.ALLOW, KEY_STEPS, ("key/*",)),
        Statement(Effect.ALLOW, ("Decrypt", "GenerateDataKey"), ("key/*",)),
        # Which logins of which target are the account's stands in the target itself, and is looked at in every step.
        Statement(Effect.ALLOW, ("UseTarget",), (f"secretsd:{SYSTEM_ACCOUNT}:target/*",)),
    )
    return Rules(ROTATION_ROLE, account, statements)


def key_rotation_rules(account: str) -> Rules:
    """What an account's key rotation role may do: renew keys of its account, and re-encrypt what is under them."""
    return Rules(KEY_ROTATION_ROLE, account, (Statement(Effect.ALLOW, KEY_ROTATION_STEPS, ("key/*",)),))


SCHEDULED_ROLES = {ROTATION_ROLE: rotation_rules, KEY_ROTATION_ROLE: key_rotation_rules}
"""What the roles of scheduled work may do, by role; whatever none of them names is denied to it."""
