"""secretsctl against a real daemon, read as a manual: each test is a page, and each page works in the order written."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from secretsd.client import Client, Plaintext, TextValue
from secretsd.client.sync import SyncClient
from secretsd.domain.errors import AccessDenied, Unauthenticated
from secretsd.testing.daemon import Daemon, running
from secretsd.testing.policies import document

pytestmark = pytest.mark.acceptance


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()


Ctl = Callable[..., Outcome]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    base = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    base.chmod(0o711)
    with running(base / "state") as found:
        yield found
    shutil.rmtree(base)


@pytest.fixture
def ctl(daemon: Daemon) -> Ctl:
    """The installed command; its environment is that of `admin.env`, or `environment` in its place."""

    def run(*arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Outcome:
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        known = daemon.environment if environment is None else environment
        done = subprocess.run(command, input=stdin, capture_output=True, env={"PATH": os.environ["PATH"], **known})
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    return run


def test_a_value_goes_in_by_standard_input_and_comes_out_as_it_was(ctl: Ctl) -> None:
    assert ctl("put", "prod/db/app", "-", stdin=b"hunter2\n").code == 0
    assert ctl("get", "prod/db/app").out == b"hunter2\n"

    anything = bytes(range(256)) * 256  # 64 KiB, the most that a value may hold
    assert ctl("put", "prod/blob", "-", stdin=anything).code == 0
    assert ctl("get", "prod/blob").out == anything

    assert ctl("ls", "prod/", "-o", "raw").lines == ["prod/blob", "prod/db/app"]


def test_a_value_on_the_command_line_is_refused(ctl: Ctl) -> None:
    refused = ctl("put", "prod/argv", "canary-on-argv")
    assert refused.code == 1
    assert "canary" not in refused.err
    assert ctl("describe", "prod/argv").code == 3


def test_the_value_before_stays_in_reach_and_versions_are_listed(ctl: Ctl) -> None:
    for value in (b"one", b"two"):
        assert ctl("put", "prod/versions", "-", stdin=value).code == 0
    assert ctl("get", "prod/versions").out == b"two"
    assert ctl("get", "prod/versions", "--stage", "previous").out == b"one"
    found = json.loads(ctl("versions", "prod/versions", "-o", "json").out)
    assert [(one["number"], one["stages"]) for one in found] == [(2, ["current"]), (1, ["previous"])]
    assert ctl("get", "prod/versions", "--version", found[1]["id"]).out == b"one"


def test_a_token_makes_storing_repeatable(ctl: Ctl) -> None:
    for _ in range(2):
        assert ctl("put", "prod/token", "-", "--token", "release-7", stdin=b"same").code == 0
    assert ctl("versions", "prod/token", "--all", "-o", "raw").lines == ["release-7"]
    other = ctl("put", "prod/token", "-", "--token", "release-7", stdin=b"other")
    assert other.code == 1
    assert "another value under that token" in other.err


def test_a_deleted_secret_can_be_restored_and_an_erased_one_cannot(ctl: Ctl) -> None:
    ctl("put", "prod/gone", "-", stdin=b"x")
    assert ctl("rm", "prod/gone").code == 0
    assert ctl("get", "prod/gone").code == 1
    assert ctl("restore", "prod/gone").code == 0
    assert ctl("get", "prod/gone").out == b"x"
    assert ctl("rm", "prod/gone", "--force", "--yes").code == 0
    assert ctl("restore", "prod/gone").code == 3


def test_a_secret_is_rotated_now_and_its_clock_can_be_stopped(ctl: Ctl) -> None:
    assert ctl("rotation", "rotators", "-o", "raw").lines == ["postgresql", "random"]
    ctl("put", "prod/rotated", "-", stdin=b"by hand")
    done = ctl("rotate", "prod/rotated", "--rotator", "random", "--every", "1d", "--wait", "60s", "-o", "json")
    assert done.code == 0, done.err
    rotation = json.loads(done.out)
    assert rotation["state"] == "idle"
    assert rotation["next_due_ms"] - rotation["last_rotated_ms"] > 23 * 3600 * 1000
    assert ctl("get", "prod/rotated").out != b"by hand"
    assert ctl("get", "prod/rotated", "--stage", "previous").out == b"by hand"
    assert json.loads(ctl("rotation", "cancel", "prod/rotated", "-o", "json").out)["enabled"] is False
    assert ctl("rotation", "status", "prod/rotated").code == 0


def test_an_application_may_read_what_its_policy_says_and_nothing_else(
    ctl: Ctl, daemon: Daemon, tmp_path: Path
) -> None:
    ctl("put", "shop/db", "-", stdin=b"shop password")
    ctl("put", "bank/db", "-", stdin=b"bank password")
    statements = [{"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/shop/*"]}]
    assert ctl("policy", "create", "read-shop", "-", stdin=document(*statements).encode()).code == 0
    assert ctl("user", "create", "shop").code == 0
    assert ctl("user", "attach", "shop", "read-shop").code == 0
    made = json.loads(ctl("user", "token", "create", "shop", "--ttl", "1h", "-o", "json").out)
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(made["token"])

    shop = ("--addr", daemon.environment["SECRETSD_ADDR"], "--token-file", str(file))
    assert ctl(*shop, "get", "shop/db", environment={}).out == b"shop password"
    for refused in (("get", "bank/db"), ("put", "shop/db", "-"), ("ls",), ("user", "list")):
        done = ctl(*shop, *refused, stdin=b"x", environment={})
        assert (done.code, done.out) == (4, b""), refused
    assert ctl("--addr", daemon.environment["SECRETSD_ADDR"], "get", "shop/db", environment={}).code == 4

    assert ctl("user", "token", "delete", "shop", made["id"]).code == 0
    assert ctl(*shop, "get", "shop/db", environment={}).code == 4


@pytest.mark.needs_root
def test_the_kernels_word_is_enough_where_a_uid_is_bound(ctl: Ctl, daemon: Daemon) -> None:
    ctl("user", "create", "nobody")
    assert ctl("binding", "create", "unix:uid/65534", "nobody").code == 0
    assert "unix:uid/65534" in ctl("binding", "list", "-o", "raw").lines
    who = ctl("--socket", daemon.socket, "whoami", environment={})
    assert ["proof", "unix:uid/0"] in [line.split() for line in who.lines]
    assert ctl("binding", "delete", "unix:uid/65534").code == 0


def test_every_step_is_in_the_audit_trail_under_the_request_id_that_was_told(ctl: Ctl) -> None:
    ctl("put", "prod/seen", "-", stdin=b"canary-audited")
    refused = ctl("get", "prod/not-there")
    assert refused.code == 3
    told = refused.err.splitlines()[-1].split()[-1]
    (event,) = json.loads(ctl("audit", "lookup", "--request-id", told, "-o", "json").out)
    assert (event["operation"], event["outcome"]) == ("GetSecretValue", "not-found")
    found = ctl("audit", "lookup", "--resource", "secret/prod/seen", "--since", "1h", "-o", "json").out
    assert [one["operation"] for one in json.loads(found)] == ["PutSecretValue", "CreateSecret"]
    assert b"canary" not in found


def test_keys_and_random_values_come_from_the_daemon(ctl: Ctl) -> None:
    key = ctl("key", "create", "--description", "for the shop", "-o", "raw").lines[0]
    assert key in ctl("key", "list", "-o", "raw").lines
    assert json.loads(ctl("key", "describe", key, "-o", "json").out)["protection_level"] == "HSM"
    assert len({ctl("random", "--length", "24", "--no-punctuation").out for _ in range(3)}) == 3


def test_what_has_no_command_of_its_own_can_be_called_by_name(ctl: Ctl) -> None:
    ctl("put", "prod/tagged", "-", stdin=b"x")
    tagged = {"resource": "secret/prod/tagged", "tags": {"team": "shop"}}
    assert ctl("call", "TagResource", "--json", "-", stdin=json.dumps(tagged).encode()).code == 0
    assert ctl("ls", "--tag", "team=shop", "-o", "raw").lines == ["prod/tagged"]
    assert "TagResource" in ctl("operations", "-o", "raw").lines


def test_the_daemon_says_how_it_is_and_its_absence_is_told(ctl: Ctl, tmp_path: Path) -> None:
    assert ctl("status").code == 0
    away = ctl("--socket", str(tmp_path / "none.sock"), "status", environment={})
    assert away.code == 1
    assert "systemctl status secretsd" in away.err


async def test_a_program_uses_the_same_client(daemon: Daemon) -> None:
    async with Client(socket=daemon.socket, token=Plaintext.from_text(daemon.token)) as client:
        created = await client.create_secret(name="app/db", description="of the application")
        assert created.version_id is None
        await client.put_secret_value("app/db", text=TextValue.from_text("from Python"))
        assert (await client.secrets.get("app/db")).reveal() == b"from Python"
        assert len(client.secrets) == 1
        assert (await client.describe_secret("app/db")).version_count == 1
    async with Client(address=daemon.environment["SECRETSD_ADDR"], token=Plaintext(b"secretsd_wrong")) as stranger:
        with pytest.raises(Unauthenticated, match="cannot tell who is calling"):
            await stranger.get_secret_value("app/db")


def test_a_program_without_an_event_loop_uses_the_synchronous_face(daemon: Daemon) -> None:
    with SyncClient(Client(socket=daemon.socket, token=Plaintext.from_text(daemon.token))) as client:
        name = client.run(lambda c: c.create_user(user="sync")).user
        token = client.run(lambda c: c.create_token(name)).token
    with (
        SyncClient(Client(address=daemon.environment["SECRETSD_ADDR"], token=Plaintext(token.reveal()))) as weak,
        pytest.raises(AccessDenied),
    ):
        weak.get("app/db")
