"""The conformance suite of the storage port: groups, roles, credentials, proofs, policies of resources, grants."""
# ruff: noqa: S101 - a suite asserts

from dataclasses import replace

import pytest

from secretsd.domain.errors import AlreadyExists, NotFound
from secretsd.domain.policy import Effect, Statement
from secretsd.domain.principals import Group, Role, User
from secretsd.domain.proofs import Binding
from secretsd.domain.records import Record
from secretsd.ports.storage import Add, Delete, OnlySpaces, StaleRecord, Unattached
from secretsd.testing import access_samples as access
from secretsd.testing import samples
from secretsd.testing.storage_bench import Bench, bench

__all__ = ["AccessSuite", "bench"]
OTHER_KEY = "99999999-2222-4333-8444-555555555555"


class AccessSuite:
    """What is about who may do what is found by its name, by whom it belongs to, and by when it ends."""

    async def test_groups_and_their_members(self, bench: Bench) -> None:
        await bench.add(*(access.group(name) for name in ("b", "a", "c")))
        people: list[Record] = [
            replace(samples.user(name), groups=groups)
            for name, groups in (("zoe", ("a",)), ("ann", ("b", "a")), ("bob", ("aa",)), ("eve", ()))
        ]
        await bench.add(*people, replace(samples.user("out", samples.OTHER_ACCOUNT), groups=("a",)))
        accounts = bench.storage.accounts
        assert [one.name for one in await accounts.groups(samples.ACCOUNT, "a", 5)] == ["b", "c"]
        assert [one.name for one in await accounts.members(samples.ACCOUNT, "a", "", 5)] == ["ann", "zoe"]
        assert [one.name for one in await accounts.members(samples.ACCOUNT, "a", "ann", 5)] == ["zoe"]
        assert [one.name for one in await accounts.members(samples.ACCOUNT, "a", "", 1)] == ["ann"]

    async def test_roles_and_accounts_are_paged(self, bench: Bench) -> None:
        await bench.add(*(access.role(name) for name in ("b", "a")))
        await bench.add(samples.account(), samples.account(samples.OTHER_ACCOUNT))
        accounts = bench.storage.accounts
        assert [one.name for one in await accounts.roles(samples.ACCOUNT, "", 5)] == ["a", "b"]
        assert [one.id for one in await accounts.page(samples.ACCOUNT, 5)] == [samples.OTHER_ACCOUNT]

    async def test_who_has_a_policy_or_is_bounded_by_it(self, bench: Bench) -> None:
        """`read` is no part of `reads`, and what another account has does not count."""
        people: list[Record] = [
            replace(samples.user("ann"), policies=("reads", "read")),
            replace(samples.user("bob"), policies=("reads",)),
            replace(samples.user("eve"), policies=(), boundary="read"),
            replace(samples.user("out", samples.OTHER_ACCOUNT), policies=("read",)),
        ]
        groups = [replace(access.group(name), policies=(policy,)) for name, policy in (("a", "read"), ("b", "reads"))]
        roles = [
            replace(access.role("bounded"), policies=(), boundary="read"),
            replace(access.role("other"), policies=("x",), boundary="y"),
            replace(access.role("reader"), policies=("read",), boundary=""),
        ]
        await bench.add(*people, *groups, *roles)
        accounts = bench.storage.accounts
        assert [one.name for one in await accounts.users_with(samples.ACCOUNT, "read", "", 5)] == ["ann", "eve"]
        assert [one.name for one in await accounts.users_with(samples.ACCOUNT, "read", "ann", 5)] == ["eve"]
        assert [one.name for one in await accounts.users_with(samples.ACCOUNT, "read", "", 1)] == ["ann"]
        assert [one.name for one in await accounts.groups_with(samples.ACCOUNT, "read", "", 5)] == ["a"]
        assert [one.name for one in await accounts.roles_with(samples.ACCOUNT, "read", "", 5)] == ["bounded", "reader"]
        assert [one.name for one in await accounts.roles_with(samples.ACCOUNT, "read", "bounded", 5)] == ["reader"]

    async def test_roles_are_found_by_whom_they_trust(self, bench: Bench) -> None:
        ann, anna = (f"secretsd:{samples.ACCOUNT}:user/{name}" for name in ("ann", "anna"))
        trusted = {"all": "*", "b": ann, "c": anna, "d": ann, "e": samples.ACCOUNT}
        for name, principal in trusted.items():
            trust = Statement(Effect.ALLOW, ("AssumeRole",), ("*",), principals=("x", principal))
            await bench.add(replace(access.role(name), trust=(trust,)))
        found = bench.storage.accounts.roles_trusting
        assert [one.name for one in await found(samples.ACCOUNT, ann, "", 5)] == ["b", "d"]
        assert [one.name for one in await found(samples.ACCOUNT, ann, "b", 5)] == ["d"]
        assert [one.name for one in await found(samples.ACCOUNT, ann, "", 1)] == ["b"]
        assert await found(samples.OTHER_ACCOUNT, ann, "", 5) == []

    async def test_a_unit_rests_on_a_policy_that_nobody_has(self, bench: Bench) -> None:
        policy = replace(samples.policy(), name="read")
        ann = replace(samples.user("ann"), policies=("reads", "re"), boundary="")
        group = replace(access.group(), policies=())
        role = replace(access.role(), policies=(), boundary="")
        await bench.add(policy, ann, group, role, replace(samples.user("x", samples.OTHER_ACCOUNT), policies=("read",)))
        await bench.change(Unattached(policy))
        holding: list[tuple[User | Group | Role, User | Group | Role]] = [
            (ann, replace(ann, policies=("x", "read"), revision=1)),
            (ann, replace(ann, boundary="read", revision=1)),
            (group, replace(group, policies=("read",), revision=1)),
            (role, replace(role, policies=("read",), revision=1)),
            (role, replace(role, boundary="read", revision=1)),
        ]
        for without, with_it in holding:
            await bench.change(bench.replace(without, with_it))
            with pytest.raises(StaleRecord, match="a policy was attached"):
                await bench.change(Unattached(policy), Delete(policy))
            assert await bench.storage.accounts.policy(samples.ACCOUNT, "read") == policy
            await bench.change(Delete(with_it))
            await bench.add(without)
        await bench.change(Unattached(policy), Delete(policy))
        with pytest.raises(NotFound):
            await bench.storage.accounts.policy(samples.ACCOUNT, "read")

    async def test_bindings_are_found_by_whom_they_lead_to(self, bench: Bench) -> None:
        def bound(proof: str, user: str, role: str = "", account: str = samples.ACCOUNT) -> Binding:
            return replace(samples.binding(), proof=proof, user=user, role=role, account=account)

        await bench.add(
            bound("unix:uid/2", "ann"), bound("unix:uid/1", "ann"), bound("unix:uid/3", "bob"),
            bound("unix:uid/4", "", "ann"), bound("unix:uid/5", "ann", account=samples.OTHER_ACCOUNT),
        )  # fmt: skip
        proofs = bench.storage.proofs
        found = await proofs.bindings_of_user(samples.ACCOUNT, "ann", 5)
        assert [one.proof for one in found] == ["unix:uid/1", "unix:uid/2"]
        assert [one.proof for one in await proofs.bindings_of_user(samples.ACCOUNT, "ann", 1)] == ["unix:uid/1"]
        assert [one.proof for one in await proofs.bindings_of_role(samples.ACCOUNT, "ann", 5)] == ["unix:uid/4"]
        assert await proofs.bindings_of_user(samples.ACCOUNT, "", 5) == []
        assert await proofs.bindings_of_role(samples.ACCOUNT, "", 5) == []

    async def test_bindings_of_others_are_found_between_two_proofs(self, bench: Bench) -> None:
        def bound(proof: str, account: str = samples.OTHER_ACCOUNT) -> Binding:
            return replace(samples.binding(), proof=proof, account=account)

        others = [bound(f"unix:uid/{number}") for number in (1, 2, 4)]
        await bench.add(*others, bound("unix:uid/3", samples.ACCOUNT), bound("systemd:unit/a.service"))
        found = bench.storage.proofs.bindings_of_others
        assert [one.proof for one in await found(samples.ACCOUNT, "unix:uid", "unix:uid/~", 5)] == [
            "unix:uid/1", "unix:uid/2", "unix:uid/4"
        ]  # fmt: skip
        assert [one.proof for one in await found(samples.ACCOUNT, "unix:uid/1", "unix:uid/4", 5)] == ["unix:uid/2"]
        assert [one.proof for one in await found(samples.ACCOUNT, "unix:uid", "unix:uid/~", 1)] == ["unix:uid/1"]
        assert [one.proof for one in await found(samples.OTHER_ACCOUNT, "", "~", 5)] == ["unix:uid/3"]

    async def test_a_unit_rests_on_there_being_no_other_proof_spaces(self, bench: Bench) -> None:
        first, second = access.proof_space("unix:uid/2"), access.proof_space("unix:uid/1")
        await bench.change(OnlySpaces(()), Add(first, bench.mac(first)))
        for spaces in ((), ("unix:uid/1",), ("unix:uid/2", "unix:uid/3")):
            with pytest.raises(StaleRecord, match="a proof space came or went"):
                await bench.change(OnlySpaces(spaces), Add(second, bench.mac(second)))
        await bench.change(OnlySpaces(("unix:uid/2",)), Add(second, bench.mac(second)))
        await bench.change(OnlySpaces(("unix:uid/2", "unix:uid/1")), Delete(first))
        assert [one.space for one in await bench.storage.proofs.spaces()] == ["unix:uid/1"]

    async def test_access_keys_belong_to_a_user_and_are_found_by_id_alone(self, bench: Bench) -> None:
        await bench.add(access.access_key("AK2"), access.access_key("AK1"), access.access_key("AK3", "bob"))
        proofs = bench.storage.proofs
        assert [one.id for one in await proofs.access_keys(samples.ACCOUNT, "ann")] == ["AK1", "AK2"]
        page = await proofs.access_keys_of_account(samples.ACCOUNT, "AK1", 9)
        assert [one.id for one in page][:1] == ["AK2"]
        assert list(await proofs.access_keys_of_account(samples.OTHER_ACCOUNT, "", 9)) == []
        assert (await proofs.access_key("AK3")).user == "bob"
        with pytest.raises(AlreadyExists):
            await bench.add(access.access_key("AK1", "eve"))

    async def test_access_keys_of_an_account_are_paged(self, bench: Bench) -> None:
        await bench.add(access.access_key("AK2"), access.access_key("AK1", "bob"), access.access_key("AK3"))
        await bench.add(replace(access.access_key("AK0"), account=samples.OTHER_ACCOUNT))
        proofs = bench.storage.proofs
        assert [one.id for one in await proofs.access_keys_of_account(samples.ACCOUNT, "", 2)] == ["AK1", "AK2"]
        assert [one.id for one in await proofs.access_keys_of_account(samples.ACCOUNT, "AK2", 2)] == ["AK3"]

    async def test_tokens_that_are_good_are_counted_by_user(self, bench: Bench) -> None:
        ends = {"01": 1_000, "02": 1_001, "03": None}
        await bench.add(*(samples.token(digest * 32, f"t-{digest}", end) for digest, end in ends.items()))
        await bench.add(replace(samples.token("04" * 32, "t-04"), user="bob"))
        count = bench.storage.proofs.count_tokens
        user = samples.token().user
        assert [await count(samples.ACCOUNT, user, now_ms) for now_ms in (999, 1_000, 1_001)] == [3, 2, 1]
        assert await count(samples.OTHER_ACCOUNT, user, 0) == 0

    async def test_tokens_that_last_are_counted_by_user(self, bench: Bench) -> None:
        """Those that never end, those that end later than that, and those that a host turns into such a one."""
        ends = {"01": 1_000, "02": 5_000, "03": 5_001, "04": None}
        await bench.add(*(samples.token(digest * 32, f"t-{digest}", end) for digest, end in ends.items()))
        enrols = (("05", 2_000, 5), ("06", 2_000, 4), ("07", 1_000, 5))
        await bench.add(
            *(replace(samples.token(one * 32, f"t-{one}", end), enrols_seconds=s) for one, end, s in enrols),
            replace(samples.token("08" * 32, "t-08"), user="bob"),
        )
        count, user = bench.storage.proofs.count_lasting_tokens, samples.token().user
        assert await count(samples.ACCOUNT, user, 1_000, 4_000) == 3
        assert await count(samples.ACCOUNT, user, 1_001, 4_000) == 2
        assert await count(samples.ACCOUNT, user, 2_000, 4_000) == 1
        assert await count(samples.OTHER_ACCOUNT, user, 0, 0) == 0

    async def test_a_token_is_found_by_its_users_name_and_its_id(self, bench: Bench) -> None:
        first, second = samples.token("01" * 32, "t-1"), replace(samples.token("02" * 32, "t-2"), created_ms=9)
        await bench.add(first, second, replace(samples.token("03" * 32, "t-3"), user="bob"))
        proofs = bench.storage.proofs
        assert await proofs.token_of_user(samples.ACCOUNT, "ann", "t-2") == second
        assert await proofs.newest_token(samples.ACCOUNT, "ann") == first
        for account, identifier in ((samples.ACCOUNT, "t-3"), (samples.OTHER_ACCOUNT, "t-1"), (samples.ACCOUNT, "")):
            with pytest.raises(NotFound):
                await proofs.token_of_user(account, "ann", identifier)

    async def test_sessions_of_a_role_that_are_good(self, bench: Bench) -> None:
        await bench.add(*(access.session(f"{n:02}" * 32, f"STS{n}", 1_000 * n) for n in (3, 1, 2)))
        await bench.add(replace(access.session("04" * 32, "STS4", 9_000), role="other"))
        proofs = bench.storage.proofs
        role = access.session().role
        found = await proofs.sessions(samples.ACCOUNT, role, 1_000, "", 5)
        assert [one.access_key for one in found] == ["STS2", "STS3"]
        assert [one.access_key for one in await proofs.sessions(samples.ACCOUNT, role, 0, "STS1", 1)] == ["STS2"]

    async def test_sessions_of_a_role_are_counted_by_who_opened_them(self, bench: Bench) -> None:
        made = [access.session(f"{n:02}" * 32, f"STS{n}", 1_000 * n) for n in (1, 2, 3)]
        by, theirs = made[0].by, "secretsd:100000000002:user/eve"
        await bench.add(*made, replace(access.session("04" * 32, "STS4", 9_000), by=theirs))
        count, role = bench.storage.proofs.count_sessions, access.role(made[0].role)
        assert [await count(role, by, now_ms) for now_ms in (0, 1_000)] == [3, 2]
        assert await count(role, theirs, 0) == 1
        assert await count(replace(role, revoked_ms=made[0].created_ms - 1), by, 0) == 3
        assert await count(replace(role, revoked_ms=made[0].created_ms), by, 0) == 0
        assert await count(replace(role, account=samples.OTHER_ACCOUNT), by, 0) == 0

    async def test_tokens_of_an_access_key(self, bench: Bench) -> None:
        tokens = [samples.token(f"{n:02}" * 32, f"t-{n}", 1_000 * n) for n in (3, 1, 2)]
        await bench.add(*(replace(one, access_key="AK1") for one in tokens), samples.token("04" * 32, "t-4", 5_000))
        proofs = bench.storage.proofs
        assert [one.id for one in await proofs.tokens_of_access_key("AK1", 0, 5)] == ["t-1", "t-2", "t-3"]
        assert [one.id for one in await proofs.tokens_of_access_key("AK1", 1_000, 1)] == ["t-2"]
        assert await proofs.tokens_of_access_key("", 0, 5) == []

    async def test_what_is_over_comes_oldest_first(self, bench: Bench) -> None:
        await bench.add(
            *(access.session(f"{n:02}" * 32, f"STS{n}", 1_000 * n) for n in (3, 1, 2)),
            *(samples.token(f"{n:02}" * 32, f"t-{n}", 1_000 * n) for n in (3, 1, 2)),
            samples.token("ee" * 32, "t-9"),
            *(access.grant(f"{n:02}" * 32, expires_ms=1_000 * n) for n in (3, 1, 2)),
            access.grant("ee" * 32),
        )
        proofs, grants = bench.storage.proofs, bench.storage.grants
        assert [one.access_key for one in await proofs.expired_sessions(3_000, 5)] == ["STS1", "STS2"]
        assert [one.id for one in await proofs.expired_tokens(3_000, 5)] == ["t-1", "t-2"]
        assert [one.id for one in await grants.expired(3_000, 1)] == ["01" * 32]
        assert (await proofs.session_of_access_key("STS3")).expires_ms == 3_000
        page = await proofs.sessions_of_account(samples.ACCOUNT, "01" * 32, 1)
        assert [one.access_key for one in page] == ["STS2"]
        assert list(await proofs.sessions_of_account(samples.OTHER_ACCOUNT, "", 9)) == []

    async def test_proof_spaces_authorities_and_issuers_are_told_whole(self, bench: Bench) -> None:
        await bench.add(*(access.proof_space(space) for space in ("unix:uid/2", "unix:uid/1")))
        await bench.add(*(access.authority(name) for name in ("b", "a")), *map(access.token_issuer, ("d", "c")))
        proofs = bench.storage.proofs
        assert [one.space for one in await proofs.spaces()] == ["unix:uid/1", "unix:uid/2"]
        assert [one.name for one in await proofs.authorities()] == ["a", "b"]
        assert [one.name for one in await proofs.issuers()] == ["c", "d"]

    async def test_an_issuer_and_an_audience_belong_to_one_account(self, bench: Bench) -> None:
        await bench.add(access.token_issuer())
        with pytest.raises(AlreadyExists):
            await bench.add(replace(access.token_issuer(), name="mine", account=samples.OTHER_ACCOUNT))

    async def test_grants_are_found_by_key_by_id_and_by_who_may_retire_them(self, bench: Bench) -> None:
        mine = f"secretsd:{samples.OTHER_ACCOUNT}:role/vendor"
        first, second = access.grant("aa" * 32), replace(access.grant("bb" * 32), retiring=mine)
        await bench.add(second, first, access.grant("cc" * 32, OTHER_KEY))
        grants = bench.storage.grants
        assert await grants.grants(samples.ACCOUNT, samples.KEY_ID, "", 5) == [first, second]
        assert await grants.grants(samples.ACCOUNT, samples.KEY_ID, first.id, 5) == [second]
        assert (await grants.grant("cc" * 32)).key_id == OTHER_KEY
        assert await grants.retirable(mine, "", 5) == [second]
        assert await grants.retirable("", "", 5) == []
        with pytest.raises(AlreadyExists):
            await bench.add(replace(first, key_id=OTHER_KEY))

    async def test_a_key_is_found_by_its_id_alone(self, bench: Bench) -> None:
        await bench.add(samples.cmk())
        assert await bench.storage.keys.by_id(samples.KEY_ID) == samples.cmk()
        with pytest.raises(AlreadyExists):
            await bench.add(replace(samples.cmk(), account=samples.OTHER_ACCOUNT))

    async def test_what_is_not_there_is_not_found(self, bench: Bench) -> None:
        storage, account = bench.storage, samples.ACCOUNT
        for read in (
            storage.accounts.group(account, "x"),
            storage.accounts.role(account, "x"),
            storage.proofs.access_key("x"),
            storage.proofs.session("x"),
            storage.proofs.newest_token(account, "x"),
            storage.proofs.session_of_access_key("x"),
            storage.grants.policy(account, "key/x"),
            storage.grants.grant("x"),
            storage.keys.by_id("x"),
        ):
            with pytest.raises(NotFound, match=r"^cannot find "):
                await read
