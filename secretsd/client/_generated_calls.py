"""Every operation as the client calls it. Made from the registry by `./dev generate`, not by hand."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from secretsd.api.access import (
    AttachPolicyRequest,
    BindingDescription,
    CreateBindingRequest,
    CreatePolicyRequest,
    CreateTokenRequest,
    CreateTokenResponse,
    CreateUserRequest,
    DeleteBindingRequest,
    DeleteTokenRequest,
    DescribeUserRequest,
    DetachPolicyRequest,
    DoneResponse,
    GetCallerIdentityRequest,
    GetCallerIdentityResponse,
    GetPolicyRequest,
    ListBindingsRequest,
    ListBindingsResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    ListTokensRequest,
    ListTokensResponse,
    ListUsersRequest,
    ListUsersResponse,
    PolicyDescription,
    Statement,
    UserDescription,
)
from secretsd.api.audit import LookupEventsRequest, LookupEventsResponse
from secretsd.api.fields import BinaryValue, Request, Response, TextValue
from secretsd.api.keys import CreateKeyRequest, DescribeKeyRequest, KeyDescription, ListKeysRequest, ListKeysResponse
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

    async def attach_policy(self, user: str, *, policy: str) -> UserDescription:
        """Give a user what a policy says."""
        return await self.exchange("AttachPolicy", AttachPolicyRequest(user=user, policy=policy), UserDescription)

    async def batch_get_secret_value(self, *, names: tuple[str, ...]) -> BatchGetSecretValueResponse:
        """Read the current values of several secrets; each needs GetSecretValue on itself."""
        return await self.exchange(
            "BatchGetSecretValue", BatchGetSecretValueRequest(names=names), BatchGetSecretValueResponse
        )

    async def cancel_rotate_secret(self, name: str) -> RotationResponse:
        """Stop the clock of a rotation; one that is under way is led back to the value before, where the target can."""
        return await self.exchange("CancelRotateSecret", CancelRotateSecretRequest(name=name), RotationResponse)

    async def create_binding(self, *, proof: str, user: str) -> BindingDescription:
        """Map a proof of identity to a user of the caller's account; a proof leads to one user only."""
        return await self.exchange("CreateBinding", CreateBindingRequest(proof=proof, user=user), BindingDescription)

    async def create_key(
        self, *, spec: Literal["AES_256"] = "AES_256", description: str = "", tags: Mapping[str, str] = _NOTHING
    ) -> KeyDescription:
        """Make a CMK in the HSM."""
        return await self.exchange(
            "CreateKey", CreateKeyRequest(spec=spec, description=description, tags=tags), KeyDescription
        )

    async def create_policy(
        self, *, policy: str, statements: tuple[Statement, ...], description: str = ""
    ) -> PolicyDescription:
        """Make a policy."""
        return await self.exchange(
            "CreatePolicy",
            CreatePolicyRequest(policy=policy, statements=statements, description=description),
            PolicyDescription,
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

    async def create_user(self, *, user: str) -> UserDescription:
        """Make a user, who may do nothing yet."""
        return await self.exchange("CreateUser", CreateUserRequest(user=user), UserDescription)

    async def delete_binding(self, *, proof: str) -> DoneResponse:
        """End what a proof leads to."""
        return await self.exchange("DeleteBinding", DeleteBindingRequest(proof=proof), DoneResponse)

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

    async def describe_key(self, key: str) -> KeyDescription:
        """Tell all about a CMK but its material."""
        return await self.exchange("DescribeKey", DescribeKeyRequest(key=key), KeyDescription)

    async def describe_rotation(self, name: str) -> RotationStatus:
        """Tell where the rotation of a secret stands, since when and why, and what a person does next."""
        return await self.exchange("DescribeRotation", DescribeRotationRequest(name=name), RotationStatus)

    async def describe_secret(self, name: str) -> SecretDescription:
        """Tell all about a secret but its value."""
        return await self.exchange("DescribeSecret", DescribeSecretRequest(name=name), SecretDescription)

    async def describe_target(self, target: str) -> TargetDescription:
        """Tell all about a target but its administrator's password."""
        return await self.exchange("DescribeTarget", DescribeTargetRequest(target=target), TargetDescription)

    async def describe_user(self, user: str) -> UserDescription:
        """Tell which policies a user has."""
        return await self.exchange("DescribeUser", DescribeUserRequest(user=user), UserDescription)

    async def detach_policy(self, user: str, *, policy: str) -> UserDescription:
        """Take from a user what a policy says."""
        return await self.exchange("DetachPolicy", DetachPolicyRequest(user=user, policy=policy), UserDescription)

    async def explain_rotation(self, name: str, *, probe_target: bool = True) -> RotationExplanation:
        """Tell why a rotation is where it is, what callers are served, what the target accepts, and what to do next."""
        return await self.exchange(
            "ExplainRotation", ExplainRotationRequest(name=name, probe_target=probe_target), RotationExplanation
        )

    async def get_caller_identity(self) -> GetCallerIdentityResponse:
        """Tell who is calling and how that was proved."""
        return await self.exchange("GetCallerIdentity", GetCallerIdentityRequest(), GetCallerIdentityResponse)

    async def get_policy(self, policy: str) -> PolicyDescription:
        """Show a policy."""
        return await self.exchange("GetPolicy", GetPolicyRequest(policy=policy), PolicyDescription)

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

    async def get_secret_value(
        self, name: str, *, stage: str | None = None, version_id: str | None = None
    ) -> GetSecretValueResponse:
        """Read a version's value."""
        return await self.exchange(
            "GetSecretValue",
            GetSecretValueRequest(name=name, stage=stage, version_id=version_id),
            GetSecretValueResponse,
        )

    async def list_bindings(self, *, limit: int = 100, next_token: str | None = None) -> ListBindingsResponse:
        """List which proofs lead to users of the account."""
        return await self.exchange(
            "ListBindings", ListBindingsRequest(limit=limit, next_token=next_token), ListBindingsResponse
        )

    async def list_keys(self, *, limit: int = 100, next_token: str | None = None) -> ListKeysResponse:
        """List the CMKs of the account."""
        return await self.exchange("ListKeys", ListKeysRequest(limit=limit, next_token=next_token), ListKeysResponse)

    async def list_policies(self, *, limit: int = 100, next_token: str | None = None) -> ListPoliciesResponse:
        """List the policies of the account."""
        return await self.exchange(
            "ListPolicies", ListPoliciesRequest(limit=limit, next_token=next_token), ListPoliciesResponse
        )

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

    async def list_tokens(self, user: str) -> ListTokensResponse:
        """List a user's tokens without what proves them."""
        return await self.exchange("ListTokens", ListTokensRequest(user=user), ListTokensResponse)

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

    async def restore_secret(self, name: str) -> RestoreSecretResponse:
        """Take a secret back out of its recovery window; its rotation stays off until RotateSecret turns it on."""
        return await self.exchange("RestoreSecret", RestoreSecretRequest(name=name), RestoreSecretResponse)

    async def resume_rotation(self, name: str) -> RotationResponse:
        """Start the clock of a rotation again; a quarantined one is taken up where it stopped."""
        return await self.exchange("ResumeRotation", ResumeRotationRequest(name=name), RotationResponse)

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

    async def tag_resource(self, resource: str, *, tags: Mapping[str, str]) -> TagsResponse:
        """Add tags to a secret or a key; a key of a tag that is there already gets the new value."""
        return await self.exchange("TagResource", TagResourceRequest(resource=resource, tags=tags), TagsResponse)

    async def untag_resource(self, resource: str, *, keys: tuple[str, ...]) -> TagsResponse:
        """Take tags away from a secret or a key."""
        return await self.exchange("UntagResource", UntagResourceRequest(resource=resource, keys=keys), TagsResponse)

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

    def watch_secrets(self, *, names: tuple[str, ...], last_event_id: str | None = None) -> AsyncIterator[SecretChange]:
        """Tell how secrets are, and every change of that, without their values, for as long as the connection lasts."""
        return self.stream("WatchSecrets", WatchSecretsRequest(names=names, last_event_id=last_event_id), SecretChange)


ROUTES: dict[str, Route] = {
    "AttachPolicy": Route("POST", "users", "user", "attach-policy", AttachPolicyRequest, UserDescription),
    "BatchGetSecretValue": Route(
        "POST", "secrets", None, "batch-value", BatchGetSecretValueRequest, BatchGetSecretValueResponse
    ),
    "CancelRotateSecret": Route(
        "POST", "secrets", "name", "cancel-rotation", CancelRotateSecretRequest, RotationResponse
    ),
    "CreateBinding": Route("POST", "bindings", None, "", CreateBindingRequest, BindingDescription),
    "CreateKey": Route("POST", "keys", None, "", CreateKeyRequest, KeyDescription),
    "CreatePolicy": Route("POST", "policies", None, "", CreatePolicyRequest, PolicyDescription),
    "CreateSecret": Route("POST", "secrets", None, "", CreateSecretRequest, CreateSecretResponse),
    "CreateTarget": Route("POST", "targets", None, "", CreateTargetRequest, TargetDescription),
    "CreateToken": Route("POST", "users", "user", "create-token", CreateTokenRequest, CreateTokenResponse),
    "CreateUser": Route("POST", "users", None, "", CreateUserRequest, UserDescription),
    "DeleteBinding": Route("POST", "bindings", None, "delete", DeleteBindingRequest, DoneResponse),
    "DeleteSecret": Route("DELETE", "secrets", "name", "", DeleteSecretRequest, DeleteSecretResponse),
    "DeleteTarget": Route("DELETE", "targets", "target", "", DeleteTargetRequest, TargetDeletedResponse),
    "DeleteToken": Route("POST", "users", "user", "delete-token", DeleteTokenRequest, DoneResponse),
    "DescribeKey": Route("GET", "keys", "key", "", DescribeKeyRequest, KeyDescription),
    "DescribeRotation": Route("GET", "secrets", "name", "rotation", DescribeRotationRequest, RotationStatus),
    "DescribeSecret": Route("GET", "secrets", "name", "", DescribeSecretRequest, SecretDescription),
    "DescribeTarget": Route("GET", "targets", "target", "", DescribeTargetRequest, TargetDescription),
    "DescribeUser": Route("GET", "users", "user", "", DescribeUserRequest, UserDescription),
    "DetachPolicy": Route("POST", "users", "user", "detach-policy", DetachPolicyRequest, UserDescription),
    "ExplainRotation": Route("GET", "secrets", "name", "explain-rotation", ExplainRotationRequest, RotationExplanation),
    "GetCallerIdentity": Route("GET", "caller-identity", None, "", GetCallerIdentityRequest, GetCallerIdentityResponse),
    "GetPolicy": Route("GET", "policies", "policy", "", GetPolicyRequest, PolicyDescription),
    "GetRandomPassword": Route(
        "POST", "passwords", None, "random", GetRandomPasswordRequest, GetRandomPasswordResponse
    ),
    "GetSecretValue": Route("GET", "secrets", "name", "value", GetSecretValueRequest, GetSecretValueResponse),
    "ListBindings": Route("GET", "bindings", None, "", ListBindingsRequest, ListBindingsResponse),
    "ListKeys": Route("GET", "keys", None, "", ListKeysRequest, ListKeysResponse),
    "ListPolicies": Route("GET", "policies", None, "", ListPoliciesRequest, ListPoliciesResponse),
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
    "ListTokens": Route("GET", "users", "user", "tokens", ListTokensRequest, ListTokensResponse),
    "ListUsers": Route("GET", "users", None, "", ListUsersRequest, ListUsersResponse),
    "LookupEvents": Route("GET", "events", None, "", LookupEventsRequest, LookupEventsResponse),
    "PauseRotation": Route("POST", "secrets", "name", "pause-rotation", PauseRotationRequest, RotationResponse),
    "PutSecretValue": Route("PUT", "secrets", "name", "value", PutSecretValueRequest, PutSecretValueResponse),
    "RestoreSecret": Route("POST", "secrets", "name", "restore", RestoreSecretRequest, RestoreSecretResponse),
    "ResumeRotation": Route("POST", "secrets", "name", "resume-rotation", ResumeRotationRequest, RotationResponse),
    "RotateSecret": Route("POST", "secrets", "name", "rotate", RotateSecretRequest, RotationResponse),
    "TagResource": Route("POST", "tags", "resource", "", TagResourceRequest, TagsResponse),
    "UntagResource": Route("POST", "tags", "resource", "remove", UntagResourceRequest, TagsResponse),
    "UpdateSecret": Route("PATCH", "secrets", "name", "", UpdateSecretRequest, UpdateSecretResponse),
    "UpdateSecretVersionStage": Route(
        "POST", "secrets", "name", "move-stage", UpdateSecretVersionStageRequest, StagesResponse
    ),
    "UpdateTarget": Route("PATCH", "targets", "target", "", UpdateTargetRequest, TargetDescription),
    "WatchSecrets": Route("GET", "secrets", None, "watch", WatchSecretsRequest, SecretChange, True),
}
