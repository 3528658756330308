"""What tests of proofs share: callers in units and of uids, and an account to which some are left."""

from typing import Any

from secretsd.operations.authenticator import Caller
from secretsd.operations.request_facts import Way
from tests.unit.operations import two_accounts
from tests.unit.operations.two_accounts import Vendor

House = Any  # the fixture `house`
UNITS, UIDS = "systemd:unit/acme-*.service", "unix:uid/2000-2999"
UNIT = "systemd:unit/acme-web.service"
ROOT = Caller("unix", uid=0)


async def told(house: House, operation: str, caller: Caller = ROOT, /, **fields: Any) -> tuple[str, str]:
    """Kind and sentence of an error; asked by root where nobody is named."""
    return await two_accounts.told(house, operation, caller, **fields)


def in_unit(unit: str, uid: int = 2500) -> Caller:
    """A process of that unit and uid at a Unix socket."""
    return Caller("unix:pid/1", uid, None, Way(uid=uid, unit=unit))


async def whoami(house: House, caller: Caller) -> Any:
    """Who that is to the house."""
    return await house.call("GetCallerIdentity", caller)


async def vendor_with_spaces(house: House) -> Vendor:
    """The vendor, to whose account UNITS and UIDS are left."""
    vendor = await Vendor(house).settle()
    for space in (UNITS, UIDS):
        await house.call("CreateProofSpace", space=space, account=vendor.account)
    return vendor
