"""Questions about policies from the command line: facts as they are sent, answers as they are shown."""

import pytest

STATEMENT = {
    "side": "identity",
    "source": "policy/readers",
    "number": 2,
    "sid": "Home",
    "holds": "unknown",
    "conditions": [
        {"operator": "IpAddress", "key": "secretsd:SourceIp", "values": ["10.0.0.0/8"], "holds": "unknown"},
    ],
}
EXPLAINED = {
    "decision": "depends",
    "reason": "not-allowed",
    "told": "it is allowed only under conditions",
    "principal": "secretsd:100000000001:user/ann",
    "action": "GetSecretValue",
    "resource": "secretsd:100000000001:secret/prod/db",
    "owner_shown": False,
    "unknown": ["secretsd:SourceIp"],
    "statements": [STATEMENT],
    "left_out": 3,
}
ASKED = ("policy", "explain", "user/ann", "GetSecretValue", "secret/prod/db")
BODY = {"principal": "user/ann", "action": "GetSecretValue", "resource": "secret/prod/db"}


def test_an_explanation_is_shown_with_its_statements(ctl, wire) -> None:
    wire.answer("ExplainDecision", EXPLAINED)
    done = ctl(*ASKED)
    assert done.code == 0, done.err
    lines = [" ".join(line.split()) for line in done.text.splitlines()]
    assert "why it is allowed only under conditions" in lines
    assert "unknown secretsd:SourceIp" in lines
    assert "owner not shown" in lines
    assert lines[-2] == ("unknown identity policy/readers 2 (Home) IpAddress secretsd:SourceIp 10.0.0.0/8: unknown")
    assert lines[-1] == "and 3 more"
    assert wire.body("ExplainDecision") == BODY
    assert ctl(*ASKED, "-o", "raw").text == "depends\n"


def test_facts_are_sent_by_their_full_keys(ctl, wire) -> None:
    wire.answer("ExplainDecision", EXPLAINED)
    facts = (
        "--fact",
        "SourceIp=10.0.0.1",
        "--fact",
        "TagKeys=a",
        "--fact",
        "secretsd:TagKeys=b=c",
        "--without",
        "UnixUid",
    )
    assert ctl(*ASKED, *facts).code == 0
    assert wire.body("ExplainDecision")["facts"] == {
        "secretsd:SourceIp": ["10.0.0.1"],
        "secretsd:TagKeys": ["a", "b=c"],
        "secretsd:UnixUid": [],
    }


@pytest.mark.parametrize(
    "facts", [("--fact", "SourceIp"), ("--fact", "=x"), ("--fact", "UnixUid=1", "--without", "UnixUid")]
)
def test_what_is_no_fact_is_not_sent(ctl, wire, facts) -> None:
    done = ctl(*ASKED, *facts)
    assert done.code == 1
    assert "cannot" in done.err
    assert wire.sent == []


def test_who_can_is_read_to_its_end(ctl, wire) -> None:
    ann = {"principal": "secretsd:100000000001:user/ann", "source": "policy/readers", "number": 1}
    app = {
        "principal": "200000000002", "source": "grant/ab", "number": 1, "account_decides": True,
        "unknown": ["secretsd:EncryptionContext/tenant"],
    }  # fmt: skip
    for page in (
        {"principals": [ann], "next_token": "dA=="},
        {"principals": [], "next_token": "dB=="},
        {"principals": [app]},
    ):
        wire.answer("WhoCan", page)
    done = ctl("policy", "who-can", "Decrypt", "alias/orders")
    rows = [" ".join(line.split()) for line in done.text.splitlines()]
    assert rows[1:] == [
        "secretsd:100000000001:user/ann policy/readers 1",
        "200000000002 grant/ab secretsd:EncryptionContext/tenant, his account allows it too",
    ]


DRAFT = {
    "principal": "secretsd:100000000001:user/shop",
    "events": 7,
    "complete": True,
    "until_ms": 0,
    "document": '{\n  "Version": "1"\n}',
    "generalised": ["secret/prod/*"],
    "left_out": ["Decrypt on some key"],
}


def test_a_draft_goes_to_standard_output_and_what_is_to_be_said_does_not(ctl, wire) -> None:
    wire.answer("DraftPolicyFromUse", DRAFT)
    done = ctl("policy", "from-use", "user/shop", "--days", "7", "--generalise", "5")
    assert done.text == '{\n  "Version": "1"\n}\n'
    assert "wider than what was used: secret/prod/*" in done.err
    assert "left out: Decrypt on some key" in done.err
    assert "fewer days" not in done.err
    (sent,) = wire.sent
    assert all(part in sent.target for part in ("principal=user%2Fshop", "days=7", "generalise=5"))


def test_a_draft_of_part_of_the_trail_says_so(ctl, wire) -> None:
    wire.answer("DraftPolicyFromUse", {**DRAFT, "complete": False, "document": None})
    done = ctl("policy", "from-use", "user/shop")
    assert done.text == ""
    assert "only events until 1970-01-01T00:00:00Z" in done.err
    assert "did nothing in that time" in done.err


def test_the_keys_of_conditions(ctl, wire) -> None:
    key = {"key": "secretsd:TagKeys", "type": "String", "meaning": "the names of the tags", "many": True}
    wire.answer("ListConditionKeys", {"keys": [key]})
    assert ctl("policy", "keys", "-o", "raw").text == "secretsd:TagKeys\n"
    assert ctl("policy", "keys").text.splitlines()[1].split() == [
        "secretsd:TagKeys",
        "String",
        "many",
        *["the", "names", "of", "the", "tags"],
    ]


def test_denied_is_denied(ctl, wire) -> None:
    wire.refuse("ExplainDecision", 403, "access-denied")
    assert ctl(*ASKED).code == 4
