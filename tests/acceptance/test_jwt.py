"""JWTs against a real daemon: a cluster, GitHub and GitLab as operators set them up; callers only have a token."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretsd.operations.jwt_proofs import MAX_TOKEN_BYTES
from secretsd.testing.daemon import Answered, Daemon
from secretsd.testing.jwks_server import JwksServer
from secretsd.testing.jwt_issuer import SigningKey, jwks
from secretsd.testing.jwt_samples import github, gitlab, kubernetes
from tests.acceptance.wire import daemon_in_passable_place, wait_for

pytestmark = pytest.mark.acceptance
CLUSTER, GITHUB, GITLAB = SigningKey.make("cluster"), SigningKey.make("github"), SigningKey.make("gitlab", "ES256")
SUB = "jwt:cluster/sub=system:serviceaccount:prod:app"
Ctl = Callable[..., subprocess.CompletedProcess[str]]


def now() -> int:
    return int(time.time())


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(workers=2) as found:
        assert (
            found.call("POST", "/v1/secrets", {"name": "app/password", "text": "what the app may read"}).status == 200
        )
        assert found.call("POST", "/v1/users", {"user": "app"}).status == 200
        read = {"Effect": "Allow", "Action": ["GetSecretValue"], "Resource": ["secret/app/*"]}
        document = json.dumps({"Version": "1", "Statement": [read]})
        assert found.call("POST", "/v1/policies", {"policy": "app", "document": document}).status == 200
        assert found.call("POST", "/v1/users/app:attach-policy", {"policy": "app"}).status == 200
        yield found


@pytest.fixture(scope="module")
def ctl(daemon: Daemon) -> Ctl:
    """The installed command, as the administrator, or as whoever has the token."""

    def run(*arguments: str, stdin: str = "", token: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        environment = {"PATH": os.environ["PATH"], **daemon.environment}
        if token:
            environment["SECRETSD_TOKEN"] = token
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment)

    return run


@pytest.fixture(scope="module")
def account(daemon: Daemon) -> str:
    return str(daemon.call("GET", "/v1/caller-identity").body["account"])


@pytest.fixture(scope="module")
def cluster(ctl: Ctl, account: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = tmp_path_factory.mktemp("keys") / "jwks.json"
    keys.write_text(jwks(CLUSTER))
    issuer = ("--issuer", "https://kubernetes.default.svc.cluster.local", "--keys", f"@{keys}")
    done = ctl("token-issuer", "create", "cluster", "--account", account, *issuer)
    assert done.returncode == 0, done.stderr
    assert ctl("binding", "create", SUB, "app").returncode == 0


def read(daemon: Daemon, token: str, *, tcp: bool = True) -> Answered:
    return daemon.call("GET", "/v1/secrets/app/password:value", token=token, tcp=tcp)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("tcp", [True, False])
def test_a_service_account_reads_what_it_may_and_nothing_else(daemon: Daemon, tcp: bool) -> None:
    token = CLUSTER.token(kubernetes(now()))
    who = daemon.call("GET", "/v1/caller-identity", token=token, tcp=tcp)
    assert (who.status, who.body["proof"]) == (200, SUB)
    found = read(daemon, token, tcp=tcp)
    assert (found.status, found.body["text"]) == (200, "what the app may read")
    assert daemon.call("GET", "/v1/users", token=token, tcp=tcp).status == 403
    (event,) = daemon.events(request_id=found.request_id)
    assert (event["operation"], event["proof"], event["outcome"]) == ("GetSecretValue", SUB, "ok")


@pytest.mark.usefixtures("cluster")
def test_the_command_takes_a_token_as_it_takes_any(ctl: Ctl, tmp_path: Path) -> None:
    token = CLUSTER.token(kubernetes(now()))
    assert ctl("get", "app/password", token=token).stdout.rstrip("\n") == "what the app may read"
    file = tmp_path / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    assert SUB in ctl("--token-file", str(file), "whoami").stdout


@pytest.mark.usefixtures("cluster")
def test_a_token_of_the_largest_size_comes_through_and_a_larger_header_is_refused(daemon: Daemon) -> None:
    token = CLUSTER.token(kubernetes(now()))
    most = CLUSTER.token(kubernetes(now(), more="x" * ((MAX_TOKEN_BYTES - len(token)) * 3 // 4 - 20)))
    assert MAX_TOKEN_BYTES - 40 < len(most) <= MAX_TOKEN_BYTES
    assert read(daemon, most).status == 200
    assert read(daemon, most, tcp=False).status == 200
    assert read(daemon, most + "A" * 1000).status == 431


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(
    "token",
    [
        lambda: CLUSTER.confused(kubernetes(now())),
        lambda: CLUSTER.token(kubernetes(now() - 7200)),
        lambda: CLUSTER.token(kubernetes(now() + 300)),
        lambda: CLUSTER.token(kubernetes(now(), aud=["https://kubernetes.default.svc.cluster.local"])),
        lambda: CLUSTER.token(kubernetes(now(), "default")),
        lambda: SigningKey.make("cluster").token(kubernetes(now())),
        lambda: CLUSTER.token(kubernetes(now())).rpartition(".")[0] + ".",
        lambda: CLUSTER.token(kubernetes(now()), {"alg": "none"}),
    ],
)
def test_what_is_no_proof_is_refused_recorded_and_told_to_nobody(daemon: Daemon, token: Callable[[], str]) -> None:
    brought = token()
    answer = read(daemon, brought)
    assert (answer.status, answer.kind) == (401, "unauthenticated")
    (event,) = daemon.events(request_id=answer.request_id, account="system")
    assert event["outcome"] == "unauthenticated"
    assert not {"principal", "proof"} & set(event)
    assert brought not in json.dumps(event)
    assert brought[:40] not in daemon.log.read_text()


def test_github_and_gitlab_publish_their_keys(daemon: Daemon, ctl: Ctl, account: str) -> None:
    with JwksServer([GITHUB]).running() as hub, JwksServer([GITLAB]).running() as lab:
        own = ("--issuer", "https://token.actions.githubusercontent.com", "--keys-url", hub.url)
        proof = ("--claim", "repository_id", "--claim", "environment", "--require", "repository_owner_id=65")
        done = ctl("token-issuer", "create", "github", "--account", account, *own, *proof)
        assert done.returncode == 0, done.stderr
        own = ("--issuer", "https://gitlab.example.com", "--keys-url", lab.url)
        proof = ("--claim", "project_id", "--claim", "ref", "--require", "ref_protected=true")
        assert ctl("token-issuer", "create", "gitlab", "--account", account, *own, *proof).returncode == 0
        for bound in ("jwt:github/repository_id=74,environment=prod", "jwt:gitlab/project_id=20,ref=main"):
            assert ctl("binding", "create", bound, "app").returncode == 0
        for claims in (github(now()), gitlab(now())):
            key = GITHUB if "repository_id" in claims else GITLAB
            assert read(daemon, key.token(claims)).status == 200
        for key, claims in (
            (GITHUB, github(now(), repository_owner_id="66")),
            (GITHUB, github(now(), environment="test")),
            (GITHUB, github(now(), repository_id="75")),
            (GITHUB, gitlab(now())),
            (GITLAB, gitlab(now(), ref_protected="false")),
            (GITLAB, gitlab(now(), ref="main,x")),
        ):
            assert read(daemon, key.token(claims)).status == 401
    token = GITHUB.token(github(now()))
    answers = [read(daemon, token).status for _ in range(5)]
    assert 200 in answers, "the keys are kept while the other side is away"
    described = ctl("token-issuer", "describe", "github").stdout
    assert "repository_owner_id=65" in described
    assert ctl("token-issuer", "list", "-o", "raw").stdout.split()[-2:] == ["github", "gitlab"]


@pytest.mark.usefixtures("cluster")
def test_what_an_operator_changes_holds_for_both_workers_at_once(daemon: Daemon, ctl: Ctl) -> None:
    token = CLUSTER.token(kubernetes(now()))
    assert {read(daemon, token).status for _ in range(20)} == {200}
    assert ctl("token-issuer", "update", "cluster", "--require", "sub=nobody").returncode == 0
    assert {read(daemon, token).status for _ in range(20)} == {401}
    assert ctl("token-issuer", "update", "cluster", "--require-nothing").returncode == 0
    assert {read(daemon, token).status for _ in range(20)} == {200}
    refused = ctl("token-issuer", "delete", "cluster", "--yes")
    assert refused.returncode == 1
    assert "jwt:cluster/" in refused.stderr
    assert ctl("binding", "delete", SUB).returncode == 0
    assert {read(daemon, token).status for _ in range(20)} == {401}
    assert ctl("token-issuer", "delete", "cluster", "--yes").returncode == 0


def test_the_log_names_reasons_and_no_tokens(daemon: Daemon) -> None:
    log = wait_for("a reason", lambda: daemon.log.read_text() if "a JWT of" in daemon.log.read_text() else "")
    assert "its signature is not that of the key" in log
    assert "eyJ" not in log
