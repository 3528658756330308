"""Bytes in and out of keys: exactly as they are, to files of our own, and what is secret never where it shows."""

import base64
import json
import stat

import pytest

ID = "06afa89c-73fe-4090-9ac6-5977fa1a90e1"
MADE = {"key_id": ID, "key_version": 3}
DATA = bytes(range(256))
CANARY = b"canary-plaintext"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_encrypt_sends_every_byte_and_shows_base64_or_the_bytes(ctl, wire, tmp_path) -> None:
    wire.answer("Encrypt", {**MADE, "algorithm": "SYMMETRIC_DEFAULT", "ciphertext": b64(DATA)})
    done = ctl("key", "encrypt", "alias/x", "-", "--context", "app=a=b", stdin=CANARY + b"\n")
    assert f"ciphertext   {b64(DATA)}\n" in done.text
    assert wire.sent[-1].target == "/v1/keys/alias/x:encrypt"
    assert wire.body("Encrypt") == {"plaintext": b64(CANARY + b"\n"), "context": {"app": "a=b"}}
    (tmp_path / "text").write_bytes(CANARY)
    assert ctl("key", "encrypt", ID, f"@{tmp_path}/text", "-o", "raw").out == DATA
    assert wire.body("Encrypt") == {"plaintext": b64(CANARY)}
    assert json.loads(ctl("key", "encrypt", ID, "-", "-o", "json").out)["ciphertext"] == b64(DATA)


@pytest.mark.parametrize("words", [("encrypt", ID), ("sign", ID), ("mac", ID), ("decrypt",)])
def test_what_is_encrypted_or_signed_is_not_taken_from_the_command_line(ctl, wire, words) -> None:
    done = ctl("key", *words, CANARY.decode())
    assert done.code == 1
    assert "every user of this host can read it there" in done.err
    assert "canary" not in done.err + done.text
    assert not wire.sent


def test_decrypt_prints_the_plaintext_alone_and_a_table_does_not_show_it(ctl, wire, tmp_path) -> None:
    wire.answer("Decrypt", {**MADE, "algorithm": "SYMMETRIC_DEFAULT", "plaintext": b64(CANARY + DATA)})
    (tmp_path / "sealed").write_bytes(DATA)
    assert ctl("key", "decrypt", f"@{tmp_path}/sealed", "--context", "a=b").out == CANARY + DATA
    assert wire.body("Decrypt") == {"ciphertext": b64(DATA), "context": {"a": "b"}}
    words = ("--key", "alias/rsa", "--algorithm", "RSAES_OAEP_SHA_1")
    shown = ctl("key", "decrypt", "-", *words, "-o", "table", stdin=DATA).text
    assert wire.body("Decrypt") == {"ciphertext": b64(DATA), "key": "alias/rsa", "algorithm": "RSAES_OAEP_SHA_1"}
    assert "272 bytes, not shown here" in shown
    assert "canary" not in shown
    file = tmp_path / "opened"
    assert ctl("key", "decrypt", "-", "--to", str(file), stdin=DATA).text == f"{file}: 272 bytes\n"
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (CANARY + DATA, 0o600)


def test_a_file_that_is_there_is_kept_and_nothing_is_asked(ctl, wire, tmp_path) -> None:
    (tmp_path / "there").write_bytes(b"mine")
    for words in (("decrypt", "-"), ("mac", ID, "-"), ("data-key", ID)):
        done = ctl("key", *words, "--to", f"{tmp_path}/there", stdin=DATA)
        assert done.code == 1
        assert f"cannot write {tmp_path}/there: it exists already" in done.err
    assert not wire.sent
    assert (tmp_path / "there").read_bytes() == b"mine"


def test_a_refusal_leaves_no_file(ctl, wire, tmp_path) -> None:
    wire.refuse("Decrypt", 400, "invalid-ciphertext")
    wire.refuse("GenerateDataKey", 409, "key-disabled")
    assert ctl("key", "decrypt", "-", "--to", f"{tmp_path}/a", stdin=DATA).code == 1
    assert ctl("key", "data-key", ID, "--to", f"{tmp_path}/a", "--plaintext-to", f"{tmp_path}/b").code == 1
    assert list(tmp_path.iterdir()) == []


def test_a_data_key_is_made_in_clear_only_where_that_is_asked_for(ctl, wire, tmp_path) -> None:
    wire.answer("GenerateDataKeyWithoutPlaintext", {**MADE, "ciphertext": b64(DATA)})
    done = ctl("key", "data-key", ID, "--to", f"{tmp_path}/sealed", "--spec", "AES_128", "--context", "a=b")
    assert (done.code, done.text) == (0, "")
    assert (tmp_path / "sealed").read_bytes() == DATA
    assert wire.body("GenerateDataKeyWithoutPlaintext") == {"spec": "AES_128", "context": {"a": "b"}}
    assert ctl("key", "data-key", ID, "--to", "-").out == DATA
    assert {one.operation for one in wire.sent} == {"GenerateDataKeyWithoutPlaintext"}


def test_a_data_key_in_clear_goes_where_it_was_sent_and_beside_its_ciphertext(ctl, wire, tmp_path) -> None:
    wire.answer("GenerateDataKey", {**MADE, "ciphertext": b64(DATA), "plaintext": b64(CANARY)})
    sealed, clear = tmp_path / "sealed", tmp_path / "clear"
    done = ctl("key", "data-key", ID, "--to", str(sealed), "--plaintext-to", str(clear), "--bytes", "16")
    assert (done.code, done.text) == (0, "")
    assert wire.body("GenerateDataKey") == {"number_of_bytes": 16}
    assert (sealed.read_bytes(), clear.read_bytes(), stat.S_IMODE(clear.stat().st_mode)) == (DATA, CANARY, 0o600)
    assert ctl("key", "data-key", ID, "--to", f"{tmp_path}/other", "--plaintext-to", "-").out == CANARY
    # Where the encrypted one has no place, neither may the other.
    clear.unlink()
    assert ctl("key", "data-key", ID, "--to", str(sealed), "--plaintext-to", str(clear)).code == 1
    assert not clear.exists()


def test_both_halves_of_a_data_key_never_go_to_one_place(ctl, wire) -> None:
    assert "cannot write both to one place" in ctl("key", "data-key", ID, "--to", "-", "--plaintext-to", "-").err
    assert not wire.sent


def test_sign_takes_a_message_or_a_digest(ctl, wire, tmp_path) -> None:
    wire.answer("Sign", {**MADE, "algorithm": "ECDSA_SHA_256", "signature": b64(DATA)})
    assert ctl("key", "sign", ID, "-", "--to", f"{tmp_path}/sig", stdin=DATA).code == 0
    assert (tmp_path / "sig").read_bytes() == DATA
    assert wire.body("Sign") == {"message": b64(DATA)}
    assert ctl("key", "sign", ID, "-", "--digest", "--algorithm", "SM2DSA", "-o", "raw", stdin=b"d" * 32).out == DATA
    assert wire.body("Sign") == {"message": b64(b"d" * 32), "message_type": "DIGEST", "algorithm": "SM2DSA"}


@pytest.mark.parametrize(("valid", "code", "word"), [(True, 0, "valid\n"), (False, 1, "not valid\n")])
def test_whether_a_signature_or_mac_is_good_is_the_exit_code(ctl, wire, tmp_path, valid: bool, code: int, word) -> None:
    (tmp_path / "proof").write_bytes(DATA)
    proof = f"@{tmp_path}/proof"
    wire.answer("Verify", {**MADE, "algorithm": "ECDSA_SHA_256", "valid": valid})
    wire.answer("VerifyMac", {**MADE, "algorithm": "HMAC_SHA_256", "valid": valid})
    done = ctl("key", "verify", ID, "-", "--signature", proof, "-o", "raw", stdin=b"text")
    assert (done.code, done.text) == (code, word)
    assert wire.body("Verify") == {"message": b64(b"text"), "signature": b64(DATA)}
    done = ctl("key", "verify-mac", ID, "-", "--mac", proof, stdin=b"text")
    assert (done.code, done.text.splitlines()[-1].split()) == (code, ["valid", "yes" if valid else "no"])
    assert wire.body("VerifyMac") == {"message": b64(b"text"), "mac": b64(DATA)}


def test_message_and_proof_do_not_share_standard_input(ctl, wire) -> None:
    for words in (("verify", "--signature"), ("verify-mac", "--mac")):
        assert "cannot read both from standard input" in ctl("key", words[0], ID, "-", words[1], "-").err
    assert not wire.sent


def test_mac_prints_its_bytes(ctl, wire) -> None:
    wire.answer("GenerateMac", {**MADE, "algorithm": "HMAC_SHA_256", "mac": b64(DATA)})
    assert ctl("key", "mac", ID, "-", "-o", "raw", stdin=b"text").out == DATA
    assert wire.body("GenerateMac") == {"message": b64(b"text")}
