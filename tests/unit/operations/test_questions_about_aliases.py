"""Explaining, and who can: an alias stands for its key, tells its own account whether it is there, and no other."""

import pytest

from secretsd.operations.key_references import OF_ALIASES
from secretsd.operations.registry import OPERATIONS
from tests.unit.operations.two_accounts import VENDOR, Vendor

ON_ALIASES = {"effect": "Allow", "action": ["ExplainDecision", "WhoCan"], "resource": ["user/bob", "alias/*"]}
QUESTIONS = [("ExplainDecision", {"principal": "user/bob"}), ("WhoCan", {})]


@pytest.mark.parametrize(("operation", "more"), QUESTIONS)
async def test_an_alias_that_leads_nowhere_is_told_to_who_may_ask_about_it_alone(house, tools, operation, more):
    """That one is there he may learn as well, for his own account; what it leads to he may not."""
    bob = await house.user("bob", ON_ALIASES)
    eve = await house.user("eve", {**ON_ALIASES, "resource": ["user/bob"]})
    key = await house.call("CreateKey", alias="orders")
    asked = {**more, "action": "Encrypt"}
    for caller in (None, bob):
        for name in ("alias/no", f"secretsd:{house.account}:alias/no"):
            with pytest.raises(tools.Failed, match="not-found"):
                await house.call(operation, *filter(None, [caller]), **asked, resource=name)
    for name in ("alias/orders", f"secretsd:{house.account}:alias/orders"):
        found = await house.call(operation, **asked, resource=name)
        assert getattr(found, "resource", f"secretsd:{house.account}:key/{key.id}").endswith(key.id)
    heard = {}
    for name in ("orders", "no"):
        answer = await house.run(operation, eve, **asked, resource=f"alias/{name}")
        told = answer.error.message if answer.error else str(answer.response)
        heard[name] = told.replace(f"alias/{name}", "alias/…")
    assert heard["orders"] == heard["no"]
    assert key.id not in str(await house.run(operation, bob, **asked, resource="alias/orders"))


async def test_a_permission_on_an_alias_itself_is_asked_about_there(house):
    await house.call("CreateKey", alias="orders")
    itself = (("DeleteAlias", "orders"), ("UpdateAlias", "orders"), ("CreateAlias", "new"), ("ListAliases", "*"))
    await house.user("bob", {"effect": "Allow", "action": ["*Alias*"], "resource": ["alias/*"]})
    for action, name in itself:
        told = await house.call("ExplainDecision", principal="user/bob", action=action, resource=f"alias/{name}")
        assert (told.decision, told.resource) == ("allowed", f"secretsd:{house.account}:alias/{name}")
        found = await house.call("WhoCan", action=action, resource=f"alias/{name}")
        assert any(one.principal.endswith("user/bob") for one in found.principals)
    assert {name for name in OPERATIONS if "Alias" in name} == OF_ALIASES


@pytest.mark.parametrize(("operation", "more"), QUESTIONS)
@pytest.mark.parametrize("action", ["Encrypt", "DeleteAlias", "CreateAlias"])
async def test_nobody_learns_of_another_accounts_aliases(house, operation, more, action):
    """Neither from the answer nor from the event, whatever he may do in his own account, and whatever is there."""
    vendor = await Vendor(house).settle()
    await house.call("CreateKey", alias="orders")
    heard = []
    for name in ("orders", "absent"):
        asked = {**more, "principal": "user/app"} if more else {}
        asked |= {"action": action, "resource": f"secretsd:{house.account}:alias/{name}"}
        answer = await house.run(operation, vendor.boss, **asked)
        (event,) = await house.events(answer.request_id, VENDOR)
        told = str(answer.error.message if answer.error else answer.response)
        seen = {part: event.get(part) for part in ("accounts", "resource", "outcome", "fields", "operation")}
        heard.append((told.replace(name, "…"), str(seen).replace(name, "…")))
    assert heard[0] == heard[1]
