"""Keys by secretsctl against a real daemon, read as a manual; OpenSSL is the other side of what keys make."""

import hashlib
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

from secretsd.testing.daemon import Daemon, running
from tests.promises.test_docs import ROOT, blocks

pytestmark = pytest.mark.acceptance
PSS = ("--algorithm", "RSASSA_PSS_SHA_256")


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def line(self) -> str:
        """The only line; the command has succeeded."""
        assert self.code == 0, self.err
        (found,) = self.out.decode().splitlines()
        return found


Ctl = Callable[..., Outcome]


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    base = Path(tempfile.mkdtemp(prefix="secretsd-test-"))
    base.chmod(0o711)
    with running(base / "state") as found:
        yield found
    shutil.rmtree(base)


@pytest.fixture
def ctl(daemon: Daemon, tmp_path: Path) -> Ctl:
    """The installed command, run in a directory of the test's own as the administrator, or in another environment."""

    def run(*arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None) -> Outcome:
        command = [str(Path(sys.executable).with_name("secretsctl")), *arguments]
        known = {"PATH": os.environ["PATH"], **(daemon.environment if environment is None else environment)}
        done = subprocess.run(command, input=stdin, capture_output=True, env=known, cwd=tmp_path)
        return Outcome(done.returncode, done.stdout, done.stderr.decode())

    return run


def lines_of(page: str, wanted: Callable[[str], bool]) -> str:
    """Those shell blocks of a page that are wanted, as one script."""
    found = [block for block in blocks(ROOT / page, "sh") if wanted(block)]
    assert found
    return "\n".join(found)


@pytest.fixture
def script(daemon: Daemon, tmp_path: Path) -> Callable[[str], str]:
    """Runs lines as a reader does, with the installed commands, in a directory of the test's own; they all succeed."""

    def run(lines: str) -> str:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", lines],
            cwd=tmp_path,
            env={"PATH": path, **daemon.environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def openssl(place: Path, *arguments: str) -> int:
    return subprocess.run(["openssl", *arguments], cwd=place, capture_output=True).returncode


def test_the_keys_of_the_five_minute_tour(script: Callable[[str], str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "README.md", tmp_path)
    (tmp_path / ".state").mkdir()
    tour = lines_of("README.md", lambda block: "secretsctl key create" in block)
    keys = tour[tour.index("secretsctl key create") : tour.index("secretsctl audit lookup")]
    assert keys.count("\n") > 8
    assert "Verified OK" in script(keys)
    script("secretsctl key delete alias/prod-db && secretsctl alias delete prod-db && secretsctl alias delete release")


def test_the_guide_works_in_the_order_written(script: Callable[[str], str], tmp_path: Path) -> None:
    """All but the blocks about a destroyed key and about policies in files of the reader's own."""
    said = script(lines_of("docs/guides/keys.md", lambda block: "2f0d7c0e" not in block and ".json" not in block))
    assert "Verified OK" in said
    assert len((tmp_path / "key.clear").read_bytes()) == 32
    script("secretsctl alias delete prod-db && secretsctl alias delete release")


def test_a_key_is_found_by_its_alias_its_tags_and_its_spec(ctl: Ctl) -> None:
    made = ctl("key", "create", "--spec", "HMAC_384", "--alias", "webhooks", "--tag", "team=hooks", "-o", "raw").line
    assert ctl("key", "ls", "--spec", "HMAC_384", "-o", "raw").line == made
    assert ctl("key", "ls", "--tag", "team=hooks", "-o", "raw").line == made
    assert ctl("key", "tag", "alias/webhooks", "stage=prod").line == "alias/webhooks: team=hooks stage=prod"
    assert ctl("key", "untag", made, "team").line == f"{made}: stage=prod"
    assert ctl("key", "update", "alias/webhooks", "--description", "signs what we send", "-o", "raw").line == made
    found = json.loads(ctl("key", "describe", "alias/webhooks", "-o", "json").out)
    assert (found["id"], found["description"]) == (made, "signs what we send")
    refused = ctl("key", "create", "--spec", "AES_128", "--usage", "SIGN_VERIFY")
    assert (refused.code, "cannot make a key of spec AES_128 for SIGN_VERIFY" in refused.err) == (1, True)


def test_an_alias_moves_to_the_next_key_and_callers_follow(ctl: Ctl) -> None:
    first, second = [ctl("key", "create", "--spec", "HMAC_256", "-o", "raw").line for _ in range(2)]
    assert ctl("alias", "create", "moving/mac", first, "-o", "raw").line == "alias/moving/mac"
    before = ctl("key", "mac", "alias/moving/mac", "-", "-o", "raw", stdin=b"text").out
    assert ctl("alias", "move", "moving/mac", second, "-o", "raw").line == second
    assert ctl("key", "mac", "alias/moving/mac", "-", "-o", "raw", stdin=b"text").out != before
    assert ctl("key", "mac", first, "-", "-o", "raw", stdin=b"text").out == before
    assert ctl("alias", "ls", "--key", second, "-o", "raw").line == "alias/moving/mac"
    assert ctl("alias", "delete", "moving/mac").code == 0
    assert ctl("key", "describe", "alias/moving/mac").code == 3


def test_a_small_text_is_encrypted_by_the_daemon_in_its_context(ctl: Ctl, tmp_path: Path) -> None:
    ctl("key", "create", "--alias", "small")
    text = bytes(range(256)) * 24  # 6 KiB, the most that it takes
    assert ctl("key", "encrypt", "alias/small", "-", "--context", "a=b", "--to", "sealed", stdin=text).code == 0
    assert ctl("key", "decrypt", "@sealed", "--context", "a=b").out == text
    assert ctl("key", "decrypt", "@sealed", "--context", "a=c").code == 1
    changed = bytearray((tmp_path / "sealed").read_bytes())
    changed[-1] ^= 1
    assert ctl("key", "decrypt", "-", "--context", "a=b", stdin=bytes(changed)).code == 1
    assert "6144 bytes" in ctl("key", "encrypt", "alias/small", "-", stdin=text + b"x").err


def test_a_data_key_is_stored_encrypted_and_opened_later(ctl: Ctl, tmp_path: Path) -> None:
    ctl("key", "create", "--alias", "data")
    made = ctl("key", "data-key", "alias/data", "--to", "sealed", "--plaintext-to", "-", "--context", "file=1").out
    assert len(made) == 32
    assert ctl("key", "decrypt", "@sealed", "--context", "file=1").out == made
    assert ctl("key", "data-key", "alias/data", "--to", "later", "--bytes", "64").out == b""
    assert len(ctl("key", "decrypt", "@later").out) == 64
    assert made not in (tmp_path / "sealed").read_bytes()


def test_what_a_key_signs_openssl_verifies_and_the_daemon_too(ctl: Ctl, tmp_path: Path) -> None:
    ctl("key", "create", "--spec", "RSA_2048", "--usage", "SIGN_VERIFY", "--alias", "release")
    assert ctl("key", "public-key", "alias/release", "--to", "release.pem").code == 0
    (tmp_path / "notes").write_bytes(b"version 1\n")
    (tmp_path / "digest").write_bytes(hashlib.sha256(b"version 1\n").digest())
    assert ctl("key", "sign", "alias/release", "@notes", *PSS, "--to", "notes.sig").code == 0
    assert ctl("key", "sign", "alias/release", "@digest", "--digest", *PSS, "--to", "digest.sig").code == 0
    options = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
    for signature in ("notes.sig", "digest.sig"):
        assert openssl(
            tmp_path, "dgst", "-sha256", *options, "-verify", "release.pem", "-signature", signature, "notes"
        ) == 0  # fmt: skip
        verified = ctl("key", "verify", "alias/release", "@notes", "--signature", f"@{signature}", *PSS, "-o", "raw")
        assert verified.line == "valid"
    other = ctl("key", "verify", "alias/release", "-", "--signature", "@notes.sig", *PSS, "-o", "raw", stdin=b"other")
    assert (other.code, other.out) == (1, b"not valid\n")


def test_what_openssl_encrypts_under_an_rsa_key_the_daemon_opens(ctl: Ctl, tmp_path: Path) -> None:
    ctl("key", "create", "--spec", "RSA_2048", "--usage", "ENCRYPT_DECRYPT", "--alias", "inbox")
    assert ctl("key", "public-key", "alias/inbox", "--to", "inbox.pem").code == 0
    (tmp_path / "text").write_bytes(b"for the inbox")
    oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1")
    assert (
        openssl(tmp_path, "pkeyutl", "-encrypt", "-pubin", "-inkey", "inbox.pem", *oaep, "-in", "text", "-out", "c")
        == 0
    )
    opened = ctl("key", "decrypt", "@c", "--key", "alias/inbox", "--algorithm", "RSAES_OAEP_SHA_1")
    assert opened.out == b"for the inbox"


def test_a_mac_is_good_for_its_message_alone(ctl: Ctl) -> None:
    key = ctl("key", "create", "--spec", "HMAC_512", "-o", "raw").line
    assert ctl("key", "mac", key, "-", "--to", "body.mac", stdin=b"body").code == 0
    assert ctl("key", "verify-mac", key, "-", "--mac", "@body.mac", "-o", "raw", stdin=b"body").line == "valid"
    assert ctl("key", "verify-mac", key, "-", "--mac", "@body.mac", stdin=b"bode").code == 1


def test_a_key_is_rotated_its_secrets_are_moved_and_its_old_version_ends(ctl: Ctl) -> None:
    key = ctl("key", "create", "--alias", "rotated", "-o", "raw").line
    made = json.dumps({"name": "prod/rotated", "key_id": key, "text": "hunter2"}).encode()
    assert ctl("call", "CreateSecret", "--json", "-", stdin=made).code == 0
    ctl("key", "encrypt", "alias/rotated", "-", "--to", "old", stdin=b"ours")
    assert ctl("key", "rotate", "alias/rotated", "-o", "raw").line == "2"
    assert ctl("key", "decrypt", "@old").out == b"ours"
    held = ctl("key", "destroy-version", "alias/rotated", "1", "--yes", "--confirm-unknown-ciphertexts")
    assert held.code == 1
    assert "1 secret version(s) need it" in held.err
    done = json.loads(ctl("key", "re-encrypt", "alias/rotated", "--wait", "60s", "-o", "json").out)
    assert (done["state"], done["total"], done["done"]) == ("done", 1, 1)
    assert ctl("key", "destroy-version", "alias/rotated", "1", "--yes").code == 1
    gone = ctl("key", "destroy-version", "alias/rotated", "1", "--yes", "--confirm-unknown-ciphertexts", "-o", "raw")
    assert gone.line == "2"
    assert ctl("get", "prod/rotated").out == b"hunter2"
    assert ctl("key", "decrypt", "@old").code == 1
    assert [row.split()[:2] for row in ctl("key", "versions", key).out.decode().splitlines()[1:]] == [
        ["2", "live"],
        ["1", "destroyed"],
    ]


def test_the_clock_of_a_key_is_set_and_stopped(ctl: Ctl) -> None:
    key = ctl("key", "create", "-o", "raw").line
    status = json.loads(ctl("key", "rotation", "enable", key, "--every", "90d", "-o", "json").out)
    assert (status["enabled"], status["rotation_period_seconds"]) == (True, 90 * 24 * 3600)
    assert ctl("key", "rotation", "status", key, "-o", "raw").line == "enabled"
    assert ctl("key", "rotation", "disable", key, "-o", "raw").line == "disabled"
    ctl("key", "rotate", key)
    assert ctl("key", "rotation", "history", key, "-o", "raw").line == "2"


def test_a_deletion_tells_what_is_lost_can_be_taken_back_and_is_held_off_by_protection(ctl: Ctl) -> None:
    key = ctl("key", "create", "--protect", "-o", "raw").line
    made = json.dumps({"name": "prod/guarded", "key_id": key, "text": "x"}).encode()
    assert ctl("call", "CreateSecret", "--json", "-", stdin=made).code == 0
    refused = ctl("key", "delete", key)
    assert refused.code == 1
    assert "protected from deletion" in refused.err
    assert ctl("key", "unprotect", key, "-o", "raw").line == "unprotected"
    deleted = ctl("key", "delete", key, "--days", "7")
    assert deleted.out.decode().splitlines()[-1].split() == ["secret", "versions", "lost", "then", "1"]
    assert ctl("get", "prod/guarded").code == 1
    assert ctl("key", "cancel-deletion", key, "-o", "raw").line == "disabled"
    assert ctl("get", "prod/guarded").code == 1
    assert ctl("key", "enable", key, "-o", "raw").line == "enabled"
    assert ctl("get", "prod/guarded").out == b"x"


def test_a_key_of_ones_own_is_brought_and_taken_away_again(ctl: Ctl, tmp_path: Path) -> None:
    key = ctl("key", "create", "--external", "--alias", "ours", "-o", "raw").line
    asked = ctl(
        "key", "import-parameters", "alias/ours", "--algorithm", "RSAES_OAEP_SHA_1",
        "--public-key", "wrapping.der", "--token", "token",
    )  # fmt: skip
    assert asked.code == 0, asked.err
    (tmp_path / "material").write_bytes(os.urandom(32))
    oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha1")
    under = ("-pubin", "-keyform", "DER", "-inkey", "wrapping.der", *oaep)
    assert openssl(tmp_path, "pkeyutl", "-encrypt", "-in", "material", *under, "-out", "wrapped") == 0
    done = ctl("key", "import", "alias/ours", "@wrapped", "--token", "@token", "--expires", "365d", "-o", "json")
    assert json.loads(done.out)["state"] == "enabled"
    ctl("key", "encrypt", key, "-", "--to", "sealed", stdin=b"under ours")
    assert ctl("key", "delete-material", key, "--yes", "-o", "raw").line == "pending-import"
    assert ctl("key", "decrypt", "@sealed").code == 1
    assert ctl("key", "import", key, "@wrapped", "--token", "@token", "-o", "raw").line == "enabled"
    assert ctl("key", "decrypt", "@sealed").out == b"under ours"


def test_the_guides_policies_give_what_they_say_and_no_more(ctl: Ctl, daemon: Daemon, tmp_path: Path) -> None:
    mine, other = [ctl("key", "create", "-o", "raw").line for _ in range(2)]
    seal, keep = blocks(ROOT / "docs/guides/keys.md", "json")

    def user(name: str, policy: str) -> Ctl:
        assert ctl("policy", "create", name, "-", stdin=policy.encode()).code == 0
        assert ctl("user", "create", name).code == 0
        assert ctl("user", "attach", name, name).code == 0
        file = tmp_path / name
        file.touch(mode=0o600)
        file.write_bytes(ctl("user", "token", "create", name, "--ttl", "1h").out)
        reached = ("--addr", daemon.environment["SECRETSD_ADDR"], "--token-file", str(file))
        return lambda *words: ctl(*reached, *words, stdin=b"x", environment={})

    sealer = user("seal-orders", seal.replace("2f0d7c0e-7c58-4b7e-9f3e-4c6b5b7a9d10", mine))
    keeper = user("key-keepers", keep)
    assert sealer("key", "encrypt", mine, "-", "--to", "sealed").code == 0
    assert (
        sealer("key", "data-key", mine, "--to", "data.sealed").code == 4
    )  # that is another operation: in clear, or not
    assert len(sealer("key", "data-key", mine, "--to", "data.sealed", "--plaintext-to", "-").out) == 32
    for allowed in (("create",), ("ls",), ("describe", mine), ("rotate", mine), ("disable", mine), ("enable", mine)):
        assert keeper("key", *allowed).code == 0, allowed
    assert keeper("alias", "create", "kept", mine).code == 0
    for refused in (("decrypt", "@sealed"), ("delete", mine), ("encrypt", other, "-"), ("mac", other, "-")):
        for caller in (sealer, keeper):
            done = caller("key", *refused)
            assert (done.code, done.out) == (4, b""), refused
    for unknown in (("describe", mine), ("ls",), ("create",), ("rotate", mine)):
        assert sealer("key", *unknown).code == 4, unknown
    assert keeper("key", "encrypt", mine, "-").code == 4
