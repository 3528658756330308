"""The whole catalogue: importing this module declares every operation."""

from secretsd.operations import (
    aliases,
    audit,
    cryptography,
    data_keys,
    escrow_replay,
    key_erasure,
    key_import,
    key_lifecycle,
    key_material,
    key_reencryption,
    key_rotation,
    key_version_destruction,
    key_versions,
    keys,
    policies,
    root_rewrap,
    rotation,
    rotation_failures,
    rotation_outcomes,
    rotation_steps,
    rotation_views,
    secrets,
    signatures,
    tags,
    targets,
    users,
    values,
    watch,
)
from secretsd.operations.registry import OPERATIONS, Operation

DECLARED_IN = (
    aliases,
    audit,
    cryptography,
    data_keys,
    escrow_replay,
    key_erasure,
    key_import,
    key_lifecycle,
    key_material,
    key_reencryption,
    key_rotation,
    key_version_destruction,
    key_versions,
    keys,
    policies,
    root_rewrap,
    rotation,
    rotation_failures,
    rotation_outcomes,
    rotation_steps,
    rotation_views,
    secrets,
    signatures,
    tags,
    targets,
    users,
    values,
    watch,
)


def catalogue() -> dict[str, Operation]:
    """Every operation by its name."""
    return OPERATIONS
