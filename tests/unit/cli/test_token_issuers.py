"""Token issuers from the command line: keys from a file or standard input, claims in the order that they were given."""

import json

import pytest

ISSUER = {
    "token_issuer": "cluster",
    "resource": "secretsd:system:token-issuer/cluster",
    "account": "123456789012",
    "issuer": "https://kubernetes.default.svc.cluster.local",
    "audience": "secretsd",
    "claims": ["/kubernetes.io/namespace", "sub"],
    "created_ms": 0,
    "required": {"a": "b"},
    "keys": '{"keys": []}',
}
MADE = {name: ISSUER[name] for name in ("token_issuer", "account", "issuer", "audience")}
OWN = ("--account", ISSUER["account"], "--issuer", ISSUER["issuer"])


def test_an_issuer_is_made_from_a_file(ctl, wire, tmp_path) -> None:
    (tmp_path / "jwks.json").write_text('{"keys": []}')
    wire.answer("CreateTokenIssuer", ISSUER)
    claims = ("--claim", "/kubernetes.io/namespace", "--claim", "sub", "--require", "a=b", "--require", "c=d=e")
    done = ctl("token-issuer", "create", "cluster", *OWN, "--keys", f"@{tmp_path}/jwks.json", *claims)
    assert done.code == 0, done.err
    assert wire.body("CreateTokenIssuer") == {
        **MADE,
        "keys": '{"keys": []}',
        "claims": ["/kubernetes.io/namespace", "sub"],
        "required": {"a": "b", "c": "d=e"},
    }
    assert done.text.splitlines()[-1] == '{"keys": []}'


def test_what_is_not_said_is_left_to_the_daemon(ctl, wire) -> None:
    wire.answer("CreateTokenIssuer", ISSUER)
    url = ("--keys-url", "https://issuer.example/jwks")
    assert ctl("token-issuer", "create", "cluster", *OWN, *url, "-o", "raw").text == "cluster\n"
    assert wire.body("CreateTokenIssuer") == {**MADE, "keys_url": url[1]}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (("--keys", "-"), {"keys": '{"keys": []}'}),
        (("--require", "a=b"), {"required": {"a": "b"}}),
        (("--require-nothing",), {"required": {}}),
        (("--claim", "sub", "--claim", "aud"), {"claims": ["sub", "aud"]}),
        (
            ("--audience", "other", "--keys-url", "https://a.example"),
            {"audience": "other", "keys_url": "https://a.example"},
        ),
    ],
)
def test_an_update_sends_what_was_said(ctl, wire, options, sent) -> None:
    wire.answer("UpdateTokenIssuer", ISSUER)
    assert ctl("token-issuer", "update", "cluster", *options, stdin=b'{"keys": []}').code == 0
    assert wire.body("UpdateTokenIssuer") == sent


@pytest.mark.parametrize(
    "options", [("--require", "a"), ("--require", "=b"), ("--require", "a="), ("--keys", '{"keys": []}')]
)
def test_what_cannot_be_meant_is_refused(ctl, wire, options) -> None:
    done = ctl("token-issuer", "update", "cluster", *options)
    assert done.code == 1
    assert wire.sent == []


def test_issuers_are_listed_described_and_deleted(ctl, wire) -> None:
    wire.answer(
        "ListTokenIssuers", {"token_issuers": [ISSUER, {**ISSUER, "token_issuer": "hub", "keys_url": "https://a"}]}
    )
    assert ctl("token-issuer", "list", "-o", "raw").text == "cluster\nhub\n"
    assert [line.split()[-1] for line in ctl("token-issuer", "list").text.splitlines()] == [
        "keys",
        "given",
        "https://a",
    ]
    assert [one["token_issuer"] for one in json.loads(ctl("token-issuer", "list", "-o", "json").text)] == [
        "cluster",
        "hub",
    ]
    wire.answer("DescribeTokenIssuer", ISSUER)
    assert json.loads(ctl("token-issuer", "describe", "cluster", "-o", "json").text) == ISSUER
    wire.answer("DeleteTokenIssuer", {"token_issuer": "cluster"})
    assert ctl("token-issuer", "delete", "cluster", "--yes").text == "token issuer cluster: deleted\n"
