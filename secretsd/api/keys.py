"""Requests and responses about CMKs as a whole: created, described, listed."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from secretsd.api.fields import (
    AliasName,
    Description,
    KeyReference,
    Limit,
    PageToken,
    Request,
    Response,
    Tags,
)
from secretsd.domain.names import split_reference

Spec = Literal[
    "AES_256",
    "AES_192",
    "AES_128",
    "SM4",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "ECC_NIST_P256",
    "ECC_NIST_P384",
    "ECC_NIST_P521",
    "ECC_SECG_P256K1",
    "ECC_NIST_EDWARDS25519",
    "SM2",
    "HMAC_256",
    "HMAC_384",
    "HMAC_512",
]
"""The values of `domain.key_specs.KeySpec`; a test keeps this and the three below as the domain has them."""
Usage = Literal["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"]
Origin = Literal["HSM", "EXTERNAL"]
State = Literal["pending-import", "enabled", "disabled", "pending-deletion", "destroyed"]
Reason = Annotated[str, Meta(max_length=512, description="Why, for whoever reads it later.")]


def key_path(reference: str) -> str:
    """The path of what a reference names, without its account."""
    path = split_reference(reference)[1]
    return path if "/" in path else f"key/{path}"


class OfKey(Request, frozen=True, kw_only=True):
    """A request about one CMK. When an operation sees it, `key` is the UUID of a key of the caller's account.

    A key of another account is named in full, without an alias, and so is its resource. A reference that leads nowhere
    stays as it is: whether there is such a key is told only to those who may know.
    """

    key: KeyReference

    @property
    def resource_path(self) -> str:
        """The key; an alias that leads nowhere stands for itself."""
        return key_path(self.key)

    @property
    def resource_account(self) -> str | None:
        """The key's account, where it is named."""
        return split_reference(self.key)[0]


class CreateKeyRequest(Request, frozen=True, kw_only=True):
    """A new CMK. Without `usage` it is the first one that its spec allows: signing where a key can do either.

    Of origin EXTERNAL it has no material until that is imported. With `deletion_protection` it is deleted only after
    somebody took that away; `protection_reason` says why it is there.
    """

    spec: Annotated[Spec, Meta(description="What the material is.")] = "AES_256"
    usage: Annotated[Usage, Meta(description="What it may be used for.")] | None = None
    origin: Annotated[Origin, Meta(description="Where the material comes from.")] = "HSM"
    description: Description = ""
    tags: Tags = msgspec.field(default_factory=dict)
    alias: AliasName | None = None
    deletion_protection: bool = False
    protection_reason: Reason = ""

    @property
    def resource_path(self) -> str:
        """No key yet."""
        return "key/*"


class DescribeKeyRequest(OfKey, frozen=True, kw_only=True):
    """All about a CMK but its material, which nobody gets."""


class KeyDescription(Response, frozen=True, kw_only=True):
    """A CMK. Times are in milliseconds since 1970-01-01 UTC.

    `protection_level` HSM: its material is only ever in the HSM. `algorithms` are those of its spec and usage.
    `current_version` encrypts and signs; what is older than `oldest_version` is destroyed. `deletion_ms` is when it is
    going to be destroyed, or was. `material_expires_ms` is when imported material goes.

    `guarded_secret_versions` is told of a key that waits for its deletion: so many secret versions can be read no more
    once it is destroyed; with `guarded_secret_versions_more` there are more than that.
    """

    id: str
    resource: str
    state: str
    spec: str
    usage: str
    origin: str
    protection_level: str
    owner: str
    description: str
    current_version: int
    created_ms: int
    tags: Mapping[str, str]
    deletion_ms: int | None = None
    algorithms: tuple[str, ...] = ()
    oldest_version: int = 1
    deletion_protection: bool = False
    protection_reason: str = ""
    rotation_seconds: int | None = None
    next_rotation_ms: int | None = None
    last_rotation_ms: int | None = None
    material_expires_ms: int | None = None
    guarded_secret_versions: int | None = None
    guarded_secret_versions_more: bool = False


class ListKeysRequest(Request, frozen=True, kw_only=True):
    """CMKs of the account, in order of id; those only of which all that is given is true.

    `tags` are written key=value. Destroyed keys are shown when asked for by their state.
    """

    state: State | None = None
    spec: Spec | None = None
    usage: Usage | None = None
    origin: Origin | None = None
    protection_level: Literal["HSM", "SOFTWARE"] | None = None
    owner: Literal["customer", "service"] | None = None
    tags: Annotated[tuple[Annotated[str, Meta(max_length=400)], ...], Meta(max_length=10)] = ()
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All keys."""
        return "key/*"


class ListKeysResponse(Response, frozen=True, kw_only=True):
    """A page of CMKs."""

    keys: tuple[KeyDescription, ...]
    next_token: str | None = None


class UpdateKeyDescriptionRequest(OfKey, frozen=True, kw_only=True):
    """The new description takes the place of the old one."""

    description: Description
