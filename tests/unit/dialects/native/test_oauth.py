"""OAuth 2.0's token endpoint, by the letter of RFC 6749: forms, both ways to show a client, errors, headers."""

import base64
import json
from urllib.parse import quote_plus, urlencode

import pytest

from secretsd.dialects.native import oauth
from secretsd.dialects.native.dialect import Incoming, NativeDialect, Reply
from secretsd.domain.credentials import KeyPair
from secretsd.domain.errors import ErrorKind, LimitExceeded, SecretsdError, Throttled
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller
from secretsd.operations.catalogue import catalogue
from secretsd.transport.framing import shown
from tests.unit.operations.conftest import House, house

__all__ = ["house"]
PATH = "/v1/access-tokens"
GRANT = "grant_type=client_credentials"


class Endpoint:
    """The token endpoint of a house, and an access key of `ann`."""

    def __init__(self, house: House, key: KeyPair) -> None:
        self.house, self.key = house, key
        self._dialect = NativeDialect(house.pipeline, catalogue(), {})

    async def post(
        self, body: str, authorization: str = "", query: str = "", kind: str = oauth.FORM, uid: int | None = None
    ) -> Reply:
        caller = Caller("tcp:192.0.2.1:7", uid)
        if authorization:
            caller = caller.showing(shown(authorization))
        return await self._dialect.answer(Incoming("POST", PATH, query, kind, body.encode(), caller))

    def basic(self, secret: str | None = None) -> str:
        """RFC 6749 2.3.1: id and secret are encoded as in a form before they become HTTP Basic."""
        told = self.key.secret.reveal().decode() if secret is None else secret
        pair = f"{quote_plus(self.key.id)}:{quote_plus(told)}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    def form(self, **fields: str) -> str:
        shown = {"client_id": self.key.id, "client_secret": self.key.secret.reveal().decode()}
        return urlencode({"grant_type": "client_credentials", **shown, **fields})


@pytest.fixture
async def endpoint(house: House) -> Endpoint:
    await house.call("CreateUser", user="ann")
    made = await house.call("CreateAccessKey", user="ann")
    return Endpoint(house, KeyPair(made.access_key, Plaintext(made.secret.reveal())))


def error(reply: Reply) -> tuple[int, str]:
    told = json.loads(reply.body)
    assert set(told) == {"error", "error_description"}
    # RFC 6749 5.2: the characters that a description may have.
    assert all(0x20 <= ord(one) <= 0x7E and one not in '"\\' for one in told["error_description"])
    assert reply.content_type == "application/json"
    return reply.status, told["error"]


async def test_the_client_in_the_header(endpoint: Endpoint) -> None:
    reply = await endpoint.post(GRANT, endpoint.basic())
    told = json.loads(reply.body)
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert reply.headers == {"Pragma": "no-cache"}
    assert set(told) == {"access_token", "token_type", "expires_in"}
    assert (told["token_type"], told["expires_in"]) == ("Bearer", 3600)
    token = Caller("tcp", token=Plaintext(told["access_token"].encode()))
    assert (await endpoint.house.call("GetCallerIdentity", token)).principal.endswith(":user/ann")


@pytest.mark.parametrize("kind", [oauth.FORM, f"{oauth.FORM}; charset=UTF-8", oauth.FORM.upper()])
async def test_the_client_in_the_form(endpoint: Endpoint, kind: str) -> None:
    assert (await endpoint.post(endpoint.form(expires_in="60"), kind=kind)).status == 200


async def test_the_form_wins_over_what_the_connection_proves(endpoint: Endpoint) -> None:
    """A client that shows its key is that key's user, also over the socket of root."""
    assert (await endpoint.post(endpoint.form(), uid=0)).status == 200
    assert error(await endpoint.post(endpoint.form(client_secret="x"), uid=0)) == (401, "invalid_client")
    assert error(await endpoint.post(GRANT, uid=0)) == (400, "unauthorized_client")


async def test_in_json_it_is_an_operation_like_others(endpoint: Endpoint) -> None:
    body = json.dumps({"grant_type": "client_credentials", "expires_in": 60})
    reply = await endpoint.post(body, endpoint.basic(), kind="application/json")
    assert (reply.status, json.loads(reply.body)["expires_in"]) == (200, 60)
    refused = await endpoint.post(body, endpoint.basic("x"), kind="application/json")
    assert (refused.status, refused.content_type) == (401, "application/problem+json")


async def test_what_is_empty_is_left_out_and_what_is_unknown_is_ignored(endpoint: Endpoint) -> None:
    """RFC 6749 3.2."""
    assert (await endpoint.post(f"{GRANT}&scope=&resource=x&expires_in=", endpoint.basic())).status == 200
    assert (await endpoint.post(f"{GRANT}&client_id={endpoint.key.id}", endpoint.basic())).status == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=refresh_token", "unsupported_grant_type"),
        (f"{GRANT}&{GRANT}", "invalid_request"),
        (f"{GRANT}&client_id=AKSDAAAAAAAAAAAAAAAA", "invalid_request"),
        (f"{GRANT}&client_secret=x", "invalid_request"),
        (f"{GRANT}&scope=read", "invalid_scope"),
        (f"{GRANT}&expires_in=0", "invalid_request"),
        (f"{GRANT}&expires_in=43201", "invalid_request"),
        (f"{GRANT}&expires_in=x", "invalid_request"),
        (f"{GRANT}&expires_in=1e3", "invalid_request"),
        (f"{GRANT}&" + "&".join(f"a{n}=1" for n in range(40)), "invalid_request"),
        ("grant_type", "invalid_request"),
        ("grant_type=%ff", "invalid_request"),
        ("grant_type=\u00fc", "invalid_request"),
        ('{"grant_type": "client_credentials"}', "invalid_request"),
    ],
)
async def test_bad_requests(endpoint: Endpoint, body: str, expected: str) -> None:
    reply = await endpoint.post(body, endpoint.basic())
    assert error(reply) == (400, expected)
    (event,) = await endpoint.house.events(reply.request_id)
    assert event["outcome"] == "invalid-request"


async def test_a_bad_request_of_nobody_is_told_that_he_is_nobody(endpoint: Endpoint) -> None:
    assert error(await endpoint.post("grant_type=password")) == (401, "invalid_client")


async def test_parameters_do_not_belong_into_the_url(endpoint: Endpoint) -> None:
    assert error(await endpoint.post(GRANT, endpoint.basic(), query="expires_in=60")) == (400, "invalid_request")


async def test_two_ways_to_show_a_client_are_one_too_many(endpoint: Endpoint) -> None:
    """RFC 6749 2.3, whether or not they agree."""
    assert error(await endpoint.post(endpoint.form(), endpoint.basic())) == (400, "invalid_request")
    token = json.loads((await endpoint.post(GRANT, endpoint.basic())).body)["access_token"]
    assert error(await endpoint.post(endpoint.form(), f"Bearer {token}")) == (400, "invalid_request")


async def test_a_token_gets_no_token(endpoint: Endpoint) -> None:
    token = json.loads((await endpoint.post(GRANT, endpoint.basic())).body)["access_token"]
    assert error(await endpoint.post(GRANT, f"Bearer {token}")) == (400, "unauthorized_client")


@pytest.mark.parametrize("how", ["secret", "id", "inactive", "no colon", "no base64", "nothing"])
async def test_clients_that_are_none_look_alike(endpoint: Endpoint, how: str) -> None:
    authorization = {
        "secret": endpoint.basic("x"),
        "id": "Basic " + base64.b64encode(b"AKSDAAAAAAAAAAAAAAAA:x").decode(),
        "inactive": endpoint.basic(),
        "no colon": "Basic " + base64.b64encode(b"x").decode(),
        "no base64": "Basic *",
        "nothing": "",
    }[how]
    if how == "inactive":
        await endpoint.house.call("UpdateAccessKey", user="ann", access_key=endpoint.key.id, active=False)
    reply = await endpoint.post(GRANT, authorization)
    assert error(reply) == (401, "invalid_client")
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="secretsd", charset="UTF-8"'
    assert json.loads(reply.body)["error_description"] == "cannot tell who is calling: no valid proof of identity"


def test_every_kind_of_error_has_a_word_and_a_status() -> None:
    kinds = {one.kind: one for one in SecretsdError.__subclasses__() if one.__module__ == SecretsdError.__module__}
    assert set(kinds) == set(ErrorKind)
    statuses = set()
    for kind in kinds.values():
        status, body, headers = oauth.problem(kind())
        statuses.add(status)
        assert json.loads(body)["error"] in {
            "invalid_request", "invalid_client", "unauthorized_client", "temporarily_unavailable", "server_error",
        }  # fmt: skip
        assert headers["Pragma"] == "no-cache"
        assert ("Retry-After" in headers) == (status in (429, 503))
    assert statuses == {400, 401, 429, 500, 503}
    assert oauth.problem(Throttled(retry_after_seconds=7))[2]["Retry-After"] == "7"
    assert oauth.problem(LimitExceeded('a "\u2026" b'))[1].endswith(b'"a  b"}')


async def test_nothing_that_was_sent_comes_back(endpoint: Endpoint) -> None:
    for body in (endpoint.form(client_secret="Zq7Xe"), f"{GRANT}&scope=Zq7Xe", "grant_type=Zq7Xe", "Zq7Xe"):
        reply = await endpoint.post(body)
        assert b"Zq7Xe" not in reply.body
        assert "Zq7Xe" not in repr(await endpoint.house.events(reply.request_id, "system"))
