"""Key material is in the keystore processes alone: known keys are looked for in everything else, after every use.

The test is the operator, so it opens the recovery wrap of each generation of the root, and with the root every blob in
storage: it knows the material of all keys, made inside or brought. All of it is looked for in the memory of every
other process, in every file and every log, in each shape in which libraries, Python or a text could hold it.
"""

import base64
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from secretsd.testing import customer, key_shapes
from secretsd.testing.cutting_proxy import CuttingProxy, Fault
from secretsd.testing.daemon import secret_path
from secretsd.testing.memory_scan import MemoryScan, Needle, Sighting, family
from secretsd.testing.postgres import postgres
from tests.acceptance.wire import wait_for
from tests.promises.held_back import HeldBack
from tests.promises.known_host import ServedHost, must
from tests.promises.known_keys import KINDS, TEXT, Keys, b64

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
KEYSTORES = ("keystore", "keystore-slow")
ADMIN_PASSWORD = "the password of an administrator, 0123456789"


@pytest.fixture(scope="module")
def host(state_path: Path) -> Iterator[ServedHost]:
    served = ServedHost(state_path)
    try:
        yield served.start()
    finally:
        served.stop()


@pytest.fixture(scope="module")
def keys(host: ServedHost) -> Keys:
    """Keys of every kind and all that is done with keys, through crashes of the keystore processes and a new root."""
    found = Keys(host)
    found.make()
    require_nowhere_else(found)
    with host.connections() as connections:
        for number, connection in enumerate(connections):
            found.use(connection)
            found.keep_secrets(connection, f"by-{number}")
    require_nowhere_else(found)
    for role in KEYSTORES:
        crash(found, role)
    host.rotate_root()
    found.renew("made AES-256")
    require_nowhere_else(found)
    again = KINDS[1]
    found.ask(again.name, "delete-material")
    token, wrapped = found.parameters(again)
    spoiled = {"import_token": token, "encrypted_material": b64(wrapped[:-8] + bytes(8))}
    refused = host.call("POST", f"/v1/keys/{found.ids[again.name]}:import-material", spoiled)
    assert refused.kind == "invalid-ciphertext"
    found.bring(again)
    with host.connections() as connections:
        for connection in connections:
            found.use(connection)
    return found


@pytest.fixture(scope="module")
def scan(keys: Keys) -> MemoryScan:
    """A search for all of the material."""
    return MemoryScan(keys.needles())


def require_nowhere_else(keys: Keys) -> None:
    """Look at once, too: what is left in memory that was given back is soon written over."""
    scan = MemoryScan(keys.needles())
    assert [one for pid in others(keys) for one in scan.process(pid)] == []


def others(keys: Keys) -> set[int]:
    """All processes of the daemon but the keystore processes."""
    return set(family(keys.host.pid)) - {pid for role in KEYSTORES for pid in keys.host.children(role)}


def crash(keys: Keys, role: str) -> None:
    """End a keystore process as a fault in its library would, by a signal that leaves a core where cores are left."""
    (before,) = keys.host.children(role)
    os.kill(before, signal.SIGABRT)

    def works_again() -> bool:
        if before in keys.host.children(role):
            return False
        calls = (
            ("made AES-256", "encrypt", {"plaintext": b64(TEXT)}),
            ("made RSA-2048", "sign", {"message": b64(TEXT), "algorithm": "RSASSA_PSS_SHA_256"}),
        )
        answers = [keys.host.call("POST", f"/v1/keys/{keys.ids[name]}:{verb}", body) for name, verb, body in calls]
        return all(answer.status == 200 for answer in answers)

    wait_for(f"{role} after its crash", works_again, 60)


def names(sightings: list[Sighting]) -> set[str]:
    return {sighting.needle for sighting in sightings}


def test_the_search_knows_every_key_that_is_stored(keys: Keys, scan: MemoryScan) -> None:
    looked_for = {needle.name for needle in keys.needles()}
    for kind in KINDS:
        if kind.name != "made Ed25519":
            assert any(name.startswith(f"{kind.name}, version 1") for name in looked_for), kind
    for more in ("made AES-256, version 2", "the service's key", "import key", "the CMK of the storage key"):
        assert any(name.startswith(more) for name in looked_for), more
    for number in (1, 2):
        assert f"the root KEK of generation {number} as it is" in looked_for
        assert f"the root's MAC key of generation {number} as it is" in looked_for
    assert len(looked_for) > 500


def test_no_other_process_holds_any(keys: Keys, scan: MemoryScan) -> None:
    found = others(keys)
    assert {keys.host.pid, *keys.host.children("worker"), *keys.host.children("rotator")} <= found
    assert len(keys.host.children("worker")) == 2
    before = scan.searched_bytes
    for pid in found:
        assert scan.process(pid) == []
    assert scan.searched_bytes - before > 20_000_000 * len(found)
    assert scan.unread == []


def test_software_keys_are_found_where_they_are_used(keys: Keys, scan: MemoryScan) -> None:
    """No module has SM algorithms, so the process itself holds those keys; its hardening hides them from no root."""
    found = {role: names(scan.process(pid)) for role in KEYSTORES for pid in keys.host.children(role)}
    for name in ("imported SM4", "made SM4"):
        assert f"{name}, version 1 as it is" in found["keystore"]
    for name in ("imported SM2", "made SM2"):
        assert f"{name}, version 1, big end first, from 0" in found["keystore"] | found["keystore-slow"]


def test_keys_of_the_module_are_found_there_alone_while_they_are_used(keys: Keys, scan: MemoryScan) -> None:
    """SoftHSM keeps its objects encrypted in memory, and opens them for each use: so they are met there in time."""
    (slow,) = keys.host.children("keystore-slow")
    done = threading.Event()
    with ThreadPoolExecutor(3) as callers:
        signing = [callers.submit(sign_until, keys, done) for _ in range(3)]
        try:
            found = wait_for("the RSA key", lambda: {one for one in names(scan.process(slow)) if " RSA-" in one}, 60)
            elsewhere = [one for pid in others(keys) for one in scan.process(pid)]
        finally:
            done.set()
    assert all(future.result() > 0 for future in signing)
    assert any(one.startswith("made RSA-2048, version 1's ") for one in found)
    assert elsewhere == []


def sign_until(keys: Keys, done: threading.Event) -> int:
    """Sign without a pause; how often."""
    with contextlib.closing(keys.host.connect()) as connection:
        for number in itertools.count():
            if done.is_set():
                return number
            keys.ask("made RSA-2048", "sign", connection, message=b64(TEXT), algorithm="RSASSA_PSS_SHA_256")
    raise AssertionError  # for the type: it counts for ever


def test_the_key_that_workers_do_hold_is_found_in_workers_alone(keys: Keys) -> None:
    """The control for all that is not found: 32 bytes in a worker do not escape the search, and do not spread."""
    scan = MemoryScan(keys.storage_key())
    for pid in keys.host.children("worker"):
        assert scan.process(pid)
    for pid in (keys.host.pid, *keys.host.children("rotator")):
        assert scan.process(pid) == []


def test_a_rotator_at_work_and_the_escrow_beside_it_hold_none(keys: Keys, scan: MemoryScan) -> None:
    """It is held where it changes the password at its target, of a secret under a key that was brought."""
    host, name = keys.host, "db/app"
    account = must(host, "GET", "/v1/caller-identity")["account"]
    with postgres() as server, CuttingProxy(server.port) as proxy:
        server.sql(
            f"CREATE ROLE rotator LOGIN SUPERUSER PASSWORD '{ADMIN_PASSWORD}'",
            "CREATE ROLE app LOGIN PASSWORD 'password of app'",
        )
        address = {"host": "127.0.0.1", "port": proxy.port, "tls": "off"}
        admin = {"admin_login": "rotator", "admin_password": ADMIN_PASSWORD}
        target = {"target": "main", "rotator": "postgresql", "address": address, "logins": {account: ["app"]}, **admin}
        must(host, "POST", "/v1/targets", target)
        key = {"key_id": keys.ids["imported AES-256"]}
        must(host, "POST", "/v1/secrets", {"name": name, "text": "password of app", **key})
        proxy.arm(Fault.PAUSE, matches=lambda text: text.startswith("ALTER ROLE"))
        must(host, "POST", secret_path(name, "rotate"), {"rotator": "postgresql", "target": "main", "logins": ["app"]})
        assert proxy.wait_for_strike(60), "no password is changed"
        (rotator,) = host.children("rotator")
        _, *attempts = family(rotator)
        # In one pass, with what must be there: an attempt is not held for long.
        password = Needle("the password", ADMIN_PASSWORD.encode())
        within = MemoryScan([*keys.needles(), password])
        found = {sighting.needle for pid in attempts for sighting in within.process(pid)}
        assert found == {password.name}, "or it does not look where the rotator works"
        escrow = host.state_dir / "escrow" / "candidates"
        assert escrow.stat().st_size > 0
        assert scan.files([escrow]) == []
        proxy.resume()
        keys.wait_until(secret_path(name), lambda told: told["rotation"].get("last_result") == "done")


def test_the_command_that_brings_a_key_holds_none(keys: Keys, scan: MemoryScan, tmp_path: Path) -> None:
    """It is looked at when all is done, and before it has heard so."""
    kind = KINDS[0]
    token, wrapped = keys.parameters(kind)
    (tmp_path / "token").write_bytes(base64.b64decode(token))
    (tmp_path / "wrapped").write_bytes(wrapped)
    with HeldBack(keys.host.socket, tmp_path / "relay.sock", b":import-material") as relay:
        command = [str(Path(sys.executable).with_name("secretsctl")), "key", "import", keys.ids[kind.name]]
        environment = {"PATH": os.environ["PATH"], "SECRETSD_SOCKET": str(relay.path)}
        with subprocess.Popen(
            [*command, "@wrapped", "--token", "@token"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
        ) as process:
            assert relay.answered.wait(60)
            assert MemoryScan([Needle("what it brings", wrapped[:64])]).process(process.pid)
            found = scan.process(process.pid)
            relay.go_on.set()
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    assert found == []


def test_no_file_holds_any(keys: Keys, scan: MemoryScan) -> None:
    """While the daemon works, after a crash of it, and after its orderly end; wrapped material is there, and seen."""
    host = keys.host
    (blob,) = [row.blob for row in host.wrapped_keys() if row.key_id == keys.ids["imported RSA-2048"]]
    wrapped = MemoryScan([Needle("a blob", blob)])
    for end in ("at work", "crashed", "stopped"):
        if end == "crashed":
            host.kill()
        elif end == "stopped":
            host.start().stop()
        files = host.files()
        places = {path.name for path in files}
        assert {
            "main.db",
            "audit.db",
            "token.object",
            "storage-key.sealed",
            "state.log",
            "key-uses",
            "candidates",
        } <= places
        assert names(wrapped.files(files)) == {"a blob"}
        assert (end, scan.files(files)) == (end, [])


PROGRAM = """
import sys
from cryptography.hazmat.primitives.serialization import load_der_private_key
secret, document = sys.stdin.buffer.read(32), sys.stdin.buffer.read(int(sys.argv[1]))
key = load_der_private_key(document, None)
number = key.private_numbers().d
mac, told = bytes(byte ^ 0x5c for byte in secret), secret.hex()
print("ready", flush=True)
sys.stdin.buffer.read()
"""


def test_the_search_finds_each_shape_in_a_process_that_holds_it() -> None:
    """The control: the same keys as libraries, Python and a text hold them, in a process of the test's own."""
    secret, key = os.urandom(32), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    needles = [*key_shapes.secret("secret", secret), *key_shapes.private_key("RSA", key)]
    document = customer.pkcs8(key)
    with subprocess.Popen(
        [sys.executable, "-I", "-c", PROGRAM, str(len(document))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(secret + document)
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        found = names(MemoryScan(needles).process(process.pid))
        process.stdin.close()
    assert {"secret as it is", "secret in hex", "secret, under HMAC's outer pad"} <= found
    for part, size in (("d", 256), ("p", 128), ("q", 128), ("dP", 128), ("dQ", 128), ("qInv", 128)):
        for at in range(0, size, key_shapes.SLICE):
            assert f"RSA's {part}, little end first, from {at}" in found
    assert "RSA's d, in Python's digits, from 0" in found
