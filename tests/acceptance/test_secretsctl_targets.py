"""Targets by secretsctl against a real daemon, read as a manual: in the order written."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretsd.testing.daemon import Daemon
from tests.acceptance.wire import daemon_in_passable_place

pytestmark = pytest.mark.acceptance
PASSWORD = "canary-of-the-administrator"
Ctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemon_in_passable_place(rotation={"rotators": ["random", "postgresql"]}) as found:
        yield found
        assert PASSWORD not in found.log.read_text()


@pytest.fixture(scope="module")
def ctl(daemon: Daemon) -> Ctl:
    """The installed command, as the administrator."""

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        environment = {"PATH": os.environ["PATH"], **daemon.environment}
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment)
        assert PASSWORD not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def address(tmp_path: Path) -> str:
    path = tmp_path / "address.json"
    path.write_text('{"host": "127.0.0.1", "tls": "off"}')
    return f"@{path}"


def test_a_target_is_made_with_its_password_from_standard_input(ctl: Ctl, address: str) -> None:
    admin = ("--admin-login", "rotator", "--admin-password", "-")
    allowed = ("--allow", "123456789012=app_*", "--allow", "123456789012=report")
    done = ctl(
        "target", "create", "db", "--rotator", "postgresql", "--address", address, *admin, *allowed, stdin=PASSWORD
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(ctl("target", "describe", "db", "-o", "json").stdout)
    assert (told["admin_login"], told["logins"]) == ("rotator", {"123456789012": ["app_*", "report"]})
    assert told["address"]["port"] == 5432, "what was left out is filled in"
    assert ctl("target", "list", "-o", "raw").stdout == "db\n"


def test_an_address_that_is_none_is_refused_by_name_of_the_rotator_alone(ctl: Ctl, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(json.dumps({"host": "127.0.0.1", "tls": "off", "password": PASSWORD}))
    done = ctl("target", "create", "x", "--rotator", "postgresql", "--address", f"@{tmp_path}/wrong.json")
    assert done.returncode == 1
    assert "does not fit the schema of postgresql" in done.stderr


def test_logins_come_and_go(ctl: Ctl) -> None:
    done = ctl("target", "update", "db", "--allow", "123456789013=b", "--withdraw", "123456789012=app_*", "-o", "json")
    assert json.loads(done.stdout)["logins"] == {"123456789012": ["report"], "123456789013": ["b"]}


def test_whoever_moves_it_has_to_know_the_password(ctl: Ctl, tmp_path: Path) -> None:
    (tmp_path / "moved.json").write_text('{"host": "::1", "tls": "off"}')
    moved = ("target", "update", "db", "--address", f"@{tmp_path}/moved.json")
    refused = ctl(*moved)
    assert refused.returncode == 1
    assert "needs the password again" in refused.stderr
    assert ctl(*moved, "--admin-password", "-", stdin=PASSWORD).returncode == 0
    assert json.loads(ctl("target", "describe", "db", "-o", "json").stdout)["address"]["host"] == "::1"


def test_it_is_taken_away(ctl: Ctl) -> None:
    assert "admin_login" not in json.loads(ctl("target", "update", "db", "--no-admin", "-o", "json").stdout)
    assert ctl("target", "delete", "db").returncode == 0
    assert ctl("target", "describe", "db").returncode == 3
