"""Whoever makes a proof for an operator is one himself, whatever has become of the operator's policies."""

from typing import Any

import pytest

from secretsd.ports.storage import Delete, UnitOfWork
from secretsd.testing import samples

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
