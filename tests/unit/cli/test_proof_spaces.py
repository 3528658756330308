"""Bindings, proof spaces and enrolment from the command line."""

import json
import stat

import pytest

ACCOUNT = "123456789012"
SPACE = "systemd:unit/acme-*.service"
MADE = {"space": SPACE, "resource": f"secretsd:system:proof-space/{SPACE}", "account": ACCOUNT, "created_ms": 0}
ENROLLED = {
    "account": ACCOUNT,
    "user": "shop",
    "id": "t",
    "token": "secretsd_canary-of-a-host",
    "expires_ms": 3_600_000,
}


def test_a_space_is_left_to_an_account(ctl, wire) -> None:
    wire.answer("CreateProofSpace", MADE)
    done = ctl("proof-space", "create", SPACE, "--account", ACCOUNT)
    assert (done.code, ACCOUNT in done.text) == (0, True), done.err
    assert wire.body("CreateProofSpace") == {"space": SPACE, "account": ACCOUNT}
    assert ctl("proof-space", "create", SPACE, "--account", ACCOUNT, "-o", "raw").text == f"{SPACE}\n"
    assert ctl("proof-space", "create", SPACE).code != 0
    assert ctl("proof-space", "create", "unix:uid/*", "--account", ACCOUNT).code != 0


def test_spaces_are_listed(ctl, wire) -> None:
    wire.answer("ListProofSpaces", {"proof_spaces": [MADE]})
    assert ctl("proof-space", "list", "-o", "raw").text == f"{SPACE}\n"
    assert "every_account" not in wire.sent[-1].target
    ctl("proof-space", "list", "--every-account")
    assert "every_account=true" in wire.sent[-1].target
    assert json.loads(ctl("proof-space", "list", "-o", "json").text)[0]["account"] == ACCOUNT


def test_a_space_goes_with_all_that_is_bound_in_it_however_much_that_is(ctl, wire) -> None:
    wire.answer("DeleteProofSpace", {"space": SPACE, "bindings": 0, "deleted": True})
    assert ctl("proof-space", "delete", SPACE).code != 0  # nobody said yes
    assert ctl("proof-space", "delete", SPACE, "--yes").text == f"proof space {SPACE}: deleted\n"
    assert wire.body("DeleteProofSpace") == {"space": SPACE}
    wire.answers.clear()
    told = [{"bindings": 1000, "deleted": False}, {"bindings": 7, "deleted": True}]
    for one in told:
        wire.answer("DeleteProofSpace", {"space": SPACE, **one})
    done = ctl("proof-space", "delete", SPACE, "--force", "--yes")
    assert done.text == f"proof space {SPACE}: deleted, and 1007 bindings\n"
    assert wire.body("DeleteProofSpace") == {"space": SPACE, "force": True}


def test_a_proof_leads_to_a_user_or_to_a_role(ctl, wire) -> None:
    wire.answer("CreateBinding", {"proof": "systemd:unit/shop.service", "role": "deployer", "created_ms": 0})
    done = ctl("binding", "create", "systemd:unit/shop.service", "--role", "deployer")
    assert done.text == "systemd:unit/shop.service: acts as role deployer\n"
    assert wire.body("CreateBinding") == {"proof": "systemd:unit/shop.service", "role": "deployer"}
    for whom in ((), ("ann", "--role", "deployer")):
        assert ctl("binding", "create", "unix:uid/7", *whom).code != 0
    listed = [{"proof": "unix:uid/7", "user": "ann", "created_ms": 0}, {"proof": "x", "role": "r", "created_ms": 0}]
    wire.answer("ListBindings", {"bindings": listed})
    lines = ctl("binding", "list").text.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["ann", "role"]


def test_who_one_is(ctl, wire) -> None:
    who = {"account": ACCOUNT, "principal": f"secretsd:{ACCOUNT}:user/shop", "proof": "unix:uid/7"}
    wire.answer("GetCallerIdentity", {**who, "uid": 0, "unit": "shop.service"})
    fields = dict(line.split(maxsplit=1) for line in ctl("whoami").text.splitlines())
    assert (fields["uid"], fields["unit"], "session" in fields) == ("0", "shop.service", False)


def test_an_enrolment_token_is_printed_alone(ctl, wire) -> None:
    wire.answer("CreateEnrolmentToken", {"id": "t", "token": "secretsd_for-one-use", "expires_ms": 600_000})
    bounds = ("--ttl", "5m", "--token-ttl", "30d", "--network", "192.0.2.0/24")
    assert ctl("user", "token", "enrolment", "shop", *bounds).out.strip() == b"secretsd_for-one-use"
    sent = {"ttl_seconds": 300, "token_seconds": 30 * 86_400, "network": "192.0.2.0/24"}
    assert wire.body("CreateEnrolmentToken") == sent
    ctl("user", "token", "enrolment", "shop")
    assert json.loads(wire.sent[-1].body or b"{}") == {}


def test_a_host_writes_its_token_to_a_file_of_its_own(ctl, wire, tmp_path) -> None:
    wire.answer("EnrolHost", ENROLLED)
    done = ctl("enrol", "--to", str(tmp_path / "token"))
    assert done.code == 0, done.err
    assert (tmp_path / "token").read_text() == "secretsd_canary-of-a-host\n"
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    assert "canary" not in done.text + done.err


@pytest.mark.parametrize("there", ["a file", "a link", "no directory"])
def test_it_is_not_asked_for_before_there_is_a_place_for_it(ctl, wire, tmp_path, there) -> None:
    wire.answer("EnrolHost", ENROLLED)
    place = tmp_path / "token"
    if there == "a file":
        place.write_text("before")
    elif there == "a link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place = tmp_path / "none" / "token"
    done = ctl("enrol", "--to", str(place))
    assert (done.code, "cannot write" in done.err, wire.sent) == (1, True, [])
    assert there != "a file" or place.read_text() == "before"
    assert not (tmp_path / "elsewhere").exists()


def test_what_was_refused_leaves_no_file(ctl, wire, tmp_path) -> None:
    wire.refuse("EnrolHost", 401, "unauthenticated")
    assert ctl("enrol", "--to", str(tmp_path / "token")).code == 4
    assert list(tmp_path.iterdir()) == []
