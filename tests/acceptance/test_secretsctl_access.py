"""Users, groups, roles, policies by secretsctl against a real daemon with two workers; the guide works as written."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secretsd.testing.daemon import Daemon, running
from secretsd.testing.policies import document
from tests.promises.test_docs import ROOT, blocks

pytestmark = pytest.mark.acceptance
GUIDE = ROOT / "docs/guides/access.md"
READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
NOT_FOUND = 3


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Ctl = Callable[..., Outcome]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    base = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    base.chmod(0o711)
    with running(base / "state", settings={"workers": 2}) as found:
        yield found
    shutil.rmtree(base)


def run(daemon: Daemon, command: list[str], place: Path, stdin: str = "") -> Outcome:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = {"PATH": path, **daemon.environment}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=known, cwd=place)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def ctl(daemon: Daemon, tmp_path: Path) -> Ctl:
    """The installed command, run as the administrator."""
    return lambda *words, stdin="": run(daemon, ["secretsctl", *words], tmp_path, stdin)


def done(outcome: Outcome) -> str:
    assert outcome.code == 0, outcome.err
    return outcome.out


def status(daemon: Daemon, token: str, method: str, path: str, body: object = None) -> int:
    """What whoever has the token is answered, without the cost of a command."""
    return daemon.call(method, path, body, token=token).status


def a_token_of(daemon: Daemon, user: str) -> str:
    return str(daemon.call("POST", f"/v1/users/{user}:create-token", {}).body["token"])


@pytest.mark.timeout(300)
def test_the_guide_works_in_the_order_written(daemon: Daemon, tmp_path: Path) -> None:
    for name, value in (("prod/db/shop", "one"), ("prod/db/payroll", "two")):
        assert daemon.call("POST", "/v1/secrets", {"name": name, "text": value}).status == 200
    script = list(blocks(GUIDE, "sh"))
    ends = next(at for at, block in enumerate(script) if "policy update" in block)
    made = run(daemon, ["bash", "-euo", "pipefail", "-c", "\n".join(script[:ends])], tmp_path)
    assert made.code == 0, made.err
    ann, dora = ((tmp_path / f"{name}.token").read_text() for name in ("ann", "dora"))
    assert status(daemon, ann, "GET", "/v1/secrets/prod/db/shop:value") == 200
    assert status(daemon, ann, "GET", "/v1/secrets/prod/db/payroll:value") == 403
    assert status(daemon, dora, "POST", "/v1/users", {"user": "eve"}) == 403
    assert status(daemon, dora, "POST", "/v1/users/ann:attach-policy", {"policy": "administrator"}) == 403
    assert status(daemon, dora, "DELETE", "/v1/users/sam:boundary") == 403
    assert status(daemon, dora, "PATCH", "/v1/policies/within", {"description": "wider"}) == 403
    assert status(daemon, dora, "POST", "/v1/users/sam:attach-policy", {"policy": "administrator"}) == 200
    sam = a_token_of(daemon, "sam")
    assert status(daemon, sam, "GET", "/v1/secrets/prod/db/shop:value") == 200
    assert status(daemon, sam, "POST", "/v1/users", {"user": "eve"}) == 403
    ended = run(daemon, ["bash", "-euo", "pipefail", "-c", "\n".join(script[ends:])], tmp_path)
    assert ended.code == 0, ended.err
    assert status(daemon, ann, "GET", "/v1/secrets/prod/db/shop:value") == 403


def test_the_guides_condition_is_one(daemon: Daemon, ctl: Ctl) -> None:
    (text,) = blocks(GUIDE, "json")
    assert daemon.call("POST", "/v1/secrets", {"name": "tagged", "text": "one"}).status == 200
    done(ctl("user", "create", "tess"))
    done(ctl("user", "inline", "put", "tess", "own", "-", stdin=text))
    tess = a_token_of(daemon, "tess")
    assert status(daemon, tess, "GET", "/v1/secrets/tagged:value") == 403
    assert daemon.call("POST", "/v1/tags/secret/tagged", {"tags": {"team": "billing"}}).status == 200
    assert daemon.call("GET", "/v1/secrets/tagged:value", token=tess).status == 200


def test_what_changes_is_in_force_at_once_on_every_worker(daemon: Daemon, ctl: Ctl) -> None:
    """Over many connections, so that both workers decide; each keeps its decisions until something changes."""
    assert daemon.call("POST", "/v1/secrets", {"name": "shared", "text": "one"}).status == 200
    done(ctl("policy", "create", "reads", "-", stdin=document(READ)))
    done(ctl("group", "create", "readers"))
    done(ctl("user", "create", "gus"))
    token = a_token_of(daemon, "gus")

    def answers() -> set[int]:
        return {daemon.call("GET", "/v1/secrets/shared:value", token=token, tcp=True).status for _ in range(24)}

    for change, status in (
        (("group", "add", "readers", "gus"), 403),
        (("group", "attach", "readers", "reads"), 200),
        (("group", "detach", "readers", "reads"), 403),
        (("user", "attach", "gus", "reads"), 200),
        (("user", "boundary", "put", "gus", "operator"), 403),
        (("user", "boundary", "delete", "gus"), 200),
        (("group", "attach", "readers", "reads"), 200),
        (("user", "detach", "gus", "reads"), 200),
        (("group", "remove", "readers", "gus"), 403),
    ):
        done(ctl(*change))
        assert answers() == {status}, change


def test_what_somebody_has_or_is_stays(ctl: Ctl) -> None:
    done(ctl("policy", "create", "kept", "-", stdin=document(READ)))
    done(ctl("user", "create", "kim", "--boundary", "kept"))
    done(ctl("user", "token", "create", "kim"))
    done(ctl("group", "create", "kin"))
    done(ctl("group", "add", "kin", "kim"))
    for noun, name, why in (
        ("policy", "kept", "user kim has it"),
        ("user", "kim", "1 token lead"),
        ("group", "kin", "members"),
    ):
        refused = ctl(noun, "delete", name, "--yes")
        assert refused.code == 1
        assert why in refused.err
    assert done(ctl("policy", "entities", "kept", "-o", "raw")) == "user/kim\n"
    (token,) = done(ctl("user", "token", "list", "kim", "-o", "raw")).splitlines()
    done(ctl("user", "token", "delete", "kim", token))
    for noun, name in (("user", "kim"), ("group", "kin"), ("policy", "kept")):
        done(ctl(noun, "delete", name, "--yes"))
        assert ctl(noun, "show" if noun == "policy" else "describe", name).code == NOT_FOUND


def test_why_who_and_what_was_used(daemon: Daemon, ctl: Ctl) -> None:
    """The explanation is what happens; the draft allows what happened, and takes the place of what allowed too much."""
    for name in ("used/one", "used/two"):
        assert daemon.call("POST", "/v1/secrets", {"name": name, "text": "x"}).status == 200
    wide = {**READ, "action": ["GetSecretValue", "PutSecretValue"], "resource": ["secret/used/*"]}
    kept = {"sid": "Kept", "effect": "Deny", "action": ["*"], "resource": ["secret/used/two"]}
    done(ctl("user", "create", "uma"))
    done(ctl("user", "inline", "put", "uma", "own", "-", stdin=document(wide, kept)))
    uma = a_token_of(daemon, "uma")
    for name, code, decision in (("used/one", 200, "allowed"), ("used/two", 403, "denied")):
        assert status(daemon, uma, "GET", f"/v1/secrets/{name}:value") == code
        assert (
            done(ctl("policy", "explain", "user/uma", "GetSecretValue", f"secret/{name}", "-o", "raw"))
            == f"{decision}\n"
        )
    told = done(ctl("policy", "explain", "user/uma", "GetSecretValue", "secret/used/two"))
    assert "statement 2 (Kept) of user/uma/inline-policy/own denies it" in told
    refused = daemon.call("GET", "/v1/secrets/used/two:value", token=uma)
    assert refused.body["detail"] == "cannot do that: GetSecretValue is not allowed, or it does not exist"
    assert "/uma" in done(ctl("policy", "who-can", "GetSecretValue", "secret/used/one", "-o", "raw"))
    draft = done(ctl("policy", "from-use", "user/uma", "--days", "1"))
    assert '"secret/used/one"' in draft
    assert "PutSecretValue" not in draft
    done(ctl("user", "inline", "put", "uma", "own", "-", stdin=draft))
    assert status(daemon, uma, "GET", "/v1/secrets/used/one:value") == 200
    assert status(daemon, uma, "PUT", "/v1/secrets/used/one:value", {"text": "y"}) == 403
    assert "secretsd:UnixUid" in done(ctl("policy", "keys", "-o", "raw"))


def test_what_is_wrong_with_a_document_is_told_with_its_line(ctl: Ctl) -> None:
    bad = '{"Version": "1", "Statement": [\n {"Effect": "Allow",\n  "Action": "GetSecretValu",\n  "Resource": "*"}]}'
    refused = ctl("policy", "validate", "-", stdin=bad)
    assert (refused.code, refused.out.startswith("line 3: ")) == (1, True)
    assert '"GetSecretValue" is meant' in refused.out
    assert ctl("policy", "show", "nothing-was-stored").code == NOT_FOUND
