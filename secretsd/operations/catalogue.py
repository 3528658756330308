"""The whole catalogue: importing this module declares every operation."""

from secretsd.operations import (
    audit,
    escrow_replay,
    keys,
    policies,
    rotation,
    rotation_failures,
    rotation_outcomes,
    rotation_steps,
    rotation_views,
    secrets,
    tags,
    targets,
    users,
    values,
    watch,
)
from secretsd.operations.registry import OPERATIONS, Operation

DECLARED_IN = (
    audit,
    escrow_replay,
    keys,
    policies,
    rotation,
    rotation_failures,
    rotation_outcomes,
    rotation_steps,
    rotation_views,
    secrets,
    tags,
    targets,
    users,
    values,
    watch,
)


def catalogue() -> dict[str, Operation]:
    """Every operation by its name."""
    return OPERATIONS
