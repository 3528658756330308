"""Which unit calls, under a real systemd: the one that it started, whatever cgroups or names a process makes itself."""

import json

import pytest

from secretsd.testing.policies import document

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
WHOAMI = "secretsctl whoami -o json"
# Moves to a cgroup of the caller's own making, below the one that it is in, and asks from there.
FORGE = f"""
place=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/$1
mkdir -p "$place"
echo $$ >"$place/cgroup.procs"
grep -q "^0::/system.slice/evil.service/$1$" /proc/self/cgroup
exec {WHOAMI}
"""
# Makes a namespace in which its own unit's cgroup is the root, and sees itself in the unit that it would like to be.
IN_A_NAMESPACE = f"""
exec unshare --cgroup /bin/sh -euc '
own=/sys/fs/cgroup/system.slice/evil.service/system.slice/shop.service
mkdir -p $own
echo $$ >$own/cgroup.procs
grep -qx 0::/system.slice/shop.service /proc/self/cgroup
exec {WHOAMI}'
"""


def run(box, unit, *options, command=WHOAMI, check=True):
    """A command in a unit of its own; what it printed."""
    started = ["systemd-run", "--quiet", "--wait", "--collect", "--pipe", f"--unit={unit}", *options]
    return box.run(*started, "/bin/sh", "-c", command, check=check)


def identity(box, unit, *options, command=WHOAMI):
    return json.loads(run(box, unit, *options, command=command).stdout)


def script(box, text, *arguments):
    """A command that runs the script; systemd would read `$` in the arguments of a unit itself."""
    box.run("/bin/sh", "-c", "cat >/run/script.sh", given=text)
    return " ".join(("/bin/sh -eu /run/script.sh", *arguments))


@pytest.fixture(scope="module")
def house(box):
    """Root is administrator, and so is known from any unit; `shop` may read one secret."""
    policy = document({"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/shop"]})
    box.run("secretsctl", "put", "shop", "-", given="a value")
    box.run("secretsctl", "user", "create", "shop")
    box.run("secretsctl", "user", "inline", "put", "shop", "own", "-", given=policy)
    box.run("secretsctl", "binding", "create", "systemd:unit/shop.service", "shop")
    return box


@pytest.mark.parametrize(
    ("unit", "cgroup"),
    [
        ("plain.service", "/system.slice/plain.service"),
        ("app@one.service", "/system.slice/system-app.slice/app@one.service"),
        ("my-app@a-b.service", r"/system.slice/system-my\x2dapp.slice/my-app@a-b.service"),
        ("memory.service", "/system.slice/_memory.service"),
        ("_memory.service", "/system.slice/__memory.service"),
        ("cgroup.service", "/system.slice/_cgroup.service"),
        (r"a\x2db.service", r"/system.slice/a\x2db.service"),
    ],
)
def test_units_have_the_cgroups_that_we_read_them_from(house, unit, cgroup):
    """Where systemd puts them is measured here, not assumed."""
    where = run(house, unit, command="cat /proc/self/cgroup").stdout.splitlines()[-1]
    assert where == f"0::{cgroup}"
    assert identity(house, unit)["unit"] == unit


def test_a_unit_of_another_slice_is_none(house):
    assert "unit" not in identity(house, "elsewhere.service", "--slice=acme.slice")
    assert "unit" not in identity(house, "within.service", "--slice=user-1000.slice")


def test_a_deeper_slice_of_the_systems_own_is_fine(house):
    assert identity(house, "deep.service", "--slice=system-a-b.slice")["unit"] == "deep.service"


def test_neither_a_scope_nor_an_outsider_is_a_unit(house):
    scope = house.run("systemd-run", "--quiet", "--scope", "--unit=shop", *WHOAMI.split())
    assert "unit" not in json.loads(scope.stdout)
    assert "unit" not in json.loads(house.run(*WHOAMI.split()).stdout)


def test_a_bound_unit_needs_no_credential_and_nobody_else_has_it(house):
    get = "secretsctl get shop"
    user = "--property=User=daemon"
    assert run(house, "shop.service", user, command=get).stdout.rstrip("\n") == "a value"
    assert identity(house, "shop.service", user)["proof"] == "systemd:unit/shop.service"
    for unit in ("shop2.service", "shop@x.service", "notshop.service"):
        refused = run(house, unit, user, command=get, check=False)
        assert (refused.returncode != 0, "a value" in refused.stdout) == (True, False)
    outsider = house.run(
        "setpriv", "--reuid=daemon", "--regid=daemon", "--clear-groups", "--", *get.split(), check=False
    )
    assert (outsider.returncode != 0, "a value" in outsider.stdout) == (True, False)


def test_the_unit_proves_before_the_uid_and_goes_with_its_binding(house):
    assert identity(house, "shop.service")["principal"].endswith(":user/shop")
    house.run("secretsctl", "binding", "delete", "systemd:unit/shop.service")
    assert identity(house, "shop.service")["principal"].endswith(":user/admin")
    house.run("secretsctl", "binding", "create", "systemd:unit/shop.service", "shop")
    assert identity(house, "shop.service")["principal"].endswith(":user/shop")


@pytest.mark.parametrize(
    "place",
    ["system.slice/shop.service", "shop.service", "system.slice", "system.slice/system-x.slice/shop.service"],
)
def test_whoever_is_given_cgroups_of_his_own_stays_the_unit_he_is(house, place):
    """Delegate=yes with User= hands the unit's cgroup to that user, who makes what he likes below it."""
    options = ("--property=Delegate=yes", "--property=User=daemon")
    command = script(house, FORGE, place)
    assert run(house, "evil.service", *options, command=command, check=False).stdout == ""
    house.run("secretsctl", "user", "create", "evil")
    house.run("secretsctl", "binding", "create", "systemd:unit/evil.service", "evil")
    try:
        found = identity(house, "evil.service", *options, command=command)
        assert (found["unit"], found["proof"]) == ("evil.service", "systemd:unit/evil.service")
    finally:
        house.run("secretsctl", "binding", "delete", "systemd:unit/evil.service")
        house.run("secretsctl", "user", "delete", "evil", "--yes")


def test_nor_does_a_cgroup_namespace_help(house):
    """Inside, its own view says /system.slice/shop.service; the daemon's does not."""
    command = script(house, IN_A_NAMESPACE)
    assert identity(house, "evil.service", "--property=Delegate=yes", command=command)["unit"] == "evil.service"


@pytest.mark.parametrize(
    "place",
    [
        "user.slice/user-1000.slice/user@1000.service/app.slice/shop.service",
        "user.slice/user-1000.slice/user@1000.service/system.slice/shop.service",
        "machine.slice/box.scope/system.slice/shop.service",
        "shop.service",
    ],
)
def test_cgroups_outside_of_the_systems_slice_are_no_units(house, place):
    """Those of a user's manager and of a container are named by whoever runs there."""
    command = f"mkdir -p /sys/fs/cgroup/{place} && echo $$ >/sys/fs/cgroup/{place}/cgroup.procs && exec {WHOAMI}"
    assert "unit" not in json.loads(house.run("/bin/sh", "-c", command).stdout)


def test_the_worker_may_read_what_it_needs(house):
    """Under all of its unit's hardening, as its own user, who may not send signals to the caller."""
    assert identity(house, "shop.service", "--property=User=nobody")["unit"] == "shop.service"
    assert identity(house, "shop.service", "--property=ProtectProc=invisible")["unit"] == "shop.service"
