"""The rotator host through its client: the port's promises, and what a bad rotator cannot do."""

import asyncio
import json

import pytest

from secretsd.domain.sensitive import Plaintext
from secretsd.ports.rotator import Acceptance, Outcome, RotationFailed, StagedSecret
from tests.conformance.rotator_host import (
    CANARY,
    noted_nowhere,
    order,
)

pytestmark = pytest.mark.integration


async def test_it_describes_what_may_load_and_nothing_else(host, caplog):
    described = {one.name: one for one in await host.rotators()}
    assert set(described) == {"random", "noting", "misbehaving"}
    assert described["noting"].summary == "Notes twice while it applies, and tells of its process."
    assert described["noting"].abilities == {"revoke"}
    assert described["random"].abilities == frozenset()
    schema = described["noting"].settings_schema["$defs"]["Settings"]
    assert schema["required"] == ["target"]
    assert schema["properties"]["tries"] == {"type": "integer", "default": 3}
    assert "cannot describe the rotator broken: crashed RuntimeError" in caplog.text
    assert "s3cret-0" not in caplog.text


@pytest.mark.parametrize("method", ["prepare", "settle", "verify"])
async def test_a_rotator_that_is_not_allowed_is_refused_though_it_is_installed(host, method):
    with pytest.raises(RotationFailed) as refused:
        await getattr(host, method)(order("forgotten"))
    assert refused.value.reason == "unknown-rotator"
    with pytest.raises(RotationFailed, match="unknown-rotator"):
        await host.apply(order("forgotten"), noted_nowhere)
    with pytest.raises(RotationFailed, match="unknown-rotator"):
        await host.check_settings("forgotten", "{}")


async def test_settings_come_back_canonical_with_their_defaults(host):
    settings = '{ "extra": {"b": 2, "a": 1}, "target": "x" }'
    assert await host.check_settings("noting", settings) == '{"target":"x","tries":3,"extra":{"a":1,"b":2}}'


@pytest.mark.parametrize(
    ("rotator", "settings", "detail"),
    [
        ("noting", "{}", "Object missing required field `target`, at $"),
        ("noting", '{"target": "t", "tries": "s3cret"}', "Expected `int`, got `str`, at $.tries"),
        ("noting", '{"target": "t", "extra": {"s3cret": "s3cret"}}', "Expected `int`, got `str`, at $.extra[...]"),
        ("noting", '{"target": "t", "s3cret": 1}', "there is an unknown field, or a value that is not allowed, at $"),
        ("random", '{"kind": "s3cret"}', "there is an unknown field, or a value that is not allowed, at $.kind"),
        ("random", '{"length": 2}', "cannot make a password: it is shorter than the number of required types"),
        (
            "misbehaving",
            '{"act": "x", "path": "s3cret", "refuse": true}',
            "there is an unknown field, or a value that is not allowed, at $",
        ),
        ("noting", "s3cret", "it is no JSON"),
        ("noting", "", "it is no JSON"),
    ],
)
async def test_bad_settings_are_told_by_place_and_never_by_value(host, rotator, settings, detail):
    with pytest.raises(RotationFailed) as refused:
        await host.check_settings(rotator, settings)
    assert (refused.value.reason, refused.value.detail) == ("bad-settings", detail)
    assert "s3cret" not in repr(refused.value)


async def test_the_job_arrives_whole_and_the_candidate_comes_back(host):
    settings = {"target": "here", "tries": 9}
    made = await host.prepare(order("noting", settings=settings, journal=(b"a", b"b")))
    assert (made.value, made.text, made.journal) == (Plaintext(b"\x00\xff"), False, b"from prepare")
    here = json.loads(made.public["here"])
    assert here["settings"] == {"target": "here", "tries": 9, "extra": {}}
    assert (here["epoch"], here["current"], here["journal"]) == (7, "old value", ["a", "b"])


async def test_an_attempt_has_its_connection_and_nothing_else(host, running):
    here = json.loads((await host.prepare(order("noting"))).public["here"])
    assert json.loads(here["kinds"]) == ["/dev/null", "/dev/null", "/dev/null", "socket"]
    # Its event loop opened the rest after everything above the connection had been closed.
    assert len(here["fds"]) <= 4 + 3
    assert here["environ"] == ["LANG", "PATH"]
    assert here["core"] == [0, 0]


async def test_no_two_attempts_share_a_process_and_none_has_seen_another_rotator(host, running):
    await host.prepare(order("random", account="000000000009"))
    first, second = await asyncio.gather(
        *(host.prepare(order("noting", account=account)) for account in ("000000000001", "000000000002"))
    )
    seen = [json.loads(made.public["here"]) for made in (first, second)]
    assert len({one["pid"] for one in seen} | {running.pid}) == 3
    assert all(one["imported_in"] == one["pid"] for one in seen)
    assert all(one["rotators"] == [] for one in seen)


@pytest.mark.needs_root
async def test_the_host_itself_never_holds_a_value(host, running):
    """Reads the host's memory right after attempts ran: it forks from a process that no order ever reached."""
    await host.prepare(order("noting"))
    assert await host.apply(order("misbehaving", settings={"act": "print"}), noted_nowhere) is Outcome.APPLIED
    assert b"000000000001" in memory(running.pid)  # the heading's account did reach it, so we look in the right place
    assert CANARY.encode() not in memory(running.pid)


def memory(pid):
    found = bytearray()
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as opened:
        for line in maps:
            place, rights, *_ = line.split()
            if rights.startswith("rw") and not line.rstrip().endswith("[vvar]"):
                start, end = (int(one, 16) for one in place.split("-"))
                opened.seek(start)
                found += opened.read(end - start)
    return found


async def test_a_note_is_stored_before_the_rotator_goes_on(host):
    stored, alone = [], asyncio.Lock()

    async def note(data):
        async with alone:
            await asyncio.sleep(0.05)
            stored.append(data)

    assert await host.apply(order("noting"), note) is Outcome.REJECTED
    assert stored == [b"one", b"two"]


async def test_an_engine_that_cannot_store_a_note_stops_the_attempt_with_its_own_error(host):
    async def note(data):
        raise EOFError("the engine's own")

    with pytest.raises(EOFError, match="the engine's own"):
        await host.apply(order("noting"), note)


async def test_a_probe_tells_of_each_version(host):
    versions = [StagedSecret(word.value, Plaintext(word.value.encode())) for word in Acceptance]
    assert await host.probe(order("noting"), versions) == {word.value: word for word in Acceptance}
