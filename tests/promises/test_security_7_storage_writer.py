"""SECURITY 7: who edits the storage's files gets an error and a loud log line, never a wrong value or a right.

Every attack is made by the files' own uid, past the daemon, while it runs; the change feed is told, so that no cache
hides the edit. Then the daemon is started again, and the attack must fail as before.
"""

import pytest

from secretsd.testing.daemon import secret_path
from tests.promises import attacks_across_accounts, attacks_on_access, attacks_on_secrets
from tests.promises.attacks import LOUD, refused
from tests.promises.attacks_on_secrets import MovesTheDefaultKey

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
# Two workers: what one has in memory must not outlive what the other was told, or what the files say.
SETTINGS = {"workers": 2}
ATTACKS = [*attacks_on_access.ATTACKS, *attacks_across_accounts.ATTACKS, *attacks_on_secrets.ATTACKS]
NAMES = [kind.__name__ for kind in ATTACKS]


@pytest.fixture(scope="module")
def attacked(target):
    """A daemon with something to attack, and every attack made once, each on things of its own."""
    target.other = target.second_account()
    target.other_token = "secretsd_" + "0" * 43
    assert target.daemon.call("GET", "/v1/caller-identity", token=target.other_token).body["account"] == target.other
    target.create("plain", "plaintext of plain")
    attacks = {kind.__name__: kind() for kind in ATTACKS}
    for attack in attacks.values():
        attack.prepare(target)
        attack.edit(target)
    return target, attacks


@pytest.mark.parametrize("name", NAMES)
def test_an_edit_gives_nothing_while_the_daemon_runs(attacked, name):
    target, attacks = attacked
    refused(target, attacks[name])


def test_a_moved_default_key_gives_nothing(attacked):
    """Last of all, because nothing works any more in the account whose row is not its own."""
    target, attacks = attacked
    attack = MovesTheDefaultKey()
    attack.prepare(target)
    attack.edit(target)
    attacks["MovesTheDefaultKey"] = attack
    refused(target, attack)


def test_what_was_not_edited_is_served_as_before(attacked):
    target, _ = attacked
    assert target.get("plain").body["text"] == "plaintext of plain"
    ann = target.user("ann", {"effect": "Allow", "action": ["GetSecretValue"], "resource": ["secret/plain"]})
    assert target.get("plain", ann).status == 200


def test_lists_tell_nothing_of_edited_rows(attacked):
    target, _ = attacked
    target.logged()
    for path in ("/v1/secrets", "/v1/users", "/v1/policies", "/v1/bindings"):
        answer = target.daemon.call("GET", path)
        assert (answer.status, answer.kind) == (500, "internal"), path
    assert target.logged().count(LOUD) >= 4


@pytest.fixture(scope="module")
def restarted(attacked):
    target, attacks = attacked
    target.daemon.stop()
    target.daemon.start()
    return target, attacks


@pytest.mark.parametrize("name", [*NAMES, "MovesTheDefaultKey"])
def test_an_edit_gives_nothing_after_a_restart(restarted, name):
    target, attacks = restarted
    refused(target, attacks[name])


def test_a_replayed_row_is_found_by_its_event(restarted):
    """A whole older row carries its own good authenticator: the event of the last change is what tells.

    The revision and the authenticator that the newest event names are those of the row, or the row was put back.
    """
    target, _ = restarted
    target.create("replayed", "old plaintext of replayed")
    columns = "stages, changed_ms, next_number, version_count, revision, row_mac"
    (old,) = target.files.read(f"SELECT {columns} FROM secrets WHERE name = 'replayed'")
    target.ok("PUT", secret_path("replayed", "value"), {"text": "new plaintext of replayed"})

    def newest_named():
        events = target.daemon.events(resource=f"secretsd:{target.account}:secret/replayed")
        rows = [row for event in events for row in event.get("changes", ()) if row[0] == "secrets"]
        return max((row[2], row[3]) for row in rows)

    def stored():
        ((revision, mac),) = target.files.read("SELECT revision, row_mac FROM secrets WHERE name = 'replayed'")
        return revision, mac.hex()

    assert stored() == newest_named()
    change = (f"UPDATE secrets SET ({columns}) = (?, ?, ?, ?, ?, ?) WHERE name = 'replayed'", old)
    assert target.files.write(change)
    assert stored() != newest_named()
