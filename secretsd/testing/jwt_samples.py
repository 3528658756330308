"""What tokens of Kubernetes, GitHub and GitLab say, in their real shape; `now` is in seconds."""

from typing import Any


def kubernetes(now: int, account: str = "app", namespace: str = "prod", **changed: Any) -> dict[str, Any]:
    """The claims of a projected service account token, in the shape that the API server gives them."""
    return {
        "aud": ["secretsd"],
        "exp": now + 3600,
        "iat": now,
        "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
        "kubernetes.io": {
            "namespace": namespace,
            "node": {"name": "node-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1"},
            "pod": {"name": "app-69b4d5d6c-2xkqf", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
            "serviceaccount": {"name": account, "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
        },
        "nbf": now,
        "sub": f"system:serviceaccount:{namespace}:{account}",
        **changed,
    }


def github(now: int, **changed: Any) -> dict[str, Any]:
    """The claims of a token of a GitHub Actions job, as GitHub documents them."""
    return {
        "jti": "0ba5e1f2-5d3f-4a7a-a8a5-3b5f7d1c9f10",
        "sub": "repo:octo-org/octo-repo:environment:prod",
        "environment": "prod",
        "aud": "secretsd",
        "ref": "refs/heads/main",
        "sha": "f8f5a6e4c6a1d3b2908f7e6d5c4b3a2918070605",
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "actor_id": "12",
        "repository_visibility": "private",
        "repository_id": "74",
        "repository_owner_id": "65",
        "run_id": "30433642",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "actor": "octocat",
        "workflow": "release",
        "head_ref": "",
        "base_ref": "",
        "event_name": "workflow_dispatch",
        "ref_type": "branch",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
        "iss": "https://token.actions.githubusercontent.com",
        "nbf": now - 300,
        "exp": now + 900,
        "iat": now,
        **changed,
    }


def gitlab(now: int, **changed: Any) -> dict[str, Any]:
    """The claims of an ID token of a GitLab CI job, as GitLab documents them."""
    return {
        "namespace_id": "72",
        "namespace_path": "my-group",
        "project_id": "20",
        "project_path": "my-group/my-project",
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_identities": [{"provider": "github", "extern_uid": "2435223452345"}],
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "true",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "iss": "https://gitlab.example.com",
        "iat": now,
        "nbf": now - 5,
        "exp": now + 3600,
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
        "aud": "secretsd",
        **changed,
    }
