"""Certificate authorities from the command line: certificates and lists from a file or standard input."""

import json

import pytest

AUTHORITY = {
    "certificate_authority": "mesh",
    "resource": "secretsd:system:certificate-authority/mesh",
    "account": "123456789012",
    "created_ms": 0,
    "certificates": [{"subject": "CN=root", "sha256": "ab", "expires_ms": 86_400_000}],
    "revocation_lists": [{"issuer": "CN=root", "revoked": 2, "this_update_ms": 0, "next_update_ms": 3_600_000}],
}


def test_an_authority_is_made_from_files(ctl, wire, tmp_path) -> None:
    (tmp_path / "ca.pem").write_text("certificates")
    wire.answer("CreateCertificateAuthority", AUTHORITY)
    options = ("--account", "123456789012", "--certificates", f"@{tmp_path}/ca.pem")
    done = ctl("certificate-authority", "create", "mesh", *options, "--crl", "-", stdin=b"lists")
    assert done.code == 0, done.err
    assert wire.body("CreateCertificateAuthority") == {
        "certificate_authority": "mesh", "account": "123456789012", "certificates": "certificates", "crl": "lists",
    }  # fmt: skip
    assert "CN=root" in done.text
    assert "1970-01-02T00:00:00Z" in done.text


def test_certificates_and_lists_are_set(ctl, wire) -> None:
    wire.answer("UpdateCertificateAuthority", AUTHORITY)
    wire.answer("UpdateCertificateRevocationList", AUTHORITY)
    assert ctl("certificate-authority", "update", "mesh", "--certificates", "-", stdin=b"new").code == 0
    assert wire.body("UpdateCertificateAuthority") == {"certificates": "new"}
    assert ctl("certificate-authority", "revoke", "mesh", "-", stdin=b"lists").code == 0
    assert wire.body("UpdateCertificateRevocationList") == {"crl": "lists"}
    assert ctl("certificate-authority", "revoke", "mesh", "--no-crl").code == 0
    assert wire.body("UpdateCertificateRevocationList") == {"crl": ""}


@pytest.mark.parametrize("arguments", [(), ("-", "--no-crl")])
def test_revoking_is_said_in_one_way(ctl, wire, arguments) -> None:
    done = ctl("certificate-authority", "revoke", "mesh", *arguments, stdin=b"lists")
    assert done.code == 1
    assert "either the lists or --no-crl" in done.err


def test_the_list_tells_what_ends_first(ctl, wire) -> None:
    wire.answer("ListCertificateAuthorities", {"certificate_authorities": [AUTHORITY]})
    assert ctl("certificate-authority", "list").text.splitlines()[1].split() == [
        "mesh", "123456789012", "1970-01-02T00:00:00Z", "1970-01-01T01:00:00Z",
    ]  # fmt: skip


def test_the_list_tells_that_there_are_no_lists(ctl, wire) -> None:
    without = {name: value for name, value in AUTHORITY.items() if name != "revocation_lists"}
    wire.answer("ListCertificateAuthorities", {"certificate_authorities": [without]})
    assert ctl("certificate-authority", "list").text.splitlines()[1].endswith("none")
    assert ctl("certificate-authority", "list", "-o", "raw").text == "mesh\n"


def test_describe_and_delete(ctl, wire) -> None:
    wire.answer("DescribeCertificateAuthority", AUTHORITY)
    assert json.loads(ctl("certificate-authority", "describe", "mesh", "-o", "json").text) == AUTHORITY
    wire.answer("DeleteCertificateAuthority", {"certificate_authority": "mesh"})
    assert ctl("certificate-authority", "delete", "mesh", "--yes").text == "certificate authority mesh: deleted\n"
