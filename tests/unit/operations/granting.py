"""What tests of grants share: a vendor, a key, and grants made on it."""

import pytest

from tests.unit.operations.two_accounts import APP, CONTEXT, TEXT, Vendor, outcome


@pytest.fixture
async def vendor(house):
    return await Vendor(house).settle()


@pytest.fixture
async def key(house):
    return (await house.call("CreateKey")).id


@pytest.fixture
def grant(house, key):
    """Make a grant on the key as its owner, or as somebody else by the key's full name."""

    async def make(operations=("Encrypt",), grantee=APP, caller=None, **fields):
        fields |= {"grantee": grantee, "operations": operations}
        if caller is None:
            return await house.call("CreateGrant", key=key, **fields)
        return await house.call("CreateGrant", caller, key=full(house, key), **fields)

    return make


def full(house, key):
    return f"secretsd:{house.account}:key/{key}"


async def encrypts(house, caller, key, context=CONTEXT):
    found = await outcome(house, "Encrypt", caller, key=full(house, key), plaintext=TEXT, context=context)
    assert found in ("ok", "access-denied")
    return found == "ok"


async def listed(house, key):
    return [one.id for one in (await house.call("ListGrants", key=key)).grants]
