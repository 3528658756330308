"""The whole catalogue: importing this module declares every operation."""

from secretsd.operations import (
    audit,
    keys,
    policies,
    rotation,
    rotation_failures,
    rotation_outcomes,
    rotation_steps,
    secrets,
    tags,
    users,
    values,
)
from secretsd.operations.registry import OPERATIONS, Operation

DECLARED_IN = (
    audit,
    keys,
    policies,
    rotation,
    rotation_failures,
    rotation_outcomes,
    rotation_steps,
    secrets,
    tags,
    users,
    values,
)


def catalogue() -> dict[str, Operation]:
    """Every operation by its name."""
    return OPERATIONS
