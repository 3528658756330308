"""What one account can let another do at all. All else stays within its account, whatever policies say."""

from secretsd.domain.grants import GRANT_OPERATIONS

ACROSS_ACCOUNTS = GRANT_OPERATIONS | {
    "ReEncrypt", "ListGrants", "DescribeSecret", "GetSecretValue", "PutSecretValue", "AssumeRole",
}  # fmt: skip
"""Uses of keys, secrets and roles. Who is to manage them in another account becomes a role there (AssumeRole)."""
