"""Rotation, re-encryption and import of keys: what each command asks for, and what it asks a person before."""

import base64
import time

import pytest

ID = "06afa89c-73fe-4090-9ac6-5977fa1a90e1"
STATUS = {"key": ID, "enabled": True, "current_version": 2, "oldest_version": 1, "next_rotation_ms": 86400000}
JOB = {
    "key": ID,
    "state": "running",
    "current_version": 2,
    "started_ms": 0,
    "per_second": 100,
    "total": 5,
    "done": 1,
    "waiting": 0,
    "failed": 0,
    "left": {"secret-version": 4},
}
TOLD = {
    "id": ID,
    "wrapping_algorithm": "RSAES_OAEP_SHA_1",
    "wrapping_key_spec": "RSA_3072",
    "public_key": "AAEC",
    "import_token": "BAUG",
    "expires_ms": 86400000,
}
DAY_MS = 24 * 3600 * 1000


def test_a_key_is_rotated_now_or_by_the_clock(ctl, wire) -> None:
    for operation in ("RotateKeyOnDemand", "EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus"):
        wire.answer(operation, STATUS)
    assert ctl("key", "rotate", "alias/x", "-o", "raw").text == "2\n"
    assert wire.sent[-1].target == "/v1/keys/alias/x:rotate"
    assert ctl("key", "rotation", "enable", ID, "-o", "raw").text == "1970-01-02T00:00:00Z\n"
    assert wire.sent[-1].body == b""
    assert ctl("key", "rotation", "enable", ID, "--every", "90d").code == 0
    assert wire.body("EnableKeyRotation") == {"rotation_period_seconds": 90 * 24 * 3600}
    assert ctl("key", "rotation", "disable", ID, "-o", "raw").text == "disabled\n"
    assert ctl("key", "rotation", "status", ID).text.splitlines()[-1].split() == [
        "next_rotation",
        "1970-01-02T00:00:00Z",
    ]


def test_the_history_of_a_key(ctl, wire) -> None:
    wire.answer(
        "ListKeyRotations", {"rotations": [{"version": 3, "rotated_ms": 0, "state": "live"}], "next_token": "n"}
    )
    wire.answer("ListKeyRotations", {"rotations": [{"version": 2, "rotated_ms": 0, "state": "destroyed"}]})
    assert [row.split()[0] for row in ctl("key", "rotation", "history", ID).text.splitlines()] == ["version", "3", "2"]


def test_re_encrypt_begins_and_leaves_it_to_itself(ctl, wire) -> None:
    wire.answer("ReEncryptSecrets", JOB)
    done = ctl("key", "re-encrypt", ID, "--per-second", "7")
    assert done.code == 0
    assert "left             secret-version=4" in done.text
    assert wire.body("ReEncryptSecrets") == {"per_second": 7}


@pytest.mark.parametrize(("end", "code"), [("done", 0), ("incomplete", 1), ("cancelled", 1)])
def test_re_encrypt_waits_for_the_end_and_its_code_says_which(ctl, wire, monkeypatch, end: str, code: int) -> None:
    monkeypatch.setattr("secretsd.cli.ctl.key_rotation.LOOK_EVERY_SECONDS", 0)
    wire.answer("ReEncryptSecrets", JOB)
    wire.answer("DescribeReEncryption", JOB)
    wire.answer("DescribeReEncryption", {**JOB, "state": end})
    done = ctl("key", "re-encrypt", "alias/x", "--wait", "1h", "-o", "raw")
    assert (done.code, done.text) == (code, f"{end}\n")
    assert [one.operation for one in wire.sent] == ["ReEncryptSecrets", "DescribeReEncryption", "DescribeReEncryption"]


def test_re_encrypt_that_has_not_ended_in_time_is_no_success(ctl, wire) -> None:
    wire.answer("ReEncryptSecrets", JOB)
    assert ctl("key", "re-encrypt", ID, "--wait", "0s", "-o", "raw").code == 1


def test_a_re_encryption_is_looked_at_and_stopped(ctl, wire) -> None:
    wire.answer("DescribeReEncryption", JOB)
    wire.answer("CancelReEncryption", {**JOB, "state": "cancelled"})
    assert ctl("key", "re-encryption", "status", ID, "-o", "raw").text == "running\n"
    assert ctl("key", "re-encryption", "cancel", ID, "-o", "raw").text == "cancelled\n"


def test_a_version_is_destroyed_only_by_somebody_who_was_asked(ctl, wire) -> None:
    wire.answer("DestroyKeyVersion", {"key": ID, "version": 1, "oldest_version": 2})
    refused = ctl("key", "destroy-version", ID, "1")
    assert refused.code == 1
    assert f"cannot destroy version 1 of key {ID} without a question" in refused.err
    assert not wire.sent
    assert ctl("key", "destroy-version", ID, "1", "--yes").code == 0
    assert wire.body("DestroyKeyVersion") == {"version": 1}
    ctl("key", "destroy-version", ID, "1", "--yes", "--confirm-unknown-ciphertexts")
    assert wire.body("DestroyKeyVersion") == {"version": 1, "confirm_unknown_ciphertexts": True}


def test_import_parameters_become_two_files(ctl, wire, tmp_path) -> None:
    wire.answer("GetParametersForImport", TOLD)
    asked = ("key", "import-parameters", ID, "--algorithm", "RSAES_OAEP_SHA_1", "--wrapping-key", "RSA_3072")
    files = ("--public-key", f"{tmp_path}/der", "--token", f"{tmp_path}/token")
    done = ctl(*asked, *files)
    assert (done.code, "both are good until 1970-01-02T00:00:00Z" in done.text) == (0, True)
    assert ((tmp_path / "der").read_bytes(), (tmp_path / "token").read_bytes()) == (b"\x00\x01\x02", b"\x04\x05\x06")
    assert wire.body("GetParametersForImport") == {
        "wrapping_algorithm": "RSAES_OAEP_SHA_1",
        "wrapping_key_spec": "RSA_3072",
    }
    again = ctl(*asked, *files)
    assert "it exists already" in again.err
    assert len(wire.sent) == 1
    assert "cannot write both to standard output" in ctl(*asked, "--public-key", "-", "--token", "-").err


def test_import_takes_material_and_token_byte_for_byte_and_a_day_on_which_it_goes(ctl, wire, tmp_path) -> None:
    wire.answer("ImportKeyMaterial", {"id": ID, "state": "enabled"})
    (tmp_path / "token").write_bytes(b"\xfftoken\n")
    word = ("--token", f"@{tmp_path}/token")
    assert ctl("key", "import", ID, "-", *word, "-o", "raw", stdin=b"\x00wrapped\n").text == "enabled\n"
    sent = {"import_token": b"\xfftoken\n", "encrypted_material": b"\x00wrapped\n"}
    wanted = {name: base64.b64encode(data).decode() for name, data in sent.items()}
    assert wire.body("ImportKeyMaterial") == wanted
    ctl("key", "import", ID, "-", *word, "--expires", "2027-01-31T12:00", stdin=b"\x00wrapped\n")
    assert wire.body("ImportKeyMaterial") == {**wanted, "expires_ms": 1801396800000}
    before = time.time() * 1000
    ctl("key", "import", ID, "-", *word, "--expires", "30d", stdin=b"x")
    expires = wire.body("ImportKeyMaterial")["expires_ms"]
    assert before + 30 * DAY_MS - 1 <= expires <= time.time() * 1000 + 30 * DAY_MS
    assert "cannot read both from standard input" in ctl("key", "import", ID, "-", "--token", "-").err
    assert "every user of this host" in ctl("key", "import", ID, "canary", *word).err
    assert ctl("key", "import", ID, "-", *word, "--expires", "soon").code == 1


def test_material_is_taken_away_only_by_somebody_who_was_asked(ctl, wire) -> None:
    wire.answer("DeleteImportedKeyMaterial", {"id": ID, "state": "pending-import"})
    assert "there is nobody to ask" in ctl("key", "delete-material", ID).err
    assert not wire.sent
    assert ctl("key", "delete-material", ID, "--yes", "-o", "raw").text == "pending-import\n"
