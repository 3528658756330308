"""`secretsd` as an operator meets it: check, init, serve and dev, with all that each refuses."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from secretsd.supervisor.check import UNSURE_UNITS, notes
from secretsd.testing.daemon import Daemon, UnixHTTPConnection

COMMAND = (sys.executable, "-I", "-m", "secretsd.cli.daemon")
OLD_KERNEL = (
    "from secretsd.supervisor import check; check.SO_PEERPIDFD = 9999; from secretsd.cli.daemon import main; main()"
)
"""`secretsd` as on a kernel before 6.5: it asks for an option that this one does not know either."""
PIN = "an operator's own PIN"
NOTES = "".join(f"note: {note}\n" for note in notes())
pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]


def secretsd(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], input=given, capture_output=True, text=True, timeout=60)


@pytest.fixture
def config(passable_path: Path) -> Path:
    """A configuration as an operator writes it, below a directory of its own, with a PIN file."""
    pin = passable_path / "pin"
    pin.write_text(PIN + "\n")
    pin.chmod(0o600)
    document: dict[str, Any] = {
        "state_dir": str(passable_path / "state"),
        "runtime_dir": str(passable_path / "run"),
        "unix": {"path": str(passable_path / "api.sock")},
        "keystore": {"pin_file": str(pin)},
        "users": {"worker": "61701", "keystore": "61702", "rotator": "61703"},
    }
    path = passable_path / "secretsd.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def changed(config: Path, **further: Any) -> Path:
    path = config.with_name("changed.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | further))
    return path


def initialised(config: Path) -> Path:
    made = secretsd("init", "--config", str(config), "--no-recovery", "--output", str(config.with_name("out.json")))
    assert made.returncode == 0, made.stderr
    return config


@pytest.fixture
def served(config: Path) -> Iterator[Path]:
    """A daemon that `secretsd serve` runs; the path of its socket."""
    process = subprocess.Popen([*COMMAND, "serve", "--config", str(initialised(config))])
    path = config.with_name("api.sock")
    deadline = time.monotonic() + 30
    while not answers(path) and time.monotonic() < deadline:
        time.sleep(0.02)
    yield path
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as tried:
        try:
            tried.connect(str(path))
        except OSError:
            return False
    return True


def test_check_tells_all_that_is_wrong_at_once(config: Path) -> None:
    bad = changed(config, workers=0, rotaton={}, http={"listen": "0.0.0.0:80"}, cache={"max_rows": "many"})
    found = secretsd("check", "--config", str(bad))
    assert found.returncode == 1
    assert "cannot use rotaton: there is no such setting; did you mean rotation?" in found.stderr
    assert "cannot use cache.max_rows: it is not a whole number" in found.stderr
    assert "cannot use workers: it is from 1 to 64" in found.stderr
    assert "without TLS only a loopback address is opened" in found.stderr


def test_check_looks_at_the_host(config: Path) -> None:
    users = {"worker": "nobody-of-that-name", "keystore": "61702", "rotator": "61703"}
    config.with_name("pin").chmod(0o644)
    found = secretsd("check", "--config", str(changed(config, users=users)))
    assert "cannot find user nobody-of-that-name" in found.stderr
    assert "it is not a file of mode 0600" in found.stderr
    assert "is not initialised; run secretsd init" in found.stderr


def test_check_is_content_with_what_would_start(config: Path) -> None:
    found = secretsd("check", "--config", str(initialised(config)))
    assert (found.returncode, found.stdout, found.stderr) == (0, "all is well\n", NOTES)


def test_check_takes_a_pin_that_only_systemd_would_hand_over(config: Path) -> None:
    initialised(config)
    credential = changed(config, keystore={"pin_file": "credential:hsm-pin"})
    found = secretsd("check", "--config", str(credential))
    assert found.returncode == 1
    assert found.stderr.startswith("cannot read the PIN: systemd handed over no credential hsm-pin; add --ask-pin")
    found = secretsd("check", "--config", str(credential), "--pin-fd", "0", given=PIN)
    assert (found.returncode, found.stdout, found.stderr) == (0, "all is well\n", NOTES)


def test_init_makes_nothing_whose_recovery_it_could_not_write(config: Path) -> None:
    nowhere = config.with_name("nowhere") / "out.json"
    made = secretsd("init", "--config", str(config), "--no-recovery", "--output", str(nowhere))
    assert (made.returncode, made.stderr) == (78, f"cannot write {nowhere}: No such file or directory\n")
    assert not config.with_name("state").exists()


def test_on_kernels_that_do_not_tell_units_for_sure_check_and_serve_say_so(config: Path) -> None:
    old = (sys.executable, "-I", "-c", OLD_KERNEL)
    of = ("--config", str(initialised(config)))
    found = subprocess.run([*old, "check", *of], capture_output=True, text=True, timeout=60)
    note = f"note: {UNSURE_UNITS}\n"
    assert (found.returncode, found.stdout, found.stderr) == (0, "all is well\n", note)
    with subprocess.Popen([*old, "serve", *of], stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        try:
            assert served.stderr.readline() == note
        finally:
            served.terminate()
        assert "note: " not in served.stderr.read()


def test_check_proves_the_module_and_the_pin(config: Path) -> None:
    initialised(config)
    config.with_name("pin").write_text("another PIN\n")
    found = secretsd("check", "--config", str(config))
    assert found.returncode == 1
    assert "another PIN" not in found.stdout + found.stderr
    assert "cannot use keystore.module" in found.stderr


def test_init_insists_on_a_recovery_or_on_its_refusal(config: Path) -> None:
    for arguments in ([], ["--no-recovery", "--recovery-public-key", str(config)]):
        made = secretsd("init", "--config", str(config), *arguments)
        assert made.returncode == 78
        assert "give either --recovery-public-key FILE or --no-recovery" in made.stderr
    assert not config.with_name("state").exists()


def test_init_wraps_the_root_for_the_operator_and_prints_no_secret(config: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = config.with_name("recovery.pem")
    public.write_bytes(pem)
    out = config.with_name("out.json")
    arguments = ["--config", str(config), "--recovery-public-key", str(public), "--output", str(out)]
    made = secretsd("init", *arguments)
    assert made.returncode == 0, made.stderr
    document = json.loads(out.read_text())
    assert out.stat().st_mode & 0o777 == 0o600
    assert document["recovery"]
    shown = made.stdout + made.stderr
    assert document["so_pin"] not in shown
    assert PIN not in shown
    assert "secretsd_" not in shown, "init prints no standing token"
    again = secretsd("init", *arguments[:-1], str(config.with_name("other.json")))
    assert again.returncode == 78
    assert "initialised already" in again.stderr


def test_the_pin_may_come_by_a_descriptor(config: Path) -> None:
    config.with_name("pin").unlink()
    arguments = ["--config", str(config), "--no-recovery", "--output", str(config.with_name("out.json"))]
    assert secretsd("init", *arguments, "--pin-fd", "0", given=PIN).returncode == 0


def test_serve_wants_an_initialised_state(config: Path) -> None:
    served = secretsd("serve", "--config", str(config))
    assert served.returncode == 78
    assert "run secretsd init" in served.stderr


def test_whoever_ran_init_is_the_administrator(served: Path) -> None:
    connection = UnixHTTPConnection(str(served))
    connection.request("GET", "/v1/caller-identity")
    identity = json.loads(connection.getresponse().read())
    connection.close()
    assert identity["principal"].endswith(":user/admin")
    assert identity["proof"] == f"unix:uid/{os.getuid()}"


def test_dev_opens_nothing_but_loopback(passable_path: Path) -> None:
    started = secretsd("dev", "--state-dir", str(passable_path / "state"), "--listen", "0.0.0.0:0")
    assert started.returncode == 78
    assert "only a loopback address is opened" in started.stderr


def test_dev_keeps_its_directory_for_the_next_start(passable_path: Path) -> None:
    daemon = Daemon(passable_path / "state").start()
    daemon.call("POST", "/v1/secrets", {"name": "kept", "text": "a value"})
    token = daemon.token
    assert daemon.stop() == 0
    daemon.start()
    try:
        assert daemon.token == token
        assert daemon.call("GET", "/v1/secrets/kept:value", tcp=True).body["text"] == "a value"
        second = secretsd("dev", "--state-dir", str(passable_path / "state"), "--listen", "127.0.0.1:0")
        assert second.returncode == 78
        assert "another daemon runs on" in second.stderr
        assert daemon.call("GET", "/v1/secrets/kept:value").status == 200
    finally:
        daemon.stop()
