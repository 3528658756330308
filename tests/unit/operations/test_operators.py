"""Whoever makes a proof for an operator is one himself, whatever has become of the operator's policies."""

from typing import Any

import pytest

from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples
from secretsd.testing.policies import document

EVERYTHING = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
SYSTEM = {"effect": "Allow", "action": ["*"], "resource": ["secretsd:system:*"]}


async def test_an_operator_who_lost_a_policy_is_one_still(house: Any, tools: Any) -> None:
    chief = await house.user("chief", EVERYTHING)
    await house.user("operator", EVERYTHING)
    await house.allow("operator", "reach", SYSTEM)
    lost = await house.storage.accounts.policy(house.account, "of-operator")
    await house.storage.commit(UnitOfWork((Delete(lost),), samples.event("DeletePolicy", accounts=(house.account,))))
    house.storage.refresh()
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("CreateToken", chief, user="operator")
    assert (await house.call("CreateToken", user="operator")).id


async def test_a_role_that_operators_trust_is_made_anew_by_operators(house: Any, tools: Any) -> None:
    """Its name is what they trust: whoever makes it says who becomes it."""

    def trust(path: str) -> str:
        principal = [f"secretsd:{house.account}:{path}"]
        return document({"effect": "Allow", "action": ["AssumeRole"], "principal": principal})

    chief = await house.user("chief", EVERYTHING)
    await house.call("CreateRole", role="deployer", trust=trust("user/admin"))
    await house.call("CreateRole", role="ops", trust=trust("role/deployer"))
    await house.call("CreatePolicy", policy="reach", document=document(SYSTEM))
    await house.call("AttachRolePolicy", role="ops", policy="reach")
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("UpdateAssumeRolePolicy", chief, role="deployer", trust=trust("user/chief"))
    await house.call("DeleteRole", chief, role="deployer")
    with pytest.raises(tools.Failed, match="access-denied"):
        await house.call("CreateRole", chief, role="deployer", trust=trust("user/chief"))
    assert (await house.call("CreateRole", role="deployer", trust=trust("user/admin"))).role == "deployer"
    assert (await house.call("CreateRole", chief, role="another", trust=trust("user/chief"))).role == "another"
