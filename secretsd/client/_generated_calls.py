"""Every operation as the client calls it. Made from the registry by `./dev generate`, not by hand."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from secretsd.api.access_keys import (
    CreateAccessKeyRequest,
    CreateAccessKeyResponse,
    CreateAccessTokenRequest,
    CreateAccessTokenResponse,
    DeleteAccessKeyRequest,
    ListAccessKeysRequest,
    ListAccessKeysResponse,
    UpdateAccessKeyRequest,
)
from secretsd.api.accounts import (
    AccountDescription,
    CreateAccountRequest,
    CreateAccountResponse,
    DescribeAccountRequest,
    ListAccountsRequest,
    ListAccountsResponse,
    RecoverAdministratorRequest,
    RecoverAdministratorResponse,
    UpdateAccountRequest,
)
from secretsd.api.aliases import (
    AliasDescription,
    CreateAliasRequest,
    DeleteAliasRequest,
    ListAliasesRequest,
    ListAliasesResponse,
    UpdateAliasRequest,
)
from secretsd.api.attachments import (
    AttachGroupPolicyRequest,
    AttachPolicyRequest,
    AttachRolePolicyRequest,
    DetachGroupPolicyRequest,
    DetachPolicyRequest,
    DetachRolePolicyRequest,
)
from secretsd.api.audit import LookupEventsRequest, LookupEventsResponse
from secretsd.api.bindings import (
    BindingDescription,
    CreateBindingRequest,
    DeleteBindingRequest,
    ListBindingsRequest,
    ListBindingsResponse,
)
from secretsd.api.boundaries import (
    DeleteRolePermissionsBoundaryRequest,
    DeleteUserPermissionsBoundaryRequest,
    PutRolePermissionsBoundaryRequest,
    PutUserPermissionsBoundaryRequest,
)
from secretsd.api.caller import GetCallerIdentityRequest, GetCallerIdentityResponse
from secretsd.api.certificate_authorities import (
    CertificateAuthorityDeletedResponse,
    CertificateAuthorityDescription,
    CreateCertificateAuthorityRequest,
    DeleteCertificateAuthorityRequest,
    DescribeCertificateAuthorityRequest,
    ListCertificateAuthoritiesRequest,
    ListCertificateAuthoritiesResponse,
    UpdateCertificateAuthorityRequest,
    UpdateCertificateRevocationListRequest,
)
from secretsd.api.cryptography import (
    DecryptRequest,
    DecryptResponse,
    EncryptRequest,
    EncryptResponse,
    GenerateRandomRequest,
    GenerateRandomResponse,
    ReEncryptRequest,
    ReEncryptResponse,
)
from secretsd.api.data_keys import (
    ExportDataKeyRequest,
    ExportDataKeyResponse,
    GenerateAndExportDataKeyRequest,
    GenerateAndExportDataKeyResponse,
    GenerateDataKeyPairRequest,
    GenerateDataKeyPairResponse,
    GenerateDataKeyPairWithoutPlaintextRequest,
    GenerateDataKeyPairWithoutPlaintextResponse,
    GenerateDataKeyRequest,
    GenerateDataKeyResponse,
    GenerateDataKeyWithoutPlaintextRequest,
    GenerateDataKeyWithoutPlaintextResponse,
)
from secretsd.api.enrolment import (
    CreateEnrolmentTokenRequest,
    CreateEnrolmentTokenResponse,
    EnrolHostRequest,
    EnrolHostResponse,
)
from secretsd.api.fields import BinaryValue, DoneResponse, Request, Response, TextValue
from secretsd.api.grants import (
    CreateGrantRequest,
    EndedGrantsResponse,
    GrantDescription,
    ListGrantsRequest,
    ListGrantsResponse,
    ListRetirableGrantsRequest,
    RetireGrantRequest,
    RevokeGrantRequest,
)
from secretsd.api.groups import (
    AddUserToGroupRequest,
    CreateGroupRequest,
    DeleteGroupRequest,
    DescribeGroupRequest,
    DescribeGroupResponse,
    GroupDescription,
    ListGroupsRequest,
    ListGroupsResponse,
    RemoveUserFromGroupRequest,
    UpdateGroupRequest,
)
from secretsd.api.inline_policies import (
    DeleteGroupPolicyRequest,
    DeleteRolePolicyRequest,
    DeleteUserPolicyRequest,
    GetGroupPolicyRequest,
    GetRolePolicyRequest,
    GetUserPolicyRequest,
    InlinePolicyDescription,
    ListGroupPoliciesRequest,
    ListInlinePoliciesResponse,
    ListRolePoliciesRequest,
    ListUserPoliciesRequest,
    PutGroupPolicyRequest,
    PutRolePolicyRequest,
    PutUserPolicyRequest,
)
from secretsd.api.key_import import (
    DeleteImportedKeyMaterialRequest,
    GetParametersForImportRequest,
    GetParametersForImportResponse,
    ImportKeyMaterialRequest,
    ImportKeyMaterialResponse,
)
from secretsd.api.key_lifecycle import (
    CancelKeyDeletionRequest,
    DeletionProtectionResponse,
    DisableKeyRequest,
    EnableKeyRequest,
    GetPublicKeyRequest,
    GetPublicKeyResponse,
    KeyStateResponse,
    ListKeyVersionsRequest,
    ListKeyVersionsResponse,
    ScheduleKeyDeletionRequest,
    SetDeletionProtectionRequest,
)
from secretsd.api.key_rotation import (
    CancelReEncryptionRequest,
    DescribeReEncryptionRequest,
    DestroyKeyVersionRequest,
    DestroyKeyVersionResponse,
    DisableKeyRotationRequest,
    EnableKeyRotationRequest,
    GetKeyRotationStatusRequest,
    KeyRotationStatus,
    ListKeyRotationsRequest,
    ListKeyRotationsResponse,
    ReEncryptionDescription,
    ReEncryptSecretsRequest,
    RotateKeyOnDemandRequest,
)
from secretsd.api.keys import (
    CreateKeyRequest,
    DescribeKeyRequest,
    KeyDescription,
    ListKeysRequest,
    ListKeysResponse,
    UpdateKeyDescriptionRequest,
)
from secretsd.api.policies import (
    CreatePolicyRequest,
    DeletePolicyRequest,
    GetPolicyRequest,
    ListEntitiesForPolicyRequest,
    ListEntitiesForPolicyResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    PolicyDescription,
    UpdatePolicyRequest,
    ValidatePolicyRequest,
    ValidatePolicyResponse,
)
from secretsd.api.policy_explanations import (
    DraftPolicyFromUseRequest,
    DraftPolicyFromUseResponse,
    ExplainDecisionRequest,
    ExplainDecisionResponse,
    ListConditionKeysRequest,
    ListConditionKeysResponse,
    WhoCanRequest,
    WhoCanResponse,
)
from secretsd.api.proof_spaces import (
    CreateProofSpaceRequest,
    DeleteProofSpaceRequest,
    DeleteProofSpaceResponse,
    ListProofSpacesRequest,
    ListProofSpacesResponse,
    ProofSpaceDescription,
)
from secretsd.api.resource_policies import (
    DeleteResourcePolicyRequest,
    GetResourcePolicyRequest,
    PutResourcePolicyRequest,
    ResourcePolicyDescription,
)
from secretsd.api.roles import (
    CreateRoleRequest,
    DeleteRoleRequest,
    DescribeRoleRequest,
    ListRolesRequest,
    ListRolesResponse,
    RevokeRoleSessionsRequest,
    RoleDescription,
    UpdateAssumeRolePolicyRequest,
    UpdateRoleRequest,
)
from secretsd.api.root_keys import (
    DescribeErasureRequest,
    DescribeErasureResponse,
    DescribeRootKeysRequest,
    DescribeRootKeysResponse,
)
from secretsd.api.rotation import (
    CancelRotateSecretRequest,
    ListRotatorsRequest,
    ListRotatorsResponse,
    PauseRotationRequest,
    ResumeRotationRequest,
    RotateSecretRequest,
    RotationResponse,
    ScheduleFields,
)
from secretsd.api.rotation_views import (
    DescribeRotationRequest,
    ExplainRotationRequest,
    ListRotationsRequest,
    ListRotationsResponse,
    ListRotationStepsRequest,
    ListRotationStepsResponse,
    RotationExplanation,
    RotationStatus,
)
from secretsd.api.secrets import (
    CreateSecretRequest,
    CreateSecretResponse,
    DeleteSecretRequest,
    DeleteSecretResponse,
    DescribeSecretRequest,
    ListSecretsRequest,
    ListSecretsResponse,
    RestoreSecretRequest,
    RestoreSecretResponse,
    SecretDescription,
    TagResourceRequest,
    TagsResponse,
    UntagResourceRequest,
    UpdateSecretRequest,
    UpdateSecretResponse,
)
from secretsd.api.sessions import (
    AssumeRoleRequest,
    AssumeRoleResponse,
    ListRoleSessionsRequest,
    ListRoleSessionsResponse,
)
from secretsd.api.signatures import (
    GenerateMacRequest,
    GenerateMacResponse,
    SignRequest,
    SignResponse,
    VerifyMacRequest,
    VerifyMacResponse,
    VerifyRequest,
    VerifyResponse,
)
from secretsd.api.targets import (
    CreateTargetRequest,
    DeleteTargetRequest,
    DescribeTargetRequest,
    ListTargetsRequest,
    ListTargetsResponse,
    TargetDeletedResponse,
    TargetDescription,
    UpdateTargetRequest,
)
from secretsd.api.token_issuers import (
    CreateTokenIssuerRequest,
    DeleteTokenIssuerRequest,
    DescribeTokenIssuerRequest,
    ListTokenIssuersRequest,
    ListTokenIssuersResponse,
    TokenIssuerDeletedResponse,
    TokenIssuerDescription,
    UpdateTokenIssuerRequest,
)
from secretsd.api.tokens import (
    CreateTokenRequest,
    CreateTokenResponse,
    DeleteTokenRequest,
    ListTokensRequest,
    ListTokensResponse,
)
from secretsd.api.users import (
    CreateUserRequest,
    DeleteUserRequest,
    DescribeUserRequest,
    ListUsersRequest,
    ListUsersResponse,
    UpdateUserRequest,
    UserDescription,
)
from secretsd.api.values import (
    BatchGetSecretValueRequest,
    BatchGetSecretValueResponse,
    GetRandomPasswordRequest,
    GetRandomPasswordResponse,
    GetSecretValueRequest,
    GetSecretValueResponse,
    ListSecretVersionIdsRequest,
    ListSecretVersionIdsResponse,
    PutSecretValueRequest,
    PutSecretValueResponse,
    StagesResponse,
    UpdateSecretVersionStageRequest,
)
from secretsd.api.watch import SecretChange, WatchSecretsRequest
from secretsd.client.messages import Route

Answer = TypeVar("Answer", bound=Response)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class GeneratedCalls(ABC):
    """The operations as methods; a field of the path comes first, the others by name."""

    @abstractmethod
    async def exchange(self, operation: str, request: Request, answer: type[Answer]) -> Answer:
        """Call the operation and read its answer."""

    @abstractmethod
    def stream(self, operation: str, request: Request, answer: type[Answer]) -> AsyncIterator[Answer]:
        """Call an operation whose answer goes on, and read items until its connection ends."""

    async def add_user_to_group(self, group: str, *, user: str) -> UserDescription:
        """Give a user what a group has."""
        return await self.exchange("AddUserToGroup", AddUserToGroupRequest(group=group, user=user), UserDescription)

    async def assume_role(
        self,
        role: str,
        *,
        session_name: str,
        duration_seconds: int | None = None,
        external_id: str | None = None,
        session_policy: str | None = None,
    ) -> AssumeRoleResponse:
        """Become a role for a while, of the caller's account or another one, as its trust policy allows."""
        return await self.exchange(
            "AssumeRole",
            AssumeRoleRequest(
                role=role,
                session_name=session_name,
                duration_seconds=duration_seconds,
                external_id=external_id,
                session_policy=session_policy,
            ),
            AssumeRoleResponse,
        )

    async def attach_group_policy(self, group: str, *, policy: str) -> GroupDescription:
        """Give all members of a group what a policy says."""
        return await self.exchange(
            "AttachGroupPolicy", AttachGroupPolicyRequest(group=group, policy=policy), GroupDescription
        )

    async def attach_policy(self, user: str, *, policy: str) -> UserDescription:
        """Give a user what a policy says."""
        return await self.exchange("AttachPolicy", AttachPolicyRequest(user=user, policy=policy), UserDescription)

    async def attach_role_policy(self, role: str, *, policy: str) -> RoleDescription:
        """Give a role what a policy says."""
        return await self.exchange(
            "AttachRolePolicy", AttachRolePolicyRequest(role=role, policy=policy), RoleDescription
        )

    async def batch_get_secret_value(self, *, names: tuple[str, ...]) -> BatchGetSecretValueResponse:
        """Read the current values of several secrets; each needs GetSecretValue on itself."""
        return await self.exchange(
            "BatchGetSecretValue", BatchGetSecretValueRequest(names=names), BatchGetSecretValueResponse
        )

    async def cancel_key_deletion(self, key: str) -> KeyStateResponse:
        """Keep a CMK that waits for its deletion: it is disabled then, or waits for its material if it has none."""
        return await self.exchange("CancelKeyDeletion", CancelKeyDeletionRequest(key=key), KeyStateResponse)

    async def cancel_re_encryption(self, key: str) -> ReEncryptionDescription:
        """Stop a re-encryption; what was moved stays moved, and it can be begun again."""
        return await self.exchange("CancelReEncryption", CancelReEncryptionRequest(key=key), ReEncryptionDescription)

    async def cancel_rotate_secret(self, name: str) -> RotationResponse:
        """Stop the clock of a rotation; one that is under way is led back to the value before, where the target can."""
        return await self.exchange("CancelRotateSecret", CancelRotateSecretRequest(name=name), RotationResponse)

    async def create_access_key(self, user: str) -> CreateAccessKeyResponse:
        """Make an access key for a user; its secret is shown this once. It is good from anywhere. So nobody makes
        one whose own proof is good from a network alone.
        """
        return await self.exchange("CreateAccessKey", CreateAccessKeyRequest(user=user), CreateAccessKeyResponse)

    async def create_access_token(
        self, *, grant_type: Literal["client_credentials"], expires_in: int = 3600
    ) -> CreateAccessTokenResponse:
        """Make a token of the caller's own for a while; he proves himself by an access key, with which the token
        ends. A token cannot make another one, or whoever took it once would stay for good.
        """
        return await self.exchange(
            "CreateAccessToken",
            CreateAccessTokenRequest(grant_type=grant_type, expires_in=expires_in),
            CreateAccessTokenResponse,
        )

    async def create_account(
        self, *, account_name: str, administrator: str = "admin", ttl_seconds: int = 3600
    ) -> CreateAccountResponse:
        """Make an account with its default key and an administrator; his token is shown this once."""
        return await self.exchange(
            "CreateAccount",
            CreateAccountRequest(account_name=account_name, administrator=administrator, ttl_seconds=ttl_seconds),
            CreateAccountResponse,
        )

    async def create_alias(self, *, key: str, alias: str) -> AliasDescription:
        """Give a CMK a second name; needs CreateAlias on the key as well."""
        return await self.exchange("CreateAlias", CreateAliasRequest(key=key, alias=alias), AliasDescription)

    async def create_binding(
        self, *, proof: str, user: str | None = None, role: str | None = None
    ) -> BindingDescription:
        """Map a proof of identity to a user or role of the caller's account; a proof leads to one of them only."""
        return await self.exchange(
            "CreateBinding", CreateBindingRequest(proof=proof, user=user, role=role), BindingDescription
        )

    async def create_certificate_authority(
        self, *, certificate_authority: str, account: str, certificates: str, crl: str = ""
    ) -> CertificateAuthorityDescription:
        """Let the client certificates of an authority prove who is calling, for one account."""
        return await self.exchange(
            "CreateCertificateAuthority",
            CreateCertificateAuthorityRequest(
                certificate_authority=certificate_authority, account=account, certificates=certificates, crl=crl
            ),
            CertificateAuthorityDescription,
        )

    async def create_enrolment_token(
        self, user: str, *, ttl_seconds: int = 600, token_seconds: int = 7776000, network: str | None = None
    ) -> CreateEnrolmentTokenResponse:
        """Make a token by which one host becomes a user, once and soon; it is shown this once."""
        return await self.exchange(
            "CreateEnrolmentToken",
            CreateEnrolmentTokenRequest(
                user=user, ttl_seconds=ttl_seconds, token_seconds=token_seconds, network=network
            ),
            CreateEnrolmentTokenResponse,
        )

    async def create_grant(
        self,
        key: str,
        *,
        grantee: str,
        operations: tuple[Literal["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "ExportDataKey", "GenerateAndExportDataKey", "Sign", "Verify", "GenerateMac", "VerifyMac", "GetPublicKey", "DescribeKey", "CreateGrant", "RetireGrant"], ...],
        context_equals: Mapping[str, str] = _NOTHING,
        context_subset: Mapping[str, str] = _NOTHING,
        retiring_principal: str | None = None,
        expires_ms: int | None = None,
        name: str = "",
    ) -> GrantDescription:
        """Let a user, role or account use a key for named operations, at once on every node."""
        return await self.exchange(
            "CreateGrant",
            CreateGrantRequest(
                key=key,
                grantee=grantee,
                operations=operations,
                context_equals=context_equals,
                context_subset=context_subset,
                retiring_principal=retiring_principal,
                expires_ms=expires_ms,
                name=name,
            ),
            GrantDescription,
        )

    async def create_group(self, *, group: str, description: str = "") -> GroupDescription:
        """Make a group, which has no members and no policies yet."""
        return await self.exchange(
            "CreateGroup", CreateGroupRequest(group=group, description=description), GroupDescription
        )

    async def create_key(
        self,
        *,
        spec: Literal["AES_256", "AES_192", "AES_128", "SM4", "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "SM2", "HMAC_256", "HMAC_384", "HMAC_512"] = "AES_256",
        usage: Literal["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"] | None = None,
        origin: Literal["HSM", "EXTERNAL"] = "HSM",
        description: str = "",
        tags: Mapping[str, str] = _NOTHING,
        alias: str | None = None,
        deletion_protection: bool = False,
        protection_reason: str = "",
    ) -> KeyDescription:
        """Make a CMK in the HSM, or one that waits for its material to be imported."""
        return await self.exchange(
            "CreateKey",
            CreateKeyRequest(
                spec=spec,
                usage=usage,
                origin=origin,
                description=description,
                tags=tags,
                alias=alias,
                deletion_protection=deletion_protection,
                protection_reason=protection_reason,
            ),
            KeyDescription,
        )

    async def create_policy(self, *, policy: str, document: str, description: str = "") -> PolicyDescription:
        """Make a policy."""
        return await self.exchange(
            "CreatePolicy",
            CreatePolicyRequest(policy=policy, document=document, description=description),
            PolicyDescription,
        )

    async def create_proof_space(self, *, space: str, account: str) -> ProofSpaceDescription:
        """Leave proofs of identity to an account: its administrators bind them to its users and roles."""
        return await self.exchange(
            "CreateProofSpace", CreateProofSpaceRequest(space=space, account=account), ProofSpaceDescription
        )

    async def create_role(
        self,
        *,
        role: str,
        trust: str,
        description: str = "",
        max_session_seconds: int = 3600,
        boundary: str | None = None,
        tags: Mapping[str, str] = _NOTHING,
    ) -> RoleDescription:
        """Make a role that those may assume whom its trust policy names; it may do nothing yet."""
        return await self.exchange(
            "CreateRole",
            CreateRoleRequest(
                role=role,
                trust=trust,
                description=description,
                max_session_seconds=max_session_seconds,
                boundary=boundary,
                tags=tags,
            ),
            RoleDescription,
        )

    async def create_secret(
        self,
        *,
        name: str,
        description: str = "",
        key_id: str | None = None,
        tags: Mapping[str, str] = _NOTHING,
        text: TextValue | None = None,
        binary: BinaryValue | None = None,
        token: str | None = None,
    ) -> CreateSecretResponse:
        """Make a secret, with a first version if a value comes with it; the same token and value again is no second
        one.
        """
        return await self.exchange(
            "CreateSecret",
            CreateSecretRequest(
                name=name, description=description, key_id=key_id, tags=tags, text=text, binary=binary, token=token
            ),
            CreateSecretResponse,
        )

    async def create_target(
        self,
        *,
        target: str,
        rotator: str,
        address: Mapping[str, Any],
        admin_login: str | None = None,
        admin_password: TextValue | None = None,
        logins: Mapping[str, tuple[str, ...]] = _NOTHING,
        description: str = "",
    ) -> TargetDescription:
        """Describe a system in which credentials are rotated."""
        return await self.exchange(
            "CreateTarget",
            CreateTargetRequest(
                target=target,
                rotator=rotator,
                address=address,
                admin_login=admin_login,
                admin_password=admin_password,
                logins=logins,
                description=description,
            ),
            TargetDescription,
        )

    async def create_token(self, user: str, *, ttl_seconds: int | None = None) -> CreateTokenResponse:
        """Make a bearer token for a user; it is shown this once."""
        return await self.exchange(
            "CreateToken", CreateTokenRequest(user=user, ttl_seconds=ttl_seconds), CreateTokenResponse
        )

    async def create_token_issuer(
        self,
        *,
        token_issuer: str,
        account: str,
        issuer: str,
        audience: str,
        claims: tuple[str, ...] = ("sub",),
        required: Mapping[str, str] = _NOTHING,
        keys: str | None = None,
        keys_url: str | None = None,
    ) -> TokenIssuerDescription:
        """Let the JWTs of an issuer prove who is calling, for one account."""
        return await self.exchange(
            "CreateTokenIssuer",
            CreateTokenIssuerRequest(
                token_issuer=token_issuer,
                account=account,
                issuer=issuer,
                audience=audience,
                claims=claims,
                required=required,
                keys=keys,
                keys_url=keys_url,
            ),
            TokenIssuerDescription,
        )

    async def create_user(
        self,
        *,
        user: str,
        description: str = "",
        service: bool = False,
        boundary: str | None = None,
        tags: Mapping[str, str] = _NOTHING,
    ) -> UserDescription:
        """Make a user, who may do nothing yet."""
        return await self.exchange(
            "CreateUser",
            CreateUserRequest(user=user, description=description, service=service, boundary=boundary, tags=tags),
            UserDescription,
        )

    async def decrypt(
        self,
        *,
        ciphertext: bytes,
        key: str | None = None,
        context: Mapping[str, str] = _NOTHING,
        algorithm: Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"] | None = None,
    ) -> DecryptResponse:
        """Decrypt a ciphertext under the key that it names, or under the RSA or SM2 key that is given."""
        return await self.exchange(
            "Decrypt",
            DecryptRequest(ciphertext=ciphertext, key=key, context=context, algorithm=algorithm),
            DecryptResponse,
        )

    async def delete_access_key(self, user: str, *, access_key: str) -> DoneResponse:
        """End an access key and the tokens that were got for it, at once on every node."""
        return await self.exchange(
            "DeleteAccessKey", DeleteAccessKeyRequest(user=user, access_key=access_key), DoneResponse
        )

    async def delete_alias(self, alias: str) -> AliasDescription:
        """Take a CMK's second name away; needs DeleteAlias on the key as well."""
        return await self.exchange("DeleteAlias", DeleteAliasRequest(alias=alias), AliasDescription)

    async def delete_binding(self, *, proof: str) -> DoneResponse:
        """End what a proof leads to; what an account could not bind itself is an operator's to end, in any account."""
        return await self.exchange("DeleteBinding", DeleteBindingRequest(proof=proof), DoneResponse)

    async def delete_certificate_authority(self, certificate_authority: str) -> CertificateAuthorityDeletedResponse:
        """Let no certificate of an authority prove anything any more; it stays while its account has bindings of
        such.
        """
        return await self.exchange(
            "DeleteCertificateAuthority",
            DeleteCertificateAuthorityRequest(certificate_authority=certificate_authority),
            CertificateAuthorityDeletedResponse,
        )

    async def delete_group(self, group: str) -> DoneResponse:
        """End a group that has no members."""
        return await self.exchange("DeleteGroup", DeleteGroupRequest(group=group), DoneResponse)

    async def delete_group_policy(self, group: str, *, policy: str) -> DoneResponse:
        """Take a policy of a group's own away."""
        return await self.exchange(
            "DeleteGroupPolicy", DeleteGroupPolicyRequest(group=group, policy=policy), DoneResponse
        )

    async def delete_imported_key_material(self, key: str) -> KeyStateResponse:
        """Take away the imported material of a CMK, which then waits for the same material to be imported again."""
        return await self.exchange(
            "DeleteImportedKeyMaterial", DeleteImportedKeyMaterialRequest(key=key), KeyStateResponse
        )

    async def delete_policy(self, policy: str) -> DoneResponse:
        """End a policy that is attached to nobody and bounds nobody."""
        return await self.exchange("DeletePolicy", DeletePolicyRequest(policy=policy), DoneResponse)

    async def delete_proof_space(self, *, space: str, force: bool = False) -> DeleteProofSpaceResponse:
        """Take proofs of identity back from an account, with its bindings of them where that is said."""
        return await self.exchange(
            "DeleteProofSpace", DeleteProofSpaceRequest(space=space, force=force), DeleteProofSpaceResponse
        )

    async def delete_resource_policy(self, resource: str) -> DoneResponse:
        """Take the policy of a key or secret away; what it allowed others ends at once on every node."""
        return await self.exchange("DeleteResourcePolicy", DeleteResourcePolicyRequest(resource=resource), DoneResponse)

    async def delete_role(self, role: str) -> DoneResponse:
        """End a role, and its sessions with it."""
        return await self.exchange("DeleteRole", DeleteRoleRequest(role=role), DoneResponse)

    async def delete_role_permissions_boundary(self, role: str) -> RoleDescription:
        """Let a role have all that its policies allow."""
        return await self.exchange(
            "DeleteRolePermissionsBoundary", DeleteRolePermissionsBoundaryRequest(role=role), RoleDescription
        )

    async def delete_role_policy(self, role: str, *, policy: str) -> DoneResponse:
        """Take a policy of a role's own away."""
        return await self.exchange("DeleteRolePolicy", DeleteRolePolicyRequest(role=role, policy=policy), DoneResponse)

    async def delete_secret(
        self, name: str, *, recovery_window_days: int | None = None, force: bool = False
    ) -> DeleteSecretResponse:
        """Schedule a secret to be erased after a recovery window, or erase it at once."""
        return await self.exchange(
            "DeleteSecret",
            DeleteSecretRequest(name=name, recovery_window_days=recovery_window_days, force=force),
            DeleteSecretResponse,
        )

    async def delete_target(self, target: str) -> TargetDeletedResponse:
        """Take a target away; it stays while a secret holds a login there."""
        return await self.exchange("DeleteTarget", DeleteTargetRequest(target=target), TargetDeletedResponse)

    async def delete_token(self, user: str, *, id: str) -> DoneResponse:
        """End a token, at once on every node."""
        return await self.exchange("DeleteToken", DeleteTokenRequest(user=user, id=id), DoneResponse)

    async def delete_token_issuer(self, token_issuer: str) -> TokenIssuerDeletedResponse:
        """Let no JWT of an issuer prove anything any more; it stays while its account has bindings of such proofs."""
        return await self.exchange(
            "DeleteTokenIssuer", DeleteTokenIssuerRequest(token_issuer=token_issuer), TokenIssuerDeletedResponse
        )

    async def delete_user(self, user: str) -> DoneResponse:
        """End a user whom no token, access key or binding leads to any more."""
        return await self.exchange("DeleteUser", DeleteUserRequest(user=user), DoneResponse)

    async def delete_user_permissions_boundary(self, user: str) -> UserDescription:
        """Let a user have all that his policies allow."""
        return await self.exchange(
            "DeleteUserPermissionsBoundary", DeleteUserPermissionsBoundaryRequest(user=user), UserDescription
        )

    async def delete_user_policy(self, user: str, *, policy: str) -> DoneResponse:
        """Take a policy of a user's own away."""
        return await self.exchange("DeleteUserPolicy", DeleteUserPolicyRequest(user=user, policy=policy), DoneResponse)

    async def describe_account(self, account: str) -> AccountDescription:
        """Tell what an account is called, and since when it is there."""
        return await self.exchange("DescribeAccount", DescribeAccountRequest(account=account), AccountDescription)

    async def describe_certificate_authority(self, certificate_authority: str) -> CertificateAuthorityDescription:
        """Tell all about a certificate authority."""
        return await self.exchange(
            "DescribeCertificateAuthority",
            DescribeCertificateAuthorityRequest(certificate_authority=certificate_authority),
            CertificateAuthorityDescription,
        )

    async def describe_erasure(self, key: str, *, retention_days: int | None = None) -> DescribeErasureResponse:
        """Tell from when on backups no longer give a destroyed CMK."""
        return await self.exchange(
            "DescribeErasure", DescribeErasureRequest(key=key, retention_days=retention_days), DescribeErasureResponse
        )

    async def describe_group(
        self, group: str, *, limit: int = 100, next_token: str | None = None
    ) -> DescribeGroupResponse:
        """Tell which policies a group has, and who is in it."""
        return await self.exchange(
            "DescribeGroup",
            DescribeGroupRequest(group=group, limit=limit, next_token=next_token),
            DescribeGroupResponse,
        )

    async def describe_key(self, key: str) -> KeyDescription:
        """Tell all about a CMK but its material."""
        return await self.exchange("DescribeKey", DescribeKeyRequest(key=key), KeyDescription)

    async def describe_re_encryption(self, key: str) -> ReEncryptionDescription:
        """Tell how far the re-encryption of what is under a key is, and what is left."""
        return await self.exchange(
            "DescribeReEncryption", DescribeReEncryptionRequest(key=key), ReEncryptionDescription
        )

    async def describe_role(self, role: str) -> RoleDescription:
        """Tell who may assume a role, which policies it has, and what bounds them."""
        return await self.exchange("DescribeRole", DescribeRoleRequest(role=role), RoleDescription)

    async def describe_root_keys(self) -> DescribeRootKeysResponse:
        """Tell which generations of the root there are, and how many stored key versions still need each."""
        return await self.exchange("DescribeRootKeys", DescribeRootKeysRequest(), DescribeRootKeysResponse)

    async def describe_rotation(self, name: str) -> RotationStatus:
        """Tell where the rotation of a secret stands, since when and why, and what a person does next."""
        return await self.exchange("DescribeRotation", DescribeRotationRequest(name=name), RotationStatus)

    async def describe_secret(self, name: str) -> SecretDescription:
        """Tell all about a secret but its value."""
        return await self.exchange("DescribeSecret", DescribeSecretRequest(name=name), SecretDescription)

    async def describe_target(self, target: str) -> TargetDescription:
        """Tell all about a target but its administrator's password."""
        return await self.exchange("DescribeTarget", DescribeTargetRequest(target=target), TargetDescription)

    async def describe_token_issuer(self, token_issuer: str) -> TokenIssuerDescription:
        """Tell all about a token issuer, and how the keys at its URL are doing."""
        return await self.exchange(
            "DescribeTokenIssuer", DescribeTokenIssuerRequest(token_issuer=token_issuer), TokenIssuerDescription
        )

    async def describe_user(self, user: str) -> UserDescription:
        """Tell which policies and groups a user has, and what bounds him."""
        return await self.exchange("DescribeUser", DescribeUserRequest(user=user), UserDescription)

    async def destroy_key_version(
        self, key: str, *, version: int, confirm_unknown_ciphertexts: bool = False
    ) -> DestroyKeyVersionResponse:
        """Destroy the oldest version of a key; refused while anything that is stored here needs it."""
        return await self.exchange(
            "DestroyKeyVersion",
            DestroyKeyVersionRequest(key=key, version=version, confirm_unknown_ciphertexts=confirm_unknown_ciphertexts),
            DestroyKeyVersionResponse,
        )

    async def detach_group_policy(self, group: str, *, policy: str) -> GroupDescription:
        """Take from the members of a group what a policy says."""
        return await self.exchange(
            "DetachGroupPolicy", DetachGroupPolicyRequest(group=group, policy=policy), GroupDescription
        )

    async def detach_policy(self, user: str, *, policy: str) -> UserDescription:
        """Take from a user what a policy says."""
        return await self.exchange("DetachPolicy", DetachPolicyRequest(user=user, policy=policy), UserDescription)

    async def detach_role_policy(self, role: str, *, policy: str) -> RoleDescription:
        """Take from a role what a policy says."""
        return await self.exchange(
            "DetachRolePolicy", DetachRolePolicyRequest(role=role, policy=policy), RoleDescription
        )

    async def disable_key(self, key: str) -> KeyStateResponse:
        """Let a CMK be used no more, by nobody and nothing, until it is enabled again."""
        return await self.exchange("DisableKey", DisableKeyRequest(key=key), KeyStateResponse)

    async def disable_key_rotation(self, key: str) -> KeyRotationStatus:
        """Let a key not be rotated by the clock any more; its versions stay."""
        return await self.exchange("DisableKeyRotation", DisableKeyRotationRequest(key=key), KeyRotationStatus)

    async def draft_policy_from_use(
        self, *, principal: str, days: int = 30, generalise: int | None = None
    ) -> DraftPolicyFromUseResponse:
        """Draft a policy that allows what a user or role did, and no more; needs LookupEvents on the trail as well."""
        return await self.exchange(
            "DraftPolicyFromUse",
            DraftPolicyFromUseRequest(principal=principal, days=days, generalise=generalise),
            DraftPolicyFromUseResponse,
        )

    async def enable_key(self, key: str) -> KeyStateResponse:
        """Let a disabled CMK be used again."""
        return await self.exchange("EnableKey", EnableKeyRequest(key=key), KeyStateResponse)

    async def enable_key_rotation(
        self, key: str, *, rotation_period_days: int | None = None, rotation_period_seconds: int | None = None
    ) -> KeyRotationStatus:
        """Let a key be rotated by the clock; the first time is a period from now."""
        return await self.exchange(
            "EnableKeyRotation",
            EnableKeyRotationRequest(
                key=key, rotation_period_days=rotation_period_days, rotation_period_seconds=rotation_period_seconds
            ),
            KeyRotationStatus,
        )

    async def encrypt(
        self,
        key: str,
        *,
        plaintext: BinaryValue,
        context: Mapping[str, str] = _NOTHING,
        algorithm: Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"] | None = None,
    ) -> EncryptResponse:
        """Encrypt up to 6 KiB under a CMK, bound to an encryption context."""
        return await self.exchange(
            "Encrypt",
            EncryptRequest(key=key, plaintext=plaintext, context=context, algorithm=algorithm),
            EncryptResponse,
        )

    async def enrol_host(self) -> EnrolHostResponse:
        """Turn the enrolment token that the caller shows into a bearer token of its own; it is shown this once."""
        return await self.exchange("EnrolHost", EnrolHostRequest(), EnrolHostResponse)

    async def explain_decision(
        self, *, principal: str, action: str, resource: str, facts: Mapping[str, tuple[str, ...]] = _NOTHING
    ) -> ExplainDecisionResponse:
        """Say whether a user or role may use a permission on a resource, and which statement decides. What the owner
        of the resource says of it is shown to who has ExplainDecision on the resource too, and never across
        accounts.
        """
        return await self.exchange(
            "ExplainDecision",
            ExplainDecisionRequest(principal=principal, action=action, resource=resource, facts=facts),
            ExplainDecisionResponse,
        )

    async def explain_rotation(self, name: str, *, probe_target: bool = True) -> RotationExplanation:
        """Tell why a rotation is where it is, what callers are served, what the target accepts, and what to do next."""
        return await self.exchange(
            "ExplainRotation", ExplainRotationRequest(name=name, probe_target=probe_target), RotationExplanation
        )

    async def export_data_key(
        self,
        *,
        ciphertext: bytes,
        public_key: bytes,
        key: str | None = None,
        wrapping_algorithm: Literal["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"] = "RSAES_OAEP_SHA_256",
        context: Mapping[str, str] = _NOTHING,
    ) -> ExportDataKeyResponse:
        """Encrypt a data key anew under a caller's RSA key, for the holder of its private half."""
        return await self.exchange(
            "ExportDataKey",
            ExportDataKeyRequest(
                ciphertext=ciphertext,
                public_key=public_key,
                key=key,
                wrapping_algorithm=wrapping_algorithm,
                context=context,
            ),
            ExportDataKeyResponse,
        )

    async def generate_and_export_data_key(
        self,
        key: str,
        *,
        public_key: bytes,
        spec: Literal["AES_256", "AES_128"] | None = None,
        number_of_bytes: int | None = None,
        context: Mapping[str, str] = _NOTHING,
        wrapping_algorithm: Literal["RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1"] = "RSAES_OAEP_SHA_256",
    ) -> GenerateAndExportDataKeyResponse:
        """Make a data key that is encrypted under a CMK and under a caller's RSA key."""
        return await self.exchange(
            "GenerateAndExportDataKey",
            GenerateAndExportDataKeyRequest(
                key=key,
                public_key=public_key,
                spec=spec,
                number_of_bytes=number_of_bytes,
                context=context,
                wrapping_algorithm=wrapping_algorithm,
            ),
            GenerateAndExportDataKeyResponse,
        )

    async def generate_data_key(
        self,
        key: str,
        *,
        spec: Literal["AES_256", "AES_128"] | None = None,
        number_of_bytes: int | None = None,
        context: Mapping[str, str] = _NOTHING,
    ) -> GenerateDataKeyResponse:
        """Make a data key: in clear, and encrypted under a CMK."""
        return await self.exchange(
            "GenerateDataKey",
            GenerateDataKeyRequest(key=key, spec=spec, number_of_bytes=number_of_bytes, context=context),
            GenerateDataKeyResponse,
        )

    async def generate_data_key_pair(
        self,
        key: str,
        *,
        key_pair_spec: Literal["RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"],
        context: Mapping[str, str] = _NOTHING,
    ) -> GenerateDataKeyPairResponse:
        """Make a key pair: the private key in clear, and encrypted under a CMK."""
        return await self.exchange(
            "GenerateDataKeyPair",
            GenerateDataKeyPairRequest(key=key, key_pair_spec=key_pair_spec, context=context),
            GenerateDataKeyPairResponse,
        )

    async def generate_data_key_pair_without_plaintext(
        self,
        key: str,
        *,
        key_pair_spec: Literal["RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"],
        context: Mapping[str, str] = _NOTHING,
    ) -> GenerateDataKeyPairWithoutPlaintextResponse:
        """Make a key pair whose private key is encrypted under a CMK and shown to nobody yet."""
        return await self.exchange(
            "GenerateDataKeyPairWithoutPlaintext",
            GenerateDataKeyPairWithoutPlaintextRequest(key=key, key_pair_spec=key_pair_spec, context=context),
            GenerateDataKeyPairWithoutPlaintextResponse,
        )

    async def generate_data_key_without_plaintext(
        self,
        key: str,
        *,
        spec: Literal["AES_256", "AES_128"] | None = None,
        number_of_bytes: int | None = None,
        context: Mapping[str, str] = _NOTHING,
    ) -> GenerateDataKeyWithoutPlaintextResponse:
        """Make a data key that is encrypted under a CMK, and show it to nobody yet."""
        return await self.exchange(
            "GenerateDataKeyWithoutPlaintext",
            GenerateDataKeyWithoutPlaintextRequest(
                key=key, spec=spec, number_of_bytes=number_of_bytes, context=context
            ),
            GenerateDataKeyWithoutPlaintextResponse,
        )

    async def generate_mac(
        self,
        key: str,
        *,
        message: BinaryValue,
        algorithm: Literal["HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"] | None = None,
    ) -> GenerateMacResponse:
        """Compute the MAC of a message with a CMK."""
        return await self.exchange(
            "GenerateMac", GenerateMacRequest(key=key, message=message, algorithm=algorithm), GenerateMacResponse
        )

    async def generate_random(self, *, number_of_bytes: int = 32) -> GenerateRandomResponse:
        """Make random bytes in the HSM; they are stored nowhere."""
        return await self.exchange(
            "GenerateRandom", GenerateRandomRequest(number_of_bytes=number_of_bytes), GenerateRandomResponse
        )

    async def get_caller_identity(self) -> GetCallerIdentityResponse:
        """Tell who is calling and how that was proved."""
        return await self.exchange("GetCallerIdentity", GetCallerIdentityRequest(), GetCallerIdentityResponse)

    async def get_group_policy(self, group: str, *, policy: str) -> InlinePolicyDescription:
        """Show a policy of a group's own."""
        return await self.exchange(
            "GetGroupPolicy", GetGroupPolicyRequest(group=group, policy=policy), InlinePolicyDescription
        )

    async def get_key_rotation_status(self, key: str) -> KeyRotationStatus:
        """Tell whether a key is rotated by the clock, and when next."""
        return await self.exchange("GetKeyRotationStatus", GetKeyRotationStatusRequest(key=key), KeyRotationStatus)

    async def get_parameters_for_import(
        self,
        key: str,
        *,
        wrapping_algorithm: Literal["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "SM2PKE"],
        wrapping_key_spec: Literal["RSA_2048", "RSA_3072", "RSA_4096", "SM2"] = "RSA_2048",
    ) -> GetParametersForImportResponse:
        """Tell under which public key the material of a CMK is to be wrapped, and give the token that goes with it."""
        return await self.exchange(
            "GetParametersForImport",
            GetParametersForImportRequest(
                key=key, wrapping_algorithm=wrapping_algorithm, wrapping_key_spec=wrapping_key_spec
            ),
            GetParametersForImportResponse,
        )

    async def get_policy(self, policy: str) -> PolicyDescription:
        """Show a policy."""
        return await self.exchange("GetPolicy", GetPolicyRequest(policy=policy), PolicyDescription)

    async def get_public_key(self, key: str) -> GetPublicKeyResponse:
        """Tell the public half of an asymmetric CMK, for use outside."""
        return await self.exchange("GetPublicKey", GetPublicKeyRequest(key=key), GetPublicKeyResponse)

    async def get_random_password(
        self,
        *,
        length: int = 32,
        exclude_characters: str = "",
        exclude_lowercase: bool = False,
        exclude_uppercase: bool = False,
        exclude_numbers: bool = False,
        exclude_punctuation: bool = False,
        include_space: bool = False,
        require_each_included_type: bool = True,
    ) -> GetRandomPasswordResponse:
        """Make a random password, which is stored nowhere."""
        return await self.exchange(
            "GetRandomPassword",
            GetRandomPasswordRequest(
                length=length,
                exclude_characters=exclude_characters,
                exclude_lowercase=exclude_lowercase,
                exclude_uppercase=exclude_uppercase,
                exclude_numbers=exclude_numbers,
                exclude_punctuation=exclude_punctuation,
                include_space=include_space,
                require_each_included_type=require_each_included_type,
            ),
            GetRandomPasswordResponse,
        )

    async def get_resource_policy(self, resource: str) -> ResourcePolicyDescription:
        """Show the policy of a key or secret."""
        return await self.exchange(
            "GetResourcePolicy", GetResourcePolicyRequest(resource=resource), ResourcePolicyDescription
        )

    async def get_role_policy(self, role: str, *, policy: str) -> InlinePolicyDescription:
        """Show a policy of a role's own."""
        return await self.exchange(
            "GetRolePolicy", GetRolePolicyRequest(role=role, policy=policy), InlinePolicyDescription
        )

    async def get_secret_value(
        self, name: str, *, stage: str | None = None, version_id: str | None = None
    ) -> GetSecretValueResponse:
        """Read a version's value."""
        return await self.exchange(
            "GetSecretValue",
            GetSecretValueRequest(name=name, stage=stage, version_id=version_id),
            GetSecretValueResponse,
        )

    async def get_user_policy(self, user: str, *, policy: str) -> InlinePolicyDescription:
        """Show a policy of a user's own."""
        return await self.exchange(
            "GetUserPolicy", GetUserPolicyRequest(user=user, policy=policy), InlinePolicyDescription
        )

    async def import_key_material(
        self, key: str, *, import_token: bytes, encrypted_material: bytes, expires_ms: int | None = None
    ) -> ImportKeyMaterialResponse:
        """Import the material of a CMK that waits for it, or change when the material goes."""
        return await self.exchange(
            "ImportKeyMaterial",
            ImportKeyMaterialRequest(
                key=key, import_token=import_token, encrypted_material=encrypted_material, expires_ms=expires_ms
            ),
            ImportKeyMaterialResponse,
        )

    async def list_access_keys(self, user: str) -> ListAccessKeysResponse:
        """List a user's access keys without their secrets, and when each was used last."""
        return await self.exchange("ListAccessKeys", ListAccessKeysRequest(user=user), ListAccessKeysResponse)

    async def list_accounts(self, *, limit: int = 100, next_token: str | None = None) -> ListAccountsResponse:
        """List the accounts, without the operator's own."""
        return await self.exchange(
            "ListAccounts", ListAccountsRequest(limit=limit, next_token=next_token), ListAccountsResponse
        )

    async def list_aliases(
        self, *, key: str | None = None, limit: int = 100, next_token: str | None = None
    ) -> ListAliasesResponse:
        """List the aliases of the account, or of one CMK."""
        return await self.exchange(
            "ListAliases", ListAliasesRequest(key=key, limit=limit, next_token=next_token), ListAliasesResponse
        )

    async def list_bindings(self, *, limit: int = 100, next_token: str | None = None) -> ListBindingsResponse:
        """List which proofs lead to users and roles of the account."""
        return await self.exchange(
            "ListBindings", ListBindingsRequest(limit=limit, next_token=next_token), ListBindingsResponse
        )

    async def list_certificate_authorities(
        self, *, limit: int = 100, next_token: str | None = None
    ) -> ListCertificateAuthoritiesResponse:
        """List the certificate authorities of this daemon."""
        return await self.exchange(
            "ListCertificateAuthorities",
            ListCertificateAuthoritiesRequest(limit=limit, next_token=next_token),
            ListCertificateAuthoritiesResponse,
        )

    async def list_condition_keys(self) -> ListConditionKeysResponse:
        """List what conditions of policies may ask about."""
        return await self.exchange("ListConditionKeys", ListConditionKeysRequest(), ListConditionKeysResponse)

    async def list_entities_for_policy(
        self, policy: str, *, limit: int = 100, next_token: str | None = None
    ) -> ListEntitiesForPolicyResponse:
        """List who has a policy: groups, roles and users that it is attached to, or that it bounds."""
        return await self.exchange(
            "ListEntitiesForPolicy",
            ListEntitiesForPolicyRequest(policy=policy, limit=limit, next_token=next_token),
            ListEntitiesForPolicyResponse,
        )

    async def list_grants(self, key: str, *, limit: int = 100, next_token: str | None = None) -> ListGrantsResponse:
        """List the grants on a key."""
        return await self.exchange(
            "ListGrants", ListGrantsRequest(key=key, limit=limit, next_token=next_token), ListGrantsResponse
        )

    async def list_group_policies(self, group: str) -> ListInlinePoliciesResponse:
        """List the policies of a group's own."""
        return await self.exchange(
            "ListGroupPolicies", ListGroupPoliciesRequest(group=group), ListInlinePoliciesResponse
        )

    async def list_groups(self, *, limit: int = 100, next_token: str | None = None) -> ListGroupsResponse:
        """List the groups of the account."""
        return await self.exchange(
            "ListGroups", ListGroupsRequest(limit=limit, next_token=next_token), ListGroupsResponse
        )

    async def list_key_rotations(
        self, key: str, *, limit: int = 100, next_token: str | None = None
    ) -> ListKeyRotationsResponse:
        """List when a key got its versions, the newest first."""
        return await self.exchange(
            "ListKeyRotations",
            ListKeyRotationsRequest(key=key, limit=limit, next_token=next_token),
            ListKeyRotationsResponse,
        )

    async def list_key_versions(
        self, key: str, *, limit: int = 100, next_token: str | None = None
    ) -> ListKeyVersionsResponse:
        """List the versions of a CMK, the newest first."""
        return await self.exchange(
            "ListKeyVersions",
            ListKeyVersionsRequest(key=key, limit=limit, next_token=next_token),
            ListKeyVersionsResponse,
        )

    async def list_keys(
        self,
        *,
        state: Literal["pending-import", "enabled", "disabled", "pending-deletion", "destroyed"] | None = None,
        spec: Literal["AES_256", "AES_192", "AES_128", "SM4", "RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "SM2", "HMAC_256", "HMAC_384", "HMAC_512"] | None = None,
        usage: Literal["ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"] | None = None,
        origin: Literal["HSM", "EXTERNAL"] | None = None,
        protection_level: Literal["HSM", "SOFTWARE"] | None = None,
        owner: Literal["customer", "service"] | None = None,
        tags: tuple[str, ...] = (),
        limit: int = 100,
        next_token: str | None = None,
    ) -> ListKeysResponse:
        """List the CMKs of the account, those that are destroyed only by that state."""
        return await self.exchange(
            "ListKeys",
            ListKeysRequest(
                state=state,
                spec=spec,
                usage=usage,
                origin=origin,
                protection_level=protection_level,
                owner=owner,
                tags=tags,
                limit=limit,
                next_token=next_token,
            ),
            ListKeysResponse,
        )

    async def list_policies(self, *, limit: int = 100, next_token: str | None = None) -> ListPoliciesResponse:
        """List the policies of the account."""
        return await self.exchange(
            "ListPolicies", ListPoliciesRequest(limit=limit, next_token=next_token), ListPoliciesResponse
        )

    async def list_proof_spaces(
        self, *, every_account: bool = False, limit: int = 100, next_token: str | None = None
    ) -> ListProofSpacesResponse:
        """List which proofs are left to the account, or to every account."""
        return await self.exchange(
            "ListProofSpaces",
            ListProofSpacesRequest(every_account=every_account, limit=limit, next_token=next_token),
            ListProofSpacesResponse,
        )

    async def list_retirable_grants(
        self, *, retiring_principal: str | None = None, limit: int = 100, next_token: str | None = None
    ) -> ListGrantsResponse:
        """List the grants, on keys of whatever account, that a principal of the account may retire."""
        return await self.exchange(
            "ListRetirableGrants",
            ListRetirableGrantsRequest(retiring_principal=retiring_principal, limit=limit, next_token=next_token),
            ListGrantsResponse,
        )

    async def list_role_policies(self, role: str) -> ListInlinePoliciesResponse:
        """List the policies of a role's own."""
        return await self.exchange("ListRolePolicies", ListRolePoliciesRequest(role=role), ListInlinePoliciesResponse)

    async def list_role_sessions(
        self, role: str, *, limit: int = 100, next_token: str | None = None
    ) -> ListRoleSessionsResponse:
        """List the sessions of a role that are good, who opened them, and when each was used last."""
        return await self.exchange(
            "ListRoleSessions",
            ListRoleSessionsRequest(role=role, limit=limit, next_token=next_token),
            ListRoleSessionsResponse,
        )

    async def list_roles(self, *, limit: int = 100, next_token: str | None = None) -> ListRolesResponse:
        """List the roles of the account."""
        return await self.exchange("ListRoles", ListRolesRequest(limit=limit, next_token=next_token), ListRolesResponse)

    async def list_rotation_steps(
        self, name: str, *, limit: int = 100, next_token: str | None = None
    ) -> ListRotationStepsResponse:
        """List what the rotation of a secret did: each state that it came to, when and why, the newest first."""
        return await self.exchange(
            "ListRotationSteps",
            ListRotationStepsRequest(name=name, limit=limit, next_token=next_token),
            ListRotationStepsResponse,
        )

    async def list_rotations(
        self,
        *,
        prefix: str = "",
        state: str | None = None,
        quarantined: bool = False,
        limit: int = 100,
        next_token: str | None = None,
    ) -> ListRotationsResponse:
        """List the rotations of the account's secrets, all of them, or those in one state or in quarantine."""
        return await self.exchange(
            "ListRotations",
            ListRotationsRequest(
                prefix=prefix, state=state, quarantined=quarantined, limit=limit, next_token=next_token
            ),
            ListRotationsResponse,
        )

    async def list_rotators(self) -> ListRotatorsResponse:
        """List the rotators that this host may run, with the schema of their settings."""
        return await self.exchange("ListRotators", ListRotatorsRequest(), ListRotatorsResponse)

    async def list_secret_version_ids(
        self, name: str, *, include_unlabelled: bool = False, limit: int = 100, next_token: str | None = None
    ) -> ListSecretVersionIdsResponse:
        """List the versions of a secret without their values, the newest first."""
        return await self.exchange(
            "ListSecretVersionIds",
            ListSecretVersionIdsRequest(
                name=name, include_unlabelled=include_unlabelled, limit=limit, next_token=next_token
            ),
            ListSecretVersionIdsResponse,
        )

    async def list_secrets(
        self,
        *,
        prefix: str = "",
        tags: tuple[str, ...] = (),
        include_deleted: bool = False,
        limit: int = 100,
        next_token: str | None = None,
    ) -> ListSecretsResponse:
        """List secrets by name, without values and rotations."""
        return await self.exchange(
            "ListSecrets",
            ListSecretsRequest(
                prefix=prefix, tags=tags, include_deleted=include_deleted, limit=limit, next_token=next_token
            ),
            ListSecretsResponse,
        )

    async def list_targets(self, *, limit: int = 100, next_token: str | None = None) -> ListTargetsResponse:
        """List the targets of this daemon."""
        return await self.exchange(
            "ListTargets", ListTargetsRequest(limit=limit, next_token=next_token), ListTargetsResponse
        )

    async def list_token_issuers(self, *, limit: int = 100, next_token: str | None = None) -> ListTokenIssuersResponse:
        """List the token issuers of this daemon."""
        return await self.exchange(
            "ListTokenIssuers", ListTokenIssuersRequest(limit=limit, next_token=next_token), ListTokenIssuersResponse
        )

    async def list_tokens(self, user: str, *, limit: int = 100, next_token: str | None = None) -> ListTokensResponse:
        """List a user's tokens without what proves them."""
        return await self.exchange(
            "ListTokens", ListTokensRequest(user=user, limit=limit, next_token=next_token), ListTokensResponse
        )

    async def list_user_policies(self, user: str) -> ListInlinePoliciesResponse:
        """List the policies of a user's own."""
        return await self.exchange("ListUserPolicies", ListUserPoliciesRequest(user=user), ListInlinePoliciesResponse)

    async def list_users(self, *, limit: int = 100, next_token: str | None = None) -> ListUsersResponse:
        """List the users of the account."""
        return await self.exchange("ListUsers", ListUsersRequest(limit=limit, next_token=next_token), ListUsersResponse)

    async def lookup_events(
        self,
        *,
        account: str | None = None,
        from_ms: int = 0,
        to_ms: int | None = None,
        principal: str | None = None,
        resource: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        limit: int = 100,
        next_token: str | None = None,
    ) -> LookupEventsResponse:
        """Look up events by time, principal, resource, operation or request."""
        return await self.exchange(
            "LookupEvents",
            LookupEventsRequest(
                account=account,
                from_ms=from_ms,
                to_ms=to_ms,
                principal=principal,
                resource=resource,
                operation=operation,
                request_id=request_id,
                limit=limit,
                next_token=next_token,
            ),
            LookupEventsResponse,
        )

    async def pause_rotation(self, name: str) -> RotationResponse:
        """Stop the clock of a rotation. One that is between two steps is finished first: a candidate is never
        abandoned.
        """
        return await self.exchange("PauseRotation", PauseRotationRequest(name=name), RotationResponse)

    async def put_group_policy(self, group: str, *, policy: str, document: str) -> InlinePolicyDescription:
        """Give a group a policy of its own, in place of the one of that name."""
        return await self.exchange(
            "PutGroupPolicy",
            PutGroupPolicyRequest(group=group, policy=policy, document=document),
            InlinePolicyDescription,
        )

    async def put_resource_policy(
        self, resource: str, *, document: str, bypass_lockout_check: bool = False
    ) -> ResourcePolicyDescription:
        """Say what others may do with a key or secret; it takes the place of what was said before."""
        return await self.exchange(
            "PutResourcePolicy",
            PutResourcePolicyRequest(resource=resource, document=document, bypass_lockout_check=bypass_lockout_check),
            ResourcePolicyDescription,
        )

    async def put_role_permissions_boundary(self, role: str, *, boundary: str) -> RoleDescription:
        """Bound a role by a policy."""
        return await self.exchange(
            "PutRolePermissionsBoundary",
            PutRolePermissionsBoundaryRequest(role=role, boundary=boundary),
            RoleDescription,
        )

    async def put_role_policy(self, role: str, *, policy: str, document: str) -> InlinePolicyDescription:
        """Give a role a policy of its own, in place of the one of that name."""
        return await self.exchange(
            "PutRolePolicy", PutRolePolicyRequest(role=role, policy=policy, document=document), InlinePolicyDescription
        )

    async def put_secret_value(
        self,
        name: str,
        *,
        text: TextValue | None = None,
        binary: BinaryValue | None = None,
        token: str | None = None,
        stages: tuple[str, ...] = ("current",),
    ) -> PutSecretValueResponse:
        """Store a new version of a secret."""
        return await self.exchange(
            "PutSecretValue",
            PutSecretValueRequest(name=name, text=text, binary=binary, token=token, stages=stages),
            PutSecretValueResponse,
        )

    async def put_user_permissions_boundary(self, user: str, *, boundary: str) -> UserDescription:
        """Bound a user by a policy."""
        return await self.exchange(
            "PutUserPermissionsBoundary",
            PutUserPermissionsBoundaryRequest(user=user, boundary=boundary),
            UserDescription,
        )

    async def put_user_policy(self, user: str, *, policy: str, document: str) -> InlinePolicyDescription:
        """Give a user a policy of his own, in place of the one of that name."""
        return await self.exchange(
            "PutUserPolicy", PutUserPolicyRequest(user=user, policy=policy, document=document), InlinePolicyDescription
        )

    async def re_encrypt(
        self,
        *,
        ciphertext: bytes,
        destination_key: str,
        key: str | None = None,
        context: Mapping[str, str] = _NOTHING,
        algorithm: Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"] | None = None,
        destination_context: Mapping[str, str] = _NOTHING,
        destination_algorithm: Literal["SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"] | None = None,
    ) -> ReEncryptResponse:
        """Bring a ciphertext under another key, key version or context, without showing its plaintext to anybody.
        Needs ReEncryptFrom on the key that it is under, and ReEncryptTo on the other one and the new context.
        """
        return await self.exchange(
            "ReEncrypt",
            ReEncryptRequest(
                ciphertext=ciphertext,
                destination_key=destination_key,
                key=key,
                context=context,
                algorithm=algorithm,
                destination_context=destination_context,
                destination_algorithm=destination_algorithm,
            ),
            ReEncryptResponse,
        )

    async def re_encrypt_secrets(self, key: str, *, per_second: int = 100) -> ReEncryptionDescription:
        """Begin to move what is under older versions of a key under the current one, online and at a bounded rate."""
        return await self.exchange(
            "ReEncryptSecrets", ReEncryptSecretsRequest(key=key, per_second=per_second), ReEncryptionDescription
        )

    async def recover_administrator(
        self, *, account: str | None = None, operator: bool = False, lift_policy: str | None = None
    ) -> RecoverAdministratorResponse:
        """Make a new administrator of an account, for root of the daemon's host alone, whom no policy can stop."""
        return await self.exchange(
            "RecoverAdministrator",
            RecoverAdministratorRequest(account=account, operator=operator, lift_policy=lift_policy),
            RecoverAdministratorResponse,
        )

    async def remove_user_from_group(self, group: str, *, user: str) -> UserDescription:
        """Take from a user what a group has."""
        return await self.exchange(
            "RemoveUserFromGroup", RemoveUserFromGroupRequest(group=group, user=user), UserDescription
        )

    async def restore_secret(self, name: str) -> RestoreSecretResponse:
        """Take a secret back out of its recovery window; its rotation stays off until RotateSecret turns it on."""
        return await self.exchange("RestoreSecret", RestoreSecretRequest(name=name), RestoreSecretResponse)

    async def resume_rotation(self, name: str) -> RotationResponse:
        """Start the clock of a rotation again; a quarantined one is taken up where it stopped."""
        return await self.exchange("ResumeRotation", ResumeRotationRequest(name=name), RotationResponse)

    async def retire_grant(self, key: str, *, grant: str) -> EndedGrantsResponse:
        """Give a grant up, as its retiring principal, as its grantee where it says so, or as who may revoke it."""
        return await self.exchange("RetireGrant", RetireGrantRequest(key=key, grant=grant), EndedGrantsResponse)

    async def revoke_grant(self, key: str, *, grant: str) -> EndedGrantsResponse:
        """Take a grant back, and all that was passed on of it, at once on every node."""
        return await self.exchange("RevokeGrant", RevokeGrantRequest(key=key, grant=grant), EndedGrantsResponse)

    async def revoke_role_sessions(self, role: str) -> RoleDescription:
        """End all sessions of a role that were opened until now, at once on every node."""
        return await self.exchange("RevokeRoleSessions", RevokeRoleSessionsRequest(role=role), RoleDescription)

    async def rotate_key_on_demand(self, key: str) -> KeyRotationStatus:
        """Make a new version of a key current; older versions still decrypt."""
        return await self.exchange("RotateKeyOnDemand", RotateKeyOnDemandRequest(key=key), KeyRotationStatus)

    async def rotate_secret(
        self,
        name: str,
        *,
        rotator: str | None = None,
        settings: Mapping[str, Any] | None = None,
        target: str | None = None,
        logins: tuple[str, ...] | None = None,
        schedule: ScheduleFields | None = None,
        grace_seconds: int | None = None,
        rotate_immediately: bool = True,
    ) -> RotationResponse:
        """Set how a secret is rotated and start a rotation; a quarantined one is taken up where it stopped."""
        return await self.exchange(
            "RotateSecret",
            RotateSecretRequest(
                name=name,
                rotator=rotator,
                settings=settings,
                target=target,
                logins=logins,
                schedule=schedule,
                grace_seconds=grace_seconds,
                rotate_immediately=rotate_immediately,
            ),
            RotationResponse,
        )

    async def schedule_key_deletion(self, key: str, *, pending_window_days: int = 30) -> KeyStateResponse:
        """Let a CMK be used no more, and destroy it after so many days; what is encrypted under it is lost then."""
        return await self.exchange(
            "ScheduleKeyDeletion",
            ScheduleKeyDeletionRequest(key=key, pending_window_days=pending_window_days),
            KeyStateResponse,
        )

    async def set_deletion_protection(self, key: str, *, enabled: bool, reason: str = "") -> DeletionProtectionResponse:
        """Protect a CMK from deletion, or take that protection away."""
        return await self.exchange(
            "SetDeletionProtection",
            SetDeletionProtectionRequest(key=key, enabled=enabled, reason=reason),
            DeletionProtectionResponse,
        )

    async def sign(
        self,
        key: str,
        *,
        message: BinaryValue,
        message_type: Literal["RAW", "DIGEST"] = "RAW",
        algorithm: Literal["RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512", "ED25519_SHA_512", "SM2DSA"] | None = None,
    ) -> SignResponse:
        """Sign a message or its digest with a CMK."""
        return await self.exchange(
            "Sign", SignRequest(key=key, message=message, message_type=message_type, algorithm=algorithm), SignResponse
        )

    async def tag_resource(self, resource: str, *, tags: Mapping[str, str]) -> TagsResponse:
        """Add tags to a secret, key, user or role; a key of a tag that is there already gets the new value."""
        return await self.exchange("TagResource", TagResourceRequest(resource=resource, tags=tags), TagsResponse)

    async def untag_resource(self, resource: str, *, keys: tuple[str, ...]) -> TagsResponse:
        """Take tags away from a secret, key, user or role."""
        return await self.exchange("UntagResource", UntagResourceRequest(resource=resource, keys=keys), TagsResponse)

    async def update_access_key(self, user: str, *, access_key: str, active: bool) -> DoneResponse:
        """Take an access key out of use, with the tokens that were got for it, or back into use."""
        return await self.exchange(
            "UpdateAccessKey", UpdateAccessKeyRequest(user=user, access_key=access_key, active=active), DoneResponse
        )

    async def update_account(self, account: str, *, account_name: str) -> AccountDescription:
        """Give an account another name."""
        return await self.exchange(
            "UpdateAccount", UpdateAccountRequest(account=account, account_name=account_name), AccountDescription
        )

    async def update_alias(self, alias: str, *, key: str) -> AliasDescription:
        """Let an alias lead to another CMK of the same kind; needs UpdateAlias on both keys as well."""
        return await self.exchange("UpdateAlias", UpdateAliasRequest(alias=alias, key=key), AliasDescription)

    async def update_assume_role_policy(self, role: str, *, trust: str) -> RoleDescription:
        """Say anew who may assume a role."""
        return await self.exchange(
            "UpdateAssumeRolePolicy", UpdateAssumeRolePolicyRequest(role=role, trust=trust), RoleDescription
        )

    async def update_certificate_authority(
        self, certificate_authority: str, *, certificates: str
    ) -> CertificateAuthorityDescription:
        """Change the certificates of an authority; at once a client's is good only if a new one vouches for it."""
        return await self.exchange(
            "UpdateCertificateAuthority",
            UpdateCertificateAuthorityRequest(certificate_authority=certificate_authority, certificates=certificates),
            CertificateAuthorityDescription,
        )

    async def update_certificate_revocation_list(
        self, certificate_authority: str, *, crl: str
    ) -> CertificateAuthorityDescription:
        """Set which certificates of an authority are revoked; open connections notice at their next request."""
        return await self.exchange(
            "UpdateCertificateRevocationList",
            UpdateCertificateRevocationListRequest(certificate_authority=certificate_authority, crl=crl),
            CertificateAuthorityDescription,
        )

    async def update_group(self, group: str, *, description: str | None = None) -> GroupDescription:
        """Change a group's description."""
        return await self.exchange(
            "UpdateGroup", UpdateGroupRequest(group=group, description=description), GroupDescription
        )

    async def update_key_description(self, key: str, *, description: str) -> KeyDescription:
        """Change what a CMK is described as."""
        return await self.exchange(
            "UpdateKeyDescription", UpdateKeyDescriptionRequest(key=key, description=description), KeyDescription
        )

    async def update_policy(
        self, policy: str, *, document: str | None = None, description: str | None = None
    ) -> PolicyDescription:
        """Put another document in place of a policy's, in force at once wherever it is attached."""
        return await self.exchange(
            "UpdatePolicy",
            UpdatePolicyRequest(policy=policy, document=document, description=description),
            PolicyDescription,
        )

    async def update_role(
        self, role: str, *, description: str | None = None, max_session_seconds: int | None = None
    ) -> RoleDescription:
        """Change a role's description, or how long its sessions may be."""
        return await self.exchange(
            "UpdateRole",
            UpdateRoleRequest(role=role, description=description, max_session_seconds=max_session_seconds),
            RoleDescription,
        )

    async def update_secret(
        self,
        name: str,
        *,
        description: str | None = None,
        key_id: str | None = None,
        text: TextValue | None = None,
        binary: BinaryValue | None = None,
        token: str | None = None,
    ) -> UpdateSecretResponse:
        """Change description or key, or store a new current version; a new key re-encrypts the labelled versions."""
        return await self.exchange(
            "UpdateSecret",
            UpdateSecretRequest(
                name=name, description=description, key_id=key_id, text=text, binary=binary, token=token
            ),
            UpdateSecretResponse,
        )

    async def update_secret_version_stage(
        self, name: str, *, stage: str, move_to: str | None = None, remove_from: str | None = None
    ) -> StagesResponse:
        """Move a stage from one version to another; when current moves, previous follows to the version it left."""
        return await self.exchange(
            "UpdateSecretVersionStage",
            UpdateSecretVersionStageRequest(name=name, stage=stage, move_to=move_to, remove_from=remove_from),
            StagesResponse,
        )

    async def update_target(
        self,
        target: str,
        *,
        address: Mapping[str, Any] | None = None,
        admin_login: str | None = None,
        admin_password: TextValue | None = None,
        logins: Mapping[str, tuple[str, ...]] | None = None,
        description: str | None = None,
    ) -> TargetDescription:
        """Change a target; whoever moves it, or names another administrator, has to know the administrator's
        password.
        """
        return await self.exchange(
            "UpdateTarget",
            UpdateTargetRequest(
                target=target,
                address=address,
                admin_login=admin_login,
                admin_password=admin_password,
                logins=logins,
                description=description,
            ),
            TargetDescription,
        )

    async def update_token_issuer(
        self,
        token_issuer: str,
        *,
        audience: str | None = None,
        claims: tuple[str, ...] | None = None,
        required: Mapping[str, str] | None = None,
        keys: str | None = None,
        keys_url: str | None = None,
    ) -> TokenIssuerDescription:
        """Change a token issuer; at once a token is good only if it is so by what is said now."""
        return await self.exchange(
            "UpdateTokenIssuer",
            UpdateTokenIssuerRequest(
                token_issuer=token_issuer,
                audience=audience,
                claims=claims,
                required=required,
                keys=keys,
                keys_url=keys_url,
            ),
            TokenIssuerDescription,
        )

    async def update_user(
        self, user: str, *, description: str | None = None, service: bool | None = None
    ) -> UserDescription:
        """Change a user's description, or whether it is a service, which has no standing credentials."""
        return await self.exchange(
            "UpdateUser", UpdateUserRequest(user=user, description=description, service=service), UserDescription
        )

    async def validate_policy(
        self, *, document: str, kind: Literal["identity", "resource", "trust"] = "identity"
    ) -> ValidatePolicyResponse:
        """Tell whether a policy document would be accepted, and if not, why; nothing is stored."""
        return await self.exchange(
            "ValidatePolicy", ValidatePolicyRequest(document=document, kind=kind), ValidatePolicyResponse
        )

    async def verify(
        self,
        key: str,
        *,
        message: BinaryValue,
        signature: bytes,
        message_type: Literal["RAW", "DIGEST"] = "RAW",
        algorithm: Literal["RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512", "ECDSA_SHA_256", "ECDSA_SHA_384", "ECDSA_SHA_512", "ED25519_SHA_512", "SM2DSA"] | None = None,
    ) -> VerifyResponse:
        """Tell whether a signature is a CMK's; the HSM is not asked for that."""
        return await self.exchange(
            "Verify",
            VerifyRequest(
                key=key, message=message, signature=signature, message_type=message_type, algorithm=algorithm
            ),
            VerifyResponse,
        )

    async def verify_mac(
        self,
        key: str,
        *,
        message: BinaryValue,
        mac: bytes,
        algorithm: Literal["HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"] | None = None,
    ) -> VerifyMacResponse:
        """Tell whether a MAC is a CMK's of a message, in time that does not depend on where they differ."""
        return await self.exchange(
            "VerifyMac", VerifyMacRequest(key=key, message=message, mac=mac, algorithm=algorithm), VerifyMacResponse
        )

    def watch_secrets(self, *, names: tuple[str, ...], last_event_id: str | None = None) -> AsyncIterator[SecretChange]:
        """Tell how secrets are, and every change of that, without their values, for as long as the connection lasts."""
        return self.stream("WatchSecrets", WatchSecretsRequest(names=names, last_event_id=last_event_id), SecretChange)

    async def who_can(
        self, *, action: str, resource: str, limit: int = 100, next_token: str | None = None
    ) -> WhoCanResponse:
        """List who may use a permission on a resource: users and roles of the account, and others whom its owner
        names. An alias stands for its key, but where the permission is on the alias itself. A denial under
        conditions that are unknown keeps nobody off the list.
        """
        return await self.exchange(
            "WhoCan",
            WhoCanRequest(action=action, resource=resource, limit=limit, next_token=next_token),
            WhoCanResponse,
        )


ROUTES: dict[str, Route] = {
    "AddUserToGroup": Route("POST", "groups", "group", "add-user", AddUserToGroupRequest, UserDescription),
    "AssumeRole": Route("POST", "roles", "role", "assume", AssumeRoleRequest, AssumeRoleResponse),
    "AttachGroupPolicy": Route("POST", "groups", "group", "attach-policy", AttachGroupPolicyRequest, GroupDescription),
    "AttachPolicy": Route("POST", "users", "user", "attach-policy", AttachPolicyRequest, UserDescription),
    "AttachRolePolicy": Route("POST", "roles", "role", "attach-policy", AttachRolePolicyRequest, RoleDescription),
    "BatchGetSecretValue": Route(
        "POST", "secrets", None, "batch-value", BatchGetSecretValueRequest, BatchGetSecretValueResponse
    ),
    "CancelKeyDeletion": Route("POST", "keys", "key", "cancel-deletion", CancelKeyDeletionRequest, KeyStateResponse),
    "CancelReEncryption": Route(
        "POST", "keys", "key", "cancel-re-encryption", CancelReEncryptionRequest, ReEncryptionDescription
    ),
    "CancelRotateSecret": Route(
        "POST", "secrets", "name", "cancel-rotation", CancelRotateSecretRequest, RotationResponse
    ),
    "CreateAccessKey": Route(
        "POST", "users", "user", "create-access-key", CreateAccessKeyRequest, CreateAccessKeyResponse
    ),
    "CreateAccessToken": Route("POST", "access-tokens", None, "", CreateAccessTokenRequest, CreateAccessTokenResponse),
    "CreateAccount": Route("POST", "accounts", None, "", CreateAccountRequest, CreateAccountResponse),
    "CreateAlias": Route("POST", "aliases", None, "", CreateAliasRequest, AliasDescription),
    "CreateBinding": Route("POST", "bindings", None, "", CreateBindingRequest, BindingDescription),
    "CreateCertificateAuthority": Route(
        "POST", "certificate-authorities", None, "", CreateCertificateAuthorityRequest, CertificateAuthorityDescription
    ),
    "CreateEnrolmentToken": Route(
        "POST", "users", "user", "create-enrolment-token", CreateEnrolmentTokenRequest, CreateEnrolmentTokenResponse
    ),
    "CreateGrant": Route("POST", "keys", "key", "create-grant", CreateGrantRequest, GrantDescription),
    "CreateGroup": Route("POST", "groups", None, "", CreateGroupRequest, GroupDescription),
    "CreateKey": Route("POST", "keys", None, "", CreateKeyRequest, KeyDescription),
    "CreatePolicy": Route("POST", "policies", None, "", CreatePolicyRequest, PolicyDescription),
    "CreateProofSpace": Route("POST", "proof-spaces", None, "", CreateProofSpaceRequest, ProofSpaceDescription),
    "CreateRole": Route("POST", "roles", None, "", CreateRoleRequest, RoleDescription),
    "CreateSecret": Route("POST", "secrets", None, "", CreateSecretRequest, CreateSecretResponse),
    "CreateTarget": Route("POST", "targets", None, "", CreateTargetRequest, TargetDescription),
    "CreateToken": Route("POST", "users", "user", "create-token", CreateTokenRequest, CreateTokenResponse),
    "CreateTokenIssuer": Route("POST", "token-issuers", None, "", CreateTokenIssuerRequest, TokenIssuerDescription),
    "CreateUser": Route("POST", "users", None, "", CreateUserRequest, UserDescription),
    "Decrypt": Route("POST", "ciphertexts", None, "decrypt", DecryptRequest, DecryptResponse),
    "DeleteAccessKey": Route("POST", "users", "user", "delete-access-key", DeleteAccessKeyRequest, DoneResponse),
    "DeleteAlias": Route("DELETE", "aliases", "alias", "", DeleteAliasRequest, AliasDescription),
    "DeleteBinding": Route("POST", "bindings", None, "delete", DeleteBindingRequest, DoneResponse),
    "DeleteCertificateAuthority": Route(
        "DELETE",
        "certificate-authorities",
        "certificate_authority",
        "",
        DeleteCertificateAuthorityRequest,
        CertificateAuthorityDeletedResponse,
    ),
    "DeleteGroup": Route("DELETE", "groups", "group", "", DeleteGroupRequest, DoneResponse),
    "DeleteGroupPolicy": Route("DELETE", "groups", "group", "inline-policy", DeleteGroupPolicyRequest, DoneResponse),
    "DeleteImportedKeyMaterial": Route(
        "POST", "keys", "key", "delete-material", DeleteImportedKeyMaterialRequest, KeyStateResponse
    ),
    "DeletePolicy": Route("DELETE", "policies", "policy", "", DeletePolicyRequest, DoneResponse),
    "DeleteProofSpace": Route(
        "POST", "proof-spaces", None, "delete", DeleteProofSpaceRequest, DeleteProofSpaceResponse
    ),
    "DeleteResourcePolicy": Route(
        "DELETE", "resource-policies", "resource", "", DeleteResourcePolicyRequest, DoneResponse
    ),
    "DeleteRole": Route("DELETE", "roles", "role", "", DeleteRoleRequest, DoneResponse),
    "DeleteRolePermissionsBoundary": Route(
        "DELETE", "roles", "role", "boundary", DeleteRolePermissionsBoundaryRequest, RoleDescription
    ),
    "DeleteRolePolicy": Route("DELETE", "roles", "role", "inline-policy", DeleteRolePolicyRequest, DoneResponse),
    "DeleteSecret": Route("DELETE", "secrets", "name", "", DeleteSecretRequest, DeleteSecretResponse),
    "DeleteTarget": Route("DELETE", "targets", "target", "", DeleteTargetRequest, TargetDeletedResponse),
    "DeleteToken": Route("POST", "users", "user", "delete-token", DeleteTokenRequest, DoneResponse),
    "DeleteTokenIssuer": Route(
        "DELETE", "token-issuers", "token_issuer", "", DeleteTokenIssuerRequest, TokenIssuerDeletedResponse
    ),
    "DeleteUser": Route("DELETE", "users", "user", "", DeleteUserRequest, DoneResponse),
    "DeleteUserPermissionsBoundary": Route(
        "DELETE", "users", "user", "boundary", DeleteUserPermissionsBoundaryRequest, UserDescription
    ),
    "DeleteUserPolicy": Route("DELETE", "users", "user", "inline-policy", DeleteUserPolicyRequest, DoneResponse),
    "DescribeAccount": Route("GET", "accounts", "account", "", DescribeAccountRequest, AccountDescription),
    "DescribeCertificateAuthority": Route(
        "GET",
        "certificate-authorities",
        "certificate_authority",
        "",
        DescribeCertificateAuthorityRequest,
        CertificateAuthorityDescription,
    ),
    "DescribeErasure": Route("GET", "keys", "key", "erasure", DescribeErasureRequest, DescribeErasureResponse),
    "DescribeGroup": Route("GET", "groups", "group", "", DescribeGroupRequest, DescribeGroupResponse),
    "DescribeKey": Route("GET", "keys", "key", "", DescribeKeyRequest, KeyDescription),
    "DescribeReEncryption": Route(
        "GET", "keys", "key", "re-encryption", DescribeReEncryptionRequest, ReEncryptionDescription
    ),
    "DescribeRole": Route("GET", "roles", "role", "", DescribeRoleRequest, RoleDescription),
    "DescribeRootKeys": Route("GET", "root-keys", None, "", DescribeRootKeysRequest, DescribeRootKeysResponse),
    "DescribeRotation": Route("GET", "secrets", "name", "rotation", DescribeRotationRequest, RotationStatus),
    "DescribeSecret": Route("GET", "secrets", "name", "", DescribeSecretRequest, SecretDescription),
    "DescribeTarget": Route("GET", "targets", "target", "", DescribeTargetRequest, TargetDescription),
    "DescribeTokenIssuer": Route(
        "GET", "token-issuers", "token_issuer", "", DescribeTokenIssuerRequest, TokenIssuerDescription
    ),
    "DescribeUser": Route("GET", "users", "user", "", DescribeUserRequest, UserDescription),
    "DestroyKeyVersion": Route(
        "POST", "keys", "key", "destroy-version", DestroyKeyVersionRequest, DestroyKeyVersionResponse
    ),
    "DetachGroupPolicy": Route("POST", "groups", "group", "detach-policy", DetachGroupPolicyRequest, GroupDescription),
    "DetachPolicy": Route("POST", "users", "user", "detach-policy", DetachPolicyRequest, UserDescription),
    "DetachRolePolicy": Route("POST", "roles", "role", "detach-policy", DetachRolePolicyRequest, RoleDescription),
    "DisableKey": Route("POST", "keys", "key", "disable", DisableKeyRequest, KeyStateResponse),
    "DisableKeyRotation": Route(
        "POST", "keys", "key", "disable-rotation", DisableKeyRotationRequest, KeyRotationStatus
    ),
    "DraftPolicyFromUse": Route(
        "GET", "policies", None, "from-use", DraftPolicyFromUseRequest, DraftPolicyFromUseResponse
    ),
    "EnableKey": Route("POST", "keys", "key", "enable", EnableKeyRequest, KeyStateResponse),
    "EnableKeyRotation": Route("POST", "keys", "key", "enable-rotation", EnableKeyRotationRequest, KeyRotationStatus),
    "Encrypt": Route("POST", "keys", "key", "encrypt", EncryptRequest, EncryptResponse),
    "EnrolHost": Route("POST", "enrolment", None, "", EnrolHostRequest, EnrolHostResponse),
    "ExplainDecision": Route("POST", "policies", None, "explain", ExplainDecisionRequest, ExplainDecisionResponse),
    "ExplainRotation": Route("GET", "secrets", "name", "explain-rotation", ExplainRotationRequest, RotationExplanation),
    "ExportDataKey": Route("POST", "ciphertexts", None, "export-data-key", ExportDataKeyRequest, ExportDataKeyResponse),
    "GenerateAndExportDataKey": Route(
        "POST",
        "keys",
        "key",
        "generate-and-export-data-key",
        GenerateAndExportDataKeyRequest,
        GenerateAndExportDataKeyResponse,
    ),
    "GenerateDataKey": Route(
        "POST", "keys", "key", "generate-data-key", GenerateDataKeyRequest, GenerateDataKeyResponse
    ),
    "GenerateDataKeyPair": Route(
        "POST", "keys", "key", "generate-data-key-pair", GenerateDataKeyPairRequest, GenerateDataKeyPairResponse
    ),
    "GenerateDataKeyPairWithoutPlaintext": Route(
        "POST",
        "keys",
        "key",
        "generate-data-key-pair-without-plaintext",
        GenerateDataKeyPairWithoutPlaintextRequest,
        GenerateDataKeyPairWithoutPlaintextResponse,
    ),
    "GenerateDataKeyWithoutPlaintext": Route(
        "POST",
        "keys",
        "key",
        "generate-data-key-without-plaintext",
        GenerateDataKeyWithoutPlaintextRequest,
        GenerateDataKeyWithoutPlaintextResponse,
    ),
    "GenerateMac": Route("POST", "keys", "key", "generate-mac", GenerateMacRequest, GenerateMacResponse),
    "GenerateRandom": Route("POST", "random", None, "", GenerateRandomRequest, GenerateRandomResponse),
    "GetCallerIdentity": Route("GET", "caller-identity", None, "", GetCallerIdentityRequest, GetCallerIdentityResponse),
    "GetGroupPolicy": Route("GET", "groups", "group", "inline-policy", GetGroupPolicyRequest, InlinePolicyDescription),
    "GetKeyRotationStatus": Route(
        "GET", "keys", "key", "rotation-status", GetKeyRotationStatusRequest, KeyRotationStatus
    ),
    "GetParametersForImport": Route(
        "POST",
        "keys",
        "key",
        "get-parameters-for-import",
        GetParametersForImportRequest,
        GetParametersForImportResponse,
    ),
    "GetPolicy": Route("GET", "policies", "policy", "", GetPolicyRequest, PolicyDescription),
    "GetPublicKey": Route("GET", "keys", "key", "public-key", GetPublicKeyRequest, GetPublicKeyResponse),
    "GetRandomPassword": Route(
        "POST", "passwords", None, "random", GetRandomPasswordRequest, GetRandomPasswordResponse
    ),
    "GetResourcePolicy": Route(
        "GET", "resource-policies", "resource", "", GetResourcePolicyRequest, ResourcePolicyDescription
    ),
    "GetRolePolicy": Route("GET", "roles", "role", "inline-policy", GetRolePolicyRequest, InlinePolicyDescription),
    "GetSecretValue": Route("GET", "secrets", "name", "value", GetSecretValueRequest, GetSecretValueResponse),
    "GetUserPolicy": Route("GET", "users", "user", "inline-policy", GetUserPolicyRequest, InlinePolicyDescription),
    "ImportKeyMaterial": Route(
        "POST", "keys", "key", "import-material", ImportKeyMaterialRequest, ImportKeyMaterialResponse
    ),
    "ListAccessKeys": Route("GET", "users", "user", "access-keys", ListAccessKeysRequest, ListAccessKeysResponse),
    "ListAccounts": Route("GET", "accounts", None, "", ListAccountsRequest, ListAccountsResponse),
    "ListAliases": Route("GET", "aliases", None, "", ListAliasesRequest, ListAliasesResponse),
    "ListBindings": Route("GET", "bindings", None, "", ListBindingsRequest, ListBindingsResponse),
    "ListCertificateAuthorities": Route(
        "GET",
        "certificate-authorities",
        None,
        "",
        ListCertificateAuthoritiesRequest,
        ListCertificateAuthoritiesResponse,
    ),
    "ListConditionKeys": Route("GET", "condition-keys", None, "", ListConditionKeysRequest, ListConditionKeysResponse),
    "ListEntitiesForPolicy": Route(
        "GET", "policies", "policy", "entities", ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse
    ),
    "ListGrants": Route("GET", "keys", "key", "grants", ListGrantsRequest, ListGrantsResponse),
    "ListGroupPolicies": Route(
        "GET", "groups", "group", "inline-policies", ListGroupPoliciesRequest, ListInlinePoliciesResponse
    ),
    "ListGroups": Route("GET", "groups", None, "", ListGroupsRequest, ListGroupsResponse),
    "ListKeyRotations": Route("GET", "keys", "key", "rotations", ListKeyRotationsRequest, ListKeyRotationsResponse),
    "ListKeyVersions": Route("GET", "keys", "key", "versions", ListKeyVersionsRequest, ListKeyVersionsResponse),
    "ListKeys": Route("GET", "keys", None, "", ListKeysRequest, ListKeysResponse),
    "ListPolicies": Route("GET", "policies", None, "", ListPoliciesRequest, ListPoliciesResponse),
    "ListProofSpaces": Route("GET", "proof-spaces", None, "", ListProofSpacesRequest, ListProofSpacesResponse),
    "ListRetirableGrants": Route("GET", "grants", None, "", ListRetirableGrantsRequest, ListGrantsResponse),
    "ListRolePolicies": Route(
        "GET", "roles", "role", "inline-policies", ListRolePoliciesRequest, ListInlinePoliciesResponse
    ),
    "ListRoleSessions": Route("GET", "roles", "role", "sessions", ListRoleSessionsRequest, ListRoleSessionsResponse),
    "ListRoles": Route("GET", "roles", None, "", ListRolesRequest, ListRolesResponse),
    "ListRotationSteps": Route(
        "GET", "secrets", "name", "rotation-steps", ListRotationStepsRequest, ListRotationStepsResponse
    ),
    "ListRotations": Route("GET", "rotations", None, "", ListRotationsRequest, ListRotationsResponse),
    "ListRotators": Route("GET", "rotators", None, "", ListRotatorsRequest, ListRotatorsResponse),
    "ListSecretVersionIds": Route(
        "GET", "secrets", "name", "versions", ListSecretVersionIdsRequest, ListSecretVersionIdsResponse
    ),
    "ListSecrets": Route("GET", "secrets", None, "", ListSecretsRequest, ListSecretsResponse),
    "ListTargets": Route("GET", "targets", None, "", ListTargetsRequest, ListTargetsResponse),
    "ListTokenIssuers": Route("GET", "token-issuers", None, "", ListTokenIssuersRequest, ListTokenIssuersResponse),
    "ListTokens": Route("GET", "users", "user", "tokens", ListTokensRequest, ListTokensResponse),
    "ListUserPolicies": Route(
        "GET", "users", "user", "inline-policies", ListUserPoliciesRequest, ListInlinePoliciesResponse
    ),
    "ListUsers": Route("GET", "users", None, "", ListUsersRequest, ListUsersResponse),
    "LookupEvents": Route("GET", "events", None, "", LookupEventsRequest, LookupEventsResponse),
    "PauseRotation": Route("POST", "secrets", "name", "pause-rotation", PauseRotationRequest, RotationResponse),
    "PutGroupPolicy": Route("PUT", "groups", "group", "inline-policy", PutGroupPolicyRequest, InlinePolicyDescription),
    "PutResourcePolicy": Route(
        "PUT", "resource-policies", "resource", "", PutResourcePolicyRequest, ResourcePolicyDescription
    ),
    "PutRolePermissionsBoundary": Route(
        "PUT", "roles", "role", "boundary", PutRolePermissionsBoundaryRequest, RoleDescription
    ),
    "PutRolePolicy": Route("PUT", "roles", "role", "inline-policy", PutRolePolicyRequest, InlinePolicyDescription),
    "PutSecretValue": Route("PUT", "secrets", "name", "value", PutSecretValueRequest, PutSecretValueResponse),
    "PutUserPermissionsBoundary": Route(
        "PUT", "users", "user", "boundary", PutUserPermissionsBoundaryRequest, UserDescription
    ),
    "PutUserPolicy": Route("PUT", "users", "user", "inline-policy", PutUserPolicyRequest, InlinePolicyDescription),
    "ReEncrypt": Route("POST", "ciphertexts", None, "re-encrypt", ReEncryptRequest, ReEncryptResponse),
    "ReEncryptSecrets": Route(
        "POST", "keys", "key", "re-encrypt-secrets", ReEncryptSecretsRequest, ReEncryptionDescription
    ),
    "RecoverAdministrator": Route(
        "POST", "accounts", None, "recover-administrator", RecoverAdministratorRequest, RecoverAdministratorResponse
    ),
    "RemoveUserFromGroup": Route("POST", "groups", "group", "remove-user", RemoveUserFromGroupRequest, UserDescription),
    "RestoreSecret": Route("POST", "secrets", "name", "restore", RestoreSecretRequest, RestoreSecretResponse),
    "ResumeRotation": Route("POST", "secrets", "name", "resume-rotation", ResumeRotationRequest, RotationResponse),
    "RetireGrant": Route("POST", "keys", "key", "retire-grant", RetireGrantRequest, EndedGrantsResponse),
    "RevokeGrant": Route("POST", "keys", "key", "revoke-grant", RevokeGrantRequest, EndedGrantsResponse),
    "RevokeRoleSessions": Route("POST", "roles", "role", "revoke-sessions", RevokeRoleSessionsRequest, RoleDescription),
    "RotateKeyOnDemand": Route("POST", "keys", "key", "rotate", RotateKeyOnDemandRequest, KeyRotationStatus),
    "RotateSecret": Route("POST", "secrets", "name", "rotate", RotateSecretRequest, RotationResponse),
    "ScheduleKeyDeletion": Route(
        "POST", "keys", "key", "schedule-deletion", ScheduleKeyDeletionRequest, KeyStateResponse
    ),
    "SetDeletionProtection": Route(
        "POST", "keys", "key", "set-deletion-protection", SetDeletionProtectionRequest, DeletionProtectionResponse
    ),
    "Sign": Route("POST", "keys", "key", "sign", SignRequest, SignResponse),
    "TagResource": Route("POST", "tags", "resource", "", TagResourceRequest, TagsResponse),
    "UntagResource": Route("POST", "tags", "resource", "remove", UntagResourceRequest, TagsResponse),
    "UpdateAccessKey": Route("POST", "users", "user", "update-access-key", UpdateAccessKeyRequest, DoneResponse),
    "UpdateAccount": Route("PATCH", "accounts", "account", "", UpdateAccountRequest, AccountDescription),
    "UpdateAlias": Route("PATCH", "aliases", "alias", "", UpdateAliasRequest, AliasDescription),
    "UpdateAssumeRolePolicy": Route("PUT", "roles", "role", "trust", UpdateAssumeRolePolicyRequest, RoleDescription),
    "UpdateCertificateAuthority": Route(
        "PATCH",
        "certificate-authorities",
        "certificate_authority",
        "",
        UpdateCertificateAuthorityRequest,
        CertificateAuthorityDescription,
    ),
    "UpdateCertificateRevocationList": Route(
        "PUT",
        "certificate-authorities",
        "certificate_authority",
        "certificate-revocation-list",
        UpdateCertificateRevocationListRequest,
        CertificateAuthorityDescription,
    ),
    "UpdateGroup": Route("PATCH", "groups", "group", "", UpdateGroupRequest, GroupDescription),
    "UpdateKeyDescription": Route("PATCH", "keys", "key", "", UpdateKeyDescriptionRequest, KeyDescription),
    "UpdatePolicy": Route("PATCH", "policies", "policy", "", UpdatePolicyRequest, PolicyDescription),
    "UpdateRole": Route("PATCH", "roles", "role", "", UpdateRoleRequest, RoleDescription),
    "UpdateSecret": Route("PATCH", "secrets", "name", "", UpdateSecretRequest, UpdateSecretResponse),
    "UpdateSecretVersionStage": Route(
        "POST", "secrets", "name", "move-stage", UpdateSecretVersionStageRequest, StagesResponse
    ),
    "UpdateTarget": Route("PATCH", "targets", "target", "", UpdateTargetRequest, TargetDescription),
    "UpdateTokenIssuer": Route(
        "PATCH", "token-issuers", "token_issuer", "", UpdateTokenIssuerRequest, TokenIssuerDescription
    ),
    "UpdateUser": Route("PATCH", "users", "user", "", UpdateUserRequest, UserDescription),
    "ValidatePolicy": Route("POST", "policies", None, "validate", ValidatePolicyRequest, ValidatePolicyResponse),
    "Verify": Route("POST", "keys", "key", "verify", VerifyRequest, VerifyResponse),
    "VerifyMac": Route("POST", "keys", "key", "verify-mac", VerifyMacRequest, VerifyMacResponse),
    "WatchSecrets": Route("GET", "secrets", None, "watch", WatchSecretsRequest, SecretChange, True),
    "WhoCan": Route("GET", "policies", None, "who-can", WhoCanRequest, WhoCanResponse),
}
