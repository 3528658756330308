"""Accounts are walls: whatever operation there is, it reaches into another account only where both sides allow it.

Made from the registry, so that no operation can be forgotten: one whose request nobody knows how to aim fails here.
"""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from secretsd.api.fields import Request, Response, Word, show_value
from secretsd.domain.across_accounts import ACROSS_ACCOUNTS
from secretsd.domain.proofs import Binding, CertificateAuthority, ProofSpace, TokenIssuer
from secretsd.operations.authenticator import Caller
from secretsd.operations.bootstrap import ensure_first_account
from secretsd.operations.catalogue import catalogue
from secretsd.operations.pipeline import Answer
from secretsd.operations.registry import Operation, Route
from secretsd.testing.client_certificates import Signer
from secretsd.testing.memory_keystore import MemoryKeyStore
from secretsd.testing.policies import document
from secretsd.testing.storage import temporary_storage
from tests.promises.walls import NoRecipe, requests
from tests.unit.operations.conftest import House
from tests.unit.operations.two_accounts import TEXT, Vendor

REACHABLE = {name: one for name, one in catalogue().items() if one.route is not None}
SECRET, NOTE = "the victim's value", "what only the victim knows"
PROOF = "unix:uid/64901"


class Walls:
    """Two accounts. `victim` is what is in the other one, by the kind of thing; `caller` knows all of its names."""

    def __init__(self, house: House, vendor: Vendor, directory: Path) -> None:
        self.house, self.vendor, self.directory = house, vendor, directory
        self.victim: dict[str, str] = {}
        self.caller = Caller("tcp")

    async def settle(self) -> "Walls":
        house, boss = self.house, self.vendor.boss
        key = await house.call("CreateKey", boss, alias="victims", description=NOTE)
        made = await house.call("Encrypt", boss, key=key.id, plaintext=TEXT)
        await house.call("CreateSecret", boss, name="victims/secret", text=SECRET, description=NOTE)
        nobody = document({"effect": "Deny", "action": ["GetSecretValue"], "resource": ["none"]})
        await house.call("CreatePolicy", boss, policy="victims-policy", document=nobody, description=NOTE)
        await house.call("CreateUser", boss, user="victims-user", description=NOTE)
        await house.call("CreateGroup", boss, group="victims-group", description=NOTE)
        trust = document({"effect": "Deny", "action": ["AssumeRole"], "principal": ["*"]})
        await house.call("CreateRole", boss, role="victims-role", trust=trust, description=NOTE)
        token = await house.call("CreateToken", boss, user="victims-user")
        access_key = await house.call("CreateAccessKey", boss, user="victims-user")
        grantee = f"secretsd:{self.vendor.account}:user/victims-user"
        grant = await house.call(
            "CreateGrant", boss, key=key.id, grantee=grantee, operations=("Decrypt",), retiring_principal=grantee
        )
        await house.add_record(Binding(PROOF, self.vendor.account, "victims-user", 1))
        await house.add_record(ProofSpace(PROOF, self.vendor.account, 1))
        issuer = ("https://issuer.of.the.victim", "victim", "", "https://issuer.of.the.victim/keys", ("sub",))
        await house.add_record(TokenIssuer("victims-issuer", self.vendor.account, *issuer))
        authority = Signer("the victim's").pem
        await house.add_record(CertificateAuthority("victims-authority", self.vendor.account, authority, "", 1))
        self.victim = {
            "account": self.vendor.account, "key": key.id, "alias": "victims", "secret": "victims/secret",
            "user": "victims-user", "group": "victims-group", "role": "victims-role", "policy": "victims-policy",
            "token": token.id, "grant": grant.id, "proof": PROOF, "ciphertext": _base64(made.ciphertext),
            "caller": f"secretsd:{house.account}:user/caller", "token_issuer": "victims-issuer",
            "certificate_authority": "victims-authority",
            "access_key": access_key.access_key,
        }  # fmt: skip
        return self

    async def let_in(self, *, caller: bool, owner: bool) -> None:
        """Let the sides that are said allow everything that a side can allow."""
        own: dict[str, Any] = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
        if caller:
            own["resource"].append(f"secretsd:{self.vendor.account}:*")
        self.caller = await self.house.user("caller", own)
        if owner:
            everything = document({"effect": "Allow", "action": ["*"], "principal": ["*", self.house.account]})
            for resource in ("secret/victims/secret", f"key/{self.victim['key']}"):
                await self.house.call("PutResourcePolicy", self.vendor.boss, resource=resource, document=everything)
            trust = document({"effect": "Allow", "action": ["AssumeRole"], "principal": ["*", self.house.account]})
            await self.house.call("UpdateAssumeRolePolicy", self.vendor.boss, role="victims-role", trust=trust)

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the other account, from the file itself."""
        found = {}
        with sqlite3.connect(self.directory / "main.db") as file:
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            for table in tables:
                columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
                if "account" in columns and "row_mac" in columns:
                    query = f"SELECT * FROM {table} WHERE account = ?"  # the schema's own names
                    found[table] = sorted(file.execute(query, (self.vendor.account,)), key=repr)
        return found

    async def run(self, operation: Operation, request: Request) -> Answer:
        return await self.house.pipeline.run(operation, lambda: request, self.caller)

    async def throw(self, operation: Operation, request: Request, text: str) -> bool:
        """Whether the request got through; whatever it got out, or changed, must be what a `True` is for."""
        before = self.state()
        answer = await self.run(operation, request)
        told = ""
        if answer.stream is not None:
            answer.stream.close()
        elif answer.response is not None:
            told = msgspec.json.encode(answer.response, enc_hook=show_value).decode()
        seen = await self.house.events(answer.request_id, self.vendor.account)
        # To hear of a thing's state or kind is to have got through as well.
        heard = answer.error is not None and answer.error.kind.value not in REFUSALS
        through = any(one["outcome"] == "ok" for one in seen) or (heard and bool(seen))
        if not through:
            assert self.state() == before, (operation.name, text)
            for secret in (SECRET, NOTE, *(self.victim[kind] for kind in ("key", "token", "grant", "access_key"))):
                assert secret not in told or secret in text, (operation.name, text, told)
        return through


REFUSALS = {"access-denied", "not-found", "invalid-request", "invalid-ciphertext"}


def _base64(data: bytes) -> str:
    return str(msgspec.to_builtins(data))


@pytest.fixture
async def walls(tmp_path: Path) -> AsyncIterator[Walls]:
    async with temporary_storage(tmp_path / "storage") as storage:
        house = House(storage, MemoryKeyStore())
        house.account = await ensure_first_account(house.parts, (), "test")
        yield await Walls(house, await Vendor(house).settle(), tmp_path / "storage").settle()


async def thrown(walls: Walls) -> set[str]:
    """The operations of which a request got through."""
    found = set()
    for operation in REACHABLE.values():
        for request, text in requests(operation, walls.victim):
            if await walls.throw(operation, request, text):
                found.add(operation.name)
    return found


@pytest.mark.parametrize("side", ["caller", "owner"])
async def test_one_side_alone_lets_nothing_through(walls: Walls, side: str) -> None:
    await walls.let_in(caller=side == "caller", owner=side == "owner")
    assert await thrown(walls) == set()


async def test_both_sides_let_through_what_is_listed_and_nothing_else(walls: Walls) -> None:
    await walls.let_in(caller=True, owner=True)
    found = await thrown(walls)
    assert found <= ACROSS_ACCOUNTS
    # It has to be told apart from a wall against which nothing was ever thrown.
    assert found >= {
        "AssumeRole", "CreateGrant", "Decrypt", "DescribeKey", "DescribeSecret", "Encrypt", "GenerateDataKey",
        "GetSecretValue", "ListGrants", "PutSecretValue", "ReEncrypt",
    }  # fmt: skip


async def test_what_is_thrown_is_well_formed(walls: Walls) -> None:
    """Its owner throws the same at what is his: what is refused for its form alone tells nothing about a wall."""
    walls.caller = walls.vendor.boss
    for operation in REACHABLE.values():
        outcomes = set()
        for request, _ in requests(operation, walls.victim):
            error = (await walls.run(operation, request)).error
            outcomes.add("ok" if error is None else error.kind.value)
        assert outcomes - {"invalid-request", "invalid-policy", "internal"}, operation.name


async def test_a_refused_use_that_names_the_other_account_is_in_its_view(walls: Walls) -> None:
    await walls.let_in(caller=True, owner=False)
    for name in ("Encrypt", "DisableKey", "GetSecretValue", "ScheduleKeyDeletion"):
        for request, text in requests(REACHABLE[name], walls.victim):
            if f"secretsd:{walls.vendor.account}:" not in text:
                continue
            answer = await walls.run(REACHABLE[name], request)
            (event,) = await walls.house.events(answer.request_id, walls.vendor.account)
            assert (event["outcome"], event["operation"]) == ("access-denied", name)


class UseGadgetRequest(Request, frozen=True, kw_only=True):
    """A request for a kind of thing that is new, by a name of a certain form."""

    gadget: Word


def test_an_operation_that_nobody_can_aim_fails(walls: Walls) -> None:
    route = Route.parse("POST /v1/gadgets")
    made = Operation("UseGadget", route, (), REACHABLE["CreateUser"].handler, UseGadgetRequest, Response, "")
    with pytest.raises(NoRecipe, match="cannot aim UseGadget at another account: add a recipe for gadget"):
        list(requests(made, walls.victim))
