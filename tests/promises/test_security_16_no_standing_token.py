"""SECURITY 16: `dev` opens loopback only, and `init` leaves no token anywhere."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration
COMMAND = (sys.executable, "-I", "-m", "secretsd.cli.daemon")


def addresses():
    """Every address but loopback's that a careless default could open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the route
            own = [probe.getsockname()[0]]
        except OSError:
            own = []
    return ["0.0.0.0", "[::]", "8.8.8.8", "10.0.0.1", "[2001:db8::1]", "[::ffff:0.0.0.0]", "localhost", "", *own]


@pytest.mark.parametrize("host", addresses())
def test_dev_refuses_every_address_but_loopback(passable_path, host):
    state = passable_path / "state"
    ran = subprocess.run(
        [*COMMAND, "dev", "--state-dir", str(state), "--listen", f"{host}:0"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode != 0
    assert "ready" not in ran.stdout
    assert "http.listen" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (state / "admin.env").exists()


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0"])
def test_dev_opens_loopback(passable_path, listen):
    from secretsd.testing.daemon import running

    family = socket.AF_INET6 if listen.startswith("[") else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((listen.rpartition(":")[0].strip("[]"), 0))
    except OSError:
        pytest.skip("needs the address: this host has no IPv6")
    with running(passable_path / "state", listen=listen) as daemon:
        assert daemon.call("GET", "/v1/caller-identity", tcp=True).status == 200
        host, port = daemon.address
        assert host in ("127.0.0.1", "::1")
        lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
        tables = [line.split() for line in lines]
        listening = {row[1] for row in tables if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
        assert listening <= {f"0100007F:{port:04X}", f"00000000000000000000000001000000:{port:04X}"}
        assert len(listening) == 1


@pytest.fixture
def initialised(passable_path):
    """A state directory after `secretsd init`, and all that the command said and wrote."""
    root = os.geteuid() == 0
    users = {"worker": "61701", "keystore": "61702", "rotator": "61703"} if root else {}
    pin = passable_path / "pin"
    pin.write_text("123456-and-more\n")
    pin.chmod(0o600)
    settings = passable_path / "secretsd.yaml"
    document = {
        "state_dir": str(passable_path / "state"),
        "runtime_dir": str(passable_path / "run"),
        "unix": {"path": str(passable_path / "secretsd.sock")},
        "keystore": {"pin_file": str(pin)},
        "users": users,
    }
    settings.write_text(json.dumps(document))

    def init(*further):
        command = [
            *COMMAND,
            "init",
            "--config",
            str(settings),
            "--output",
            str(passable_path / "recovery.json"),
            *further,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    return passable_path, init


def test_init_prints_and_writes_no_token(initialised):
    path, init = initialised
    ran = init("--no-recovery")
    assert ran.returncode == 0, ran.stderr
    written = b"".join(one.read_bytes() for one in path.rglob("*") if one.is_file())
    for text in (ran.stdout.encode(), ran.stderr.encode(), written):
        assert not re.search(rb"secretsd_[A-Za-z0-9_-]{43}", text)
    assert b"123456-and-more" not in ran.stdout.encode() + ran.stderr.encode()
    assert not list(path.rglob("admin.env"))
    assert oct((path / "recovery.json").stat().st_mode & 0o777) == "0o600"

    from secretsd.testing.intruder import StorageFiles

    files = StorageFiles(path / "state")
    assert files.read("SELECT count(*) FROM tokens") == [(0,)]
    proofs = {proof for (proof,) in files.read("SELECT proof FROM bindings")}
    assert proofs == {f"unix:uid/{uid}" for uid in {0, os.getuid()}}


def test_init_goes_on_only_with_a_recovery_or_an_explicit_refusal(initialised):
    """SECURITY 1: the root KEK is no dead end that somebody walked into without saying so."""
    path, init = initialised
    ran = init()
    assert ran.returncode != 0
    assert "--recovery-public-key" in ran.stderr
    assert "--no-recovery" in ran.stderr
    assert not (path / "state").exists()
