"""Permission boundaries: they bound whatever else allows, and administration can be handed on within one."""

import pytest

from secretsd.testing.policies import document

READ = {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/*"]}
ALL = {"effect": "Allow", "action": ["*"], "resource": ["*"]}
TRUST = {"effect": "Allow", "action": ["AssumeRole"], "principal": ["*"]}
WITHIN = {"StringEquals": {"secretsd:PermissionsBoundary": "bounds"}}
ADMINISTERS = [
    {
        "effect": "Allow",
        "action": ["CreateUser", "CreateRole", "Put*PermissionsBoundary", "Attach*Policy", "Put*Policy", "CreateToken"],
        "resource": ["user/*", "role/*"],
        "condition": WITHIN,
    },
    {"effect": "Allow", "action": ["DescribeUser"], "resource": ["user/*"]},
]


@pytest.fixture
async def app(house):
    await house.call("CreateSecret", name="x", text="1")
    await house.call("CreatePolicy", policy="bounds", document=document(READ))
    await house.call("CreatePolicy", policy="other", document=document(READ))
    await house.call("CreatePolicy", policy="all", document=document(ALL))
    return house


async def test_a_boundary_bounds_what_policies_allow(app, tools):
    ann = await app.user("ann", ALL)
    assert (await app.call("ListSecrets", ann)).secrets
    assert (await app.call("PutUserPermissionsBoundary", user="ann", boundary="bounds")).boundary == "bounds"
    assert await app.text("x", ann) == "1"
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("ListSecrets", ann)
    assert (await app.call("DeleteUserPermissionsBoundary", user="ann")).boundary is None
    assert (await app.call("ListSecrets", ann)).secrets
    assert (await app.call("DeleteUserPermissionsBoundary", user="ann")).boundary is None


async def test_a_role_is_bounded_likewise(app):
    await app.call("CreateRole", role="r", trust=document(TRUST))
    assert (await app.call("PutRolePermissionsBoundary", role="r", boundary="bounds")).boundary == "bounds"
    assert (await app.call("DescribeRole", role="r")).boundary == "bounds"
    assert (await app.call("DeleteRolePermissionsBoundary", role="r")).boundary is None


async def test_a_boundary_that_is_not_there_bounds_nobody(app, tools):
    await app.call("CreateUser", user="u")
    await app.call("CreateRole", role="r", trust=document(TRUST))
    for operation, fields in (
        ("CreateUser", {"user": "new"}), ("CreateRole", {"role": "new", "trust": document(TRUST)}),
        ("PutUserPermissionsBoundary", {"user": "u"}), ("PutRolePermissionsBoundary", {"role": "r"}),
    ):  # fmt: skip
        with pytest.raises(tools.Failed, match="not-found"):
            await app.call(operation, **fields, boundary="none")


@pytest.fixture
async def deputy(app):
    """May administer users and roles, but only within the boundary."""
    return await app.user("deputy", *ADMINISTERS)


async def test_a_deputy_makes_users_within_the_boundary_alone(app, tools, deputy):
    for boundary in (None, "other", "all"):
        with pytest.raises(tools.Failed, match="access-denied"):
            await app.call("CreateUser", deputy, user="new", boundary=boundary)
        with pytest.raises(tools.Failed, match="access-denied"):
            await app.call("CreateRole", deputy, role="new", trust=document(TRUST), boundary=boundary)
    assert (await app.call("CreateUser", deputy, user="new", boundary="bounds")).boundary == "bounds"
    assert (await app.call("CreateRole", deputy, role="new", trust=document(TRUST), boundary="bounds")).role == "new"


async def test_a_deputy_gives_policies_to_who_is_bounded_alone(app, tools, deputy):
    await app.call("CreateUser", deputy, user="new", boundary="bounds")
    await app.call("CreateUser", user="free")
    await app.call("AttachPolicy", deputy, user="new", policy="all")
    await app.call("PutUserPolicy", deputy, user="new", policy="own", document=document(ALL))
    await app.call("CreateToken", deputy, user="new")
    for user in ("free", "admin", "deputy"):
        for operation, fields in (
            ("AttachPolicy", {"policy": "all"}), ("PutUserPolicy", {"policy": "own", "document": document(ALL)}),
            ("CreateToken", {}),
        ):  # fmt: skip
            with pytest.raises(tools.Failed, match="access-denied"):
                await app.call(operation, deputy, user=user, **fields)


async def test_a_deputy_bounds_nobody_who_is_not_his(app, tools, deputy):
    """Else he would make himself a token of his administrator, and have it when that one is freed again."""
    await app.call("CreateUser", user="chief")
    await app.call("CreateUser", user="kept", boundary="other")
    await app.call("CreateRole", role="chiefs", trust=document(TRUST))
    bounding = (
        ("PutUserPermissionsBoundary", {"user": "chief"}),
        ("PutUserPermissionsBoundary", {"user": "kept"}),
        ("PutRolePermissionsBoundary", {"role": "chiefs"}),
    )
    for operation, fields in bounding:
        with pytest.raises(tools.Failed, match="access-denied"):
            await app.call(operation, deputy, **fields, boundary="bounds")
    assert (await app.call("DescribeUser", user="chief")).boundary is None
    assert (await app.call("DescribeUser", user="kept")).boundary == "other"


async def test_a_deputy_lifts_no_boundary(app, tools, deputy):
    await app.call("CreateUser", deputy, user="new", boundary="bounds")
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("PutUserPermissionsBoundary", deputy, user="new", boundary="all")
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("DeleteUserPermissionsBoundary", deputy, user="new")
    assert (await app.call("PutUserPermissionsBoundary", deputy, user="new", boundary="bounds")).boundary == "bounds"


async def test_what_bounded_a_user_is_asked_for_anew(app, tools, deputy):
    """The decision is kept, the fact is not: a boundary that was lifted is no longer one."""
    await app.call("CreateUser", deputy, user="new", boundary="bounds")
    await app.call("AttachPolicy", deputy, user="new", policy="all")
    await app.call("DeleteUserPermissionsBoundary", user="new")
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("AttachPolicy", deputy, user="new", policy="other")


async def test_a_user_that_is_there_already_lends_its_boundary_to_no_request(app, tools, deputy):
    await app.call("CreateUser", user="bounded", boundary="bounds")
    with pytest.raises(tools.Failed, match="access-denied"):
        await app.call("CreateUser", deputy, user="bounded")
