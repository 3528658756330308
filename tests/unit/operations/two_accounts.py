"""What tests across accounts share: a second account, the vendor's, beside the house's own, the customer's."""

from typing import Any

from secretsd.api.fields import BinaryValue
from secretsd.domain.credentials import Token
from secretsd.domain.key_specs import KeySpec
from secretsd.domain.keys import KeyMetadata, KeyOwner
from secretsd.domain.policy import Effect, Policy, Statement
from secretsd.domain.principals import Account, User
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller, token_digest
from secretsd.operations.keys import new_key
from secretsd.testing.policies import document

House = Any  # the fixture `house`
VENDOR = "200000000002"
TEXT = BinaryValue(b"the customer's data")
CONTEXT = {"tenant": "7"}
BOSS, APP = f"secretsd:{VENDOR}:user/boss", f"secretsd:{VENDOR}:user/app"


class Vendor:
    """The second account: its administrator `boss`, and `app`, who may do everything that the customer lets him do."""

    def __init__(self, house: House, account: str = VENDOR) -> None:
        self.house = house
        self.account = account
        self.boss = self.app = Caller("tcp")

    async def settle(self) -> "Vendor":
        """Make the account, its default key and its people."""
        house, now_ms = self.house, self.house.clock.now_ms()
        key = new_key(self.account, KeySpec.AES_256, KeyOwner.SERVICE, "", now_ms)
        everything = Statement(Effect.ALLOW, ("*",), ("*", f"secretsd:{house.account}:*"))
        for record in (
            Account(self.account, "vendor" if self.account == VENDOR else f"vendor-{self.account}", key.id, now_ms),
            key,
            await house.keystore.generate_key(KeyMetadata(self.account, key.id, 1, key.spec, key.usage)),
            Policy(self.account, "all", (everything,), "", now_ms),
            User(self.account, "boss", now_ms, ("all",)),
            User(self.account, "app", now_ms, ("all",)),
        ):
            await house.add_record(record)
        self.boss, self.app = await self._token("boss"), await self._token("app")
        return self

    async def user(self, name: str, *statements: dict[str, Any]) -> Caller:
        """Another user of the vendor's, who may do what the statements say."""
        await self.house.call("CreateUser", self.boss, user=name)
        if statements:
            text = document(*statements)
            await self.house.call("CreatePolicy", self.boss, policy=f"of-{name}", document=text)
            await self.house.call("AttachPolicy", self.boss, user=name, policy=f"of-{name}")
        return await self._token(name)

    async def _token(self, user: str) -> Caller:
        token = f"secretsd_{user + self.account:A<43}".encode()
        now_ms = self.house.clock.now_ms()
        record = Token(token_digest(Plaintext(token)), f"t-{user}-{self.account}", self.account, user, now_ms, None)
        await self.house.add_record(record)
        return Caller("tcp", token=Plaintext(token))


def speaks(actions: Any, principal: Any, effect: str = "Allow", **more: Any) -> str:
    """A resource's policy of one statement."""
    listed = actions if isinstance(actions, list) else [actions]
    return document({"effect": effect, "action": listed, "principal": principal, **more})


async def outcome(house: House, operation: str, caller: Caller, /, **fields: Any) -> str:
    """`ok`, or the kind of the error."""
    answer = await house.run(operation, caller, **fields)
    return "ok" if answer.error is None else str(answer.error.kind.value)


async def told(house: House, operation: str, caller: Caller, /, **fields: Any) -> tuple[str, str]:
    """Kind and sentence of an error: all that a caller hears."""
    answer = await house.run(operation, caller, **fields)
    assert answer.error is not None, operation
    return answer.error.kind.value, answer.error.message
