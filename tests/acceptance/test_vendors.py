"""The vendor's guide, followed to the letter: each of its blocks is run as whoever it says, against a real daemon."""

import os
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from secretsd.client import Client, Plaintext
from secretsd.client.encryption import Limits, SyncEncryption
from secretsd.client.sync import SyncClient
from secretsd.domain.errors import AccessDenied, KeyDisabled
from secretsd.testing.daemon import Answered, Daemon
from secretsd.testing.policies import document
from tests.acceptance.envelope_commands import COMMAND
from tests.promises.conftest import Target, state_path

__all__ = ["state_path"]
pytestmark = [pytest.mark.acceptance, pytest.mark.needs_root]
GUIDE = Path(__file__).parents[2] / "docs/guides/vendors.md"
# Two workers, and a worker that hears of a change from the other one alone.
SETTINGS = {"workers": 2}
LONGEST_SECONDS = 0.1


@dataclass(frozen=True)
class Block:
    """A code block: its language, as whom it runs, the exit code that it ends with, and its text."""

    language: str
    who: str
    code: int
    text: str


def blocks() -> Iterator[Block]:
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL):
        head = re.match(r"# as (\w+)(?:, exit code (\d))?\n", text)
        yield Block(language, head[1] if head else "", int((head and head[2]) or 0), text)


@dataclass
class World:
    """A daemon with the accounts of a customer and a vendor, and everybody's token as soon as there is one."""

    target: Target
    directory: Path
    tokens: dict[str, str] = field(default_factory=dict)
    vendor: str = ""

    @property
    def customer(self) -> str:
        return self.target.account

    def call(self, who: str, method: str, path: str, body: Any = None, **options: Any) -> Answered:
        return self.target.daemon.call(method, path, body, token=self.token(who), **options)

    def token(self, who: str) -> str:
        """The token of somebody; made when he is first asked for, which is after the guide has made him."""
        if who == "session":
            return (self.directory / "session").read_text()
        if who not in self.tokens:
            owner = "vendor" if who == "app" else "customer"
            made = self.call(owner, "POST", f"/v1/users/{who}:create-token", {})
            assert made.status == 200, made
            self.tokens[who] = made.body["token"]
        return self.tokens[who]

    def environment(self, who: str) -> dict[str, str]:
        return {
            "PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}",
            "SECRETSD_SOCKET": self.target.daemon.socket,
            "SECRETSD_TOKEN": self.token(who),
            "CUSTOMER": self.customer,
            "VENDOR": self.vendor,
        }

    def run(self, block: Block) -> subprocess.CompletedProcess[str]:
        if block.language == "sh":
            command = ["bash", "-euo", "pipefail", "-c", block.text]
        else:
            head, within, body = block.text.partition("async with")
            main = textwrap.indent(within + body, "    ")
            program = f"{head}\nimport asyncio\n\nasync def main():\n{main}\nasyncio.run(main())\n"
            command = [sys.executable, "-c", program]
        environment = self.environment(block.who or "session")
        return subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, timeout=120)

    def events(self, who: str, **wanted: Any) -> list[dict[str, Any]]:
        found = self.call(who, "GET", "/v1/events", query={"limit": 1000, **wanted})
        assert found.status == 200, found
        return list(found.body["events"])


@pytest.fixture(scope="module")
def world(state_path: Path) -> Iterator[World]:
    daemon = Daemon(state_path / "state", settings=SETTINGS)
    directory = state_path / "work"
    directory.mkdir()
    try:
        target = Target(daemon.start())
        made = World(target, directory)
        vendor = target.ok("POST", "/v1/accounts", {"account_name": "vendor", "administrator": "boss"})
        made.vendor = vendor["account"]
        made.tokens |= {"customer": daemon.token, "vendor": vendor["token"]}
        target.user("auditor", {"effect": "Allow", "action": ["LookupEvents"], "resource": ["*"]})
        let_retire(made)
        yield made
    finally:
        daemon.stop()


def let_retire(world: World) -> None:
    """The vendor's boss may do everything in his own account; what he may do in another has to be said."""
    statement = {"effect": "Allow", "action": ["RetireGrant"], "resource": [f"secretsd:{world.customer}:key/*"]}
    for path, body in (
        ("/v1/policies", {"policy": "give-up", "document": document(statement)}),
        ("/v1/users/boss:attach-policy", {"policy": "give-up"}),
    ):
        assert world.call("vendor", "POST", path, body).status == 200


def test_the_guide_does_what_it_says(world: World) -> None:
    ran = [block for block in blocks() if block.language in ("sh", "python")]
    assert {block.who for block in ran} == {"customer", "vendor", "app", "session", "auditor", ""}
    printed = {}
    for block in ran:
        done = world.run(block)
        assert done.returncode == block.code, (block, done.stdout, done.stderr)
        printed[block.text] = done.stdout
    assert (world.directory / "token.txt").read_bytes() == b"s3cret"
    for name in ("other.enc", "too-late"):
        assert not (world.directory / name).exists()
    (seen,) = [text for block, text in printed.items() if "audit lookup --operation GenerateDataKey" in block]
    assert f"secretsd:{world.vendor}:role/orders" in seen


def test_every_use_is_in_the_customers_own_view_and_nothing_else_of_the_vendor(world: World) -> None:
    role, vendor = f"secretsd:{world.vendor}:role/orders", world.vendor
    uses = [one for one in world.events("auditor") if one.get("principal") == role]
    assert all(one["proof"].endswith(f"/worker-1/secretsd:{vendor}:user/app") for one in uses)
    assert {(one["operation"], one["outcome"]) for one in uses} >= {
        ("GenerateDataKey", "ok"),
        ("GenerateDataKey", "access-denied"),
        ("Decrypt", "ok"),
        ("Decrypt", "key-disabled"),
        ("CreateSecret", "ok"),
        ("GetSecretValue", "ok"),
    }
    alone = [one for one in uses if set(one["accounts"]) != {vendor, world.customer}]
    # Ciphertexts that were tried without a right: that their key is the customer's is told to nobody else.
    assert {(one["operation"], one["outcome"]) for one in alone} == {("Decrypt", "access-denied")}
    assert {tuple(one["accounts"]) for one in alone} == {(world.customer,)}
    # The vendor has the very same bytes; of what he does in his own account the customer sees nothing.
    ours = {one["id"]: one for one in world.events("vendor", principal=role)}
    assert all(ours[one["id"]] == one for one in uses if one not in alone)
    assert not [
        one for one in world.events("auditor") if one["operation"] == "CreateUser" and vendor in one["accounts"]
    ]
    assert world.call("auditor", "GET", "/v1/events", query={"account": vendor}).kind == "access-denied"


def test_disabling_the_key_ends_the_vendors_use_within_the_bound(world: World) -> None:
    """Measured by the vendor's own client, which asks the daemon for every message."""
    key = f"secretsd:{world.customer}:alias/orders"
    made = world.call("customer", "POST", "/v1/keys/alias%2Forders:create-grant", grant_to(world))
    assert made.status == 200, made
    context = {"customer": "acme"}
    with client(world, "session") as reader:
        asking = SyncEncryption(reader, key, limits=Limits(max_age_seconds=0))
        keeping = SyncEncryption(reader, key)
        message, kept = (
            asking.encrypt(Plaintext(b"one"), context=context),
            keeping.encrypt(Plaintext(b"two"), context=context),
        )
        assert asking.decrypt(message, context=context).reveal() == b"one"
        assert keeping.decrypt(kept, context=context).reveal() == b"two"
        change(world, "disable")
        answered = last = time.monotonic()
        refusals = 0
        while refusals < 50:
            try:
                asking.decrypt(message, context=context)
                last, refusals = time.monotonic(), 0
            except KeyDisabled:
                refusals += 1
        assert last - answered <= LONGEST_SECONDS
        # What the vendor holds in memory is his until he forgets it, as the guide says.
        assert keeping.decrypt(kept, context=context).reveal() == b"two"
        change(world, "enable")
        for grant in world.call("customer", "GET", "/v1/keys/alias%2Forders:grants").body["grants"]:
            change(world, "revoke-grant", {"grant": grant["id"]})
        with pytest.raises(AccessDenied):
            asking.encrypt(Plaintext(b"three"), context=context)


def change(world: World, verb: str, body: Any = None) -> None:
    """Something that the customer does with the key; done once it is answered."""
    done = world.call("customer", "POST", f"/v1/keys/alias%2Forders:{verb}", body)
    assert done.status == 200, done


def grant_to(world: World) -> dict[str, Any]:
    grantee = f"secretsd:{world.vendor}:role/orders"
    return {
        "grantee": grantee, "operations": ["GenerateDataKey", "Decrypt"], "context_subset": {"customer": "acme"},
        "name": "again",
    }  # fmt: skip


def client(world: World, who: str) -> SyncClient:
    return SyncClient(Client(socket=world.target.daemon.socket, token=Plaintext.from_text(world.token(who))))
