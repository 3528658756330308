"""What each state and typed reason of a rotation means, and what a person does next; more is never told of a failure.

NAME stands for the secret, TARGET for the target, ROTATOR for the rotator. A rotation in quarantine is resumed after
that; any other one tries again by itself. A reason that a rotator of somebody else's brings along is not here;
`reason_of` says then what can be said of any.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from secretsd.domain.rotation import RotationState

STATES: Mapping[RotationState, str] = {
    RotationState.IDLE: "nothing is under way",
    RotationState.CHECK_IDLE: "it waits until nobody uses the login that is next",
    RotationState.CANDIDATE_STORED: "a new value is stored, and the target has not been touched yet",
    RotationState.APPLYING: "the new value is on its way to the target",
    RotationState.RESOLVING: "it is being found out which value the target accepts",
    RotationState.VERIFYING: "the target took the new value, which is being proved",
    RotationState.DRAINING: "the new value is served, and the one before stays good for its grace",
    RotationState.REVOKING: "the value before is being taken back at the target",
    RotationState.ROLLING_BACK: "the target is being put back on the value before",
    RotationState.QUARANTINED: "it is stopped until a person has looked",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """`meaning` is the cause in words; `action` is the next human action, "" where it goes on by itself."""

    meaning: str
    action: str = ""


_WAIT = "see to the target if it lasts: it is asked again and again, however long"
_SETTINGS = "set it up again with other settings: secretsctl rotate NAME --settings @FILE"
_PLUGIN = "report it to whoever wrote the rotator; the log of the rotator host names the line"
_DATABASE_ADMIN = "put it right in the database"
_LOG = "the daemon's log has the cause: journalctl -u secretsd"

_ENGINE: dict[str, Reason] = {
    "interrupted": Reason("a step was cut off, so what became of it is found out first"),
    "unknown": Reason("the target's answer was lost, so what became of the change is found out first"),
    "probe-unclear": Reason("the target cannot be asked now which version it accepts", _WAIT),
    "rejected": Reason(
        "the target refuses this new value for good; the next attempt makes another one",
        "compare the settings of the rotation with the target's rules for passwords if it comes again",
    ),
    "not-applied": Reason(
        "attempt after attempt the target did not take the new value, without refusing it",
        "find out at the target why a change does not stay (replication, a job that sets passwords)",
    ),
    "no-version-accepted": Reason(
        "the target accepts none of the values that are kept, so somebody changed the login there",
        "have an operator give TARGET an administrator (UpdateTarget), or set the current value there by hand",
    ),
    "older-version-accepted": Reason(
        "the target was on an older value, as after a restore from a backup; that one is proved and served",
        "find out who put the target back",
    ),
    "cancelled": Reason(
        "somebody cancelled it, and the value before is good", "secretsctl rotation resume NAME starts its clock again"
    ),
    "restore-rejected": Reason(
        "the target refuses to take the value before back",
        "see at the target why it refuses a value that was good (password history?)",
    ),
    "restore-unknown": Reason("the answer to the way back was lost"),
    "restored-but-refused": Reason(
        "the way back was made, and yet the target refuses the value before",
        "look at the login at the target (locked, expired, another server?)",
    ),
    "too-many-notes": Reason("the rotator noted more than may be kept of one attempt", _PLUGIN),
    "grace-not-over": Reason(
        "the login that is next was replaced so short a time ago that applications may still use it"
    ),
    "login-in-use": Reason(
        "somebody is still logged in as the login that is next, which must not change under them",
        "end these sessions at the target if it lasts: whoever keeps one does not fetch the secret again",
    ),
    "target-not-allowed": Reason(
        "the account may not use the target, or not with these logins, or the target is gone",
        "have an operator allow the logins to the account at TARGET (UpdateTarget)",
    ),
    "target-credential-unreadable": Reason(
        "the administrator's credential does not belong to the target's address any more",
        "have an operator enter the administrator's password of TARGET again (UpdateTarget)",
    ),
}

_ROTATOR_HOST: dict[str, Reason] = {
    "host-away": Reason("the rotator host does not answer", "systemctl status secretsd-rotator if it lasts"),
    "timed-out": Reason("the rotator did not end in time and was stopped", "see whether the target hangs"),
    "crashed": Reason("the rotator ended without an answer", _PLUGIN),
    "unknown-rotator": Reason(
        "secretsd.yaml does not name the rotator any more",
        "name ROTATOR under rotation.rotators in secretsd.yaml and restart",
    ),
    "bad-settings": Reason("the settings do not fit the rotator, or not these logins", _SETTINGS),
    "unable": Reason("the rotator does not have a step that this rotation needs", _PLUGIN),
}

_ROTATORS: dict[str, Reason] = {
    "no-candidate": Reason("the rotator was given no new value to work with", _LOG),
    "no-target": Reason(
        "the rotation names no target or no login", "name them: secretsctl rotate NAME --target TARGET --login LOGIN"
    ),
    "not-settled": Reason(
        "an earlier attempt still has a session or a transaction at the target", "end it at the target if it lasts"
    ),
    "own-admin": Reason(
        "the login to be rotated is the target's own administrator, which would lock itself out",
        "rotate another login, or have an operator give TARGET another administrator",
    ),
    "another-session-user": Reason(
        "the target lets the login in as somebody else (a user map, a pooler)",
        "let the target's address lead to the database itself",
    ),
    "candidate-refused": Reason(
        "the new value was applied, and yet the target refuses it",
        "look for a server behind the address that is another one, or behind (pooler, replica)",
    ),
    "admin-refused": Reason(
        "the target refuses its administrator",
        "have an operator enter the administrator's password of TARGET again (UpdateTarget)",
    ),
    "current-refused": Reason(
        "the login changes itself, and the target refuses what is kept of it",
        "have an operator give TARGET an administrator (UpdateTarget), or set the current value there by hand",
    ),
    "statement-failed": Reason("the target refused a statement", "the target's own log says which one and why"),
    "value-unreadable": Reason(
        "a version of the secret does not say user name and password in the form of the rotator",
        "put a value in that form: a JSON object with username and password, or the password alone",
    ),
    "another-login": Reason(
        "a version of the secret names another login than the rotation",
        "put a value with one of its logins, or name that login: secretsctl rotate NAME --login LOGIN",
    ),
    "no-password-known": Reason(
        "the login changes itself, and no version of the secret has a password of it",
        "put its password as a version of NAME, or have an operator give TARGET an administrator (UpdateTarget)",
    ),
    "unsupported-version": Reason("the target's version is not one that the rotator knows", "update one of the two"),
    "role-missing": Reason("the login is not there", _DATABASE_ADMIN),
    "role-cannot-log-in": Reason("the login may not log in (NOLOGIN)", _DATABASE_ADMIN),
    "role-expired": Reason("the login's time is over (VALID UNTIL)", _DATABASE_ADMIN),
    "insufficient-privilege": Reason(
        "whoever makes the change may not change that login",
        "grant it at the target, as docs/guides/rotate-postgresql.md says for each way to set it up",
    ),
    "function-refused": Reason(
        "the function that makes the change at the target refused it", "compare its list of logins with the rotation"
    ),
    "function-missing": Reason(
        "the function that makes the change is not there, or takes other arguments", _DATABASE_ADMIN
    ),
    "foreign-mark": Reason(
        "another secret has changed that login: its mark stands at the target",
        "find out which one rotates it and stop that; remove the mark from the login's comment",
    ),
    "later-epoch": Reason(
        "a later owner of this secret has changed that login, so this storage is an old one",
        "run one daemon for each secret; after a restore replay the escrow first",
    ),
    "role-busy": Reason("somebody else was changing the login at that moment"),
    "logins-differ": Reason(
        "the two logins differ in more than name and password, so taking turns would break applications",
        "make attributes, memberships and settings of the two alike",
    ),
    "tls-not-verified": Reason(
        "the target's certificate does not prove that it is the one that is named",
        "have an operator put host name or CA of TARGET right (UpdateTarget)",
    ),
    "scram-not-offered": Reason(
        "the target asks for a weaker proof than SCRAM", "let pg_hba.conf ask this login for scram-sha-256"
    ),
    "database-missing": Reason("the target does not have the database that its address names", _DATABASE_ADMIN),
    "login-failed": Reason("the target refused the connection, not the password", "the target's own log says why"),
    "too-many-iterations": Reason(
        "the target asks for more rounds of hashing than can be made in time", "lower scram_iterations there"
    ),
    "target-unreachable": Reason("the target does not answer", _WAIT),
    "target-starting": Reason("the target is starting", _WAIT),
    "target-stopping": Reason("the target is stopping", _WAIT),
    "target-slow": Reason("the target did not end a statement in time", _WAIT),
    "target-in-recovery": Reason("the target is a standby, or is recovering, and takes no changes", _WAIT),
    "target-read-only": Reason("the target takes no changes now", _WAIT),
    "target-too-many-connections": Reason("the target has no connection left", _WAIT),
    "target-disk-full": Reason("the target's disk is full", _WAIT),
    "target-out-of-memory": Reason("the target is out of memory", _WAIT),
    "target-limit-exceeded": Reason("a limit of the target is reached", _WAIT),
}

_ERROR_KINDS: dict[str, Reason] = {
    "invalid-request": Reason("the daemon does not accept what the rotator made, such as a value too long", _SETTINGS),
    "unauthenticated": Reason("the rotation's own principal was not accepted", _LOG),
    "access-denied": Reason(
        "the rotation may not use a key or target that it needs", "look at the policies that speak of them"
    ),
    "not-found": Reason(
        "something that the rotation needs is gone: a version, a key, the secret itself", "secretsctl describe NAME"
    ),
    "already-exists": Reason("what a step was to store is there already"),
    "conflict": Reason("something else was changed at the same time"),
    "invalid-state": Reason("the secret or its rotation was not as the step needs it", "secretsctl describe NAME"),
    "key-disabled": Reason(
        "the key that guards the secret is disabled",
        "secretsctl key describe KEY shows its state; or give the secret another key",
    ),
    "invalid-key-usage": Reason("the key that guards the secret is none for encryption", "give the secret another key"),
    "invalid-ciphertext": Reason("a stored value cannot be opened: storage and key store do not fit together", _LOG),
    "unsupported": Reason(
        "this HSM does not offer what the key was made for", "secretsd check --hsm shows what it can do"
    ),
    "limit-exceeded": Reason(
        "the secret has as many versions as it may have",
        "rotate it less often: versions without a stage are kept for a day",
    ),
    "rotation-in-progress": Reason("another rotation of the secret is under way"),
    "throttled": Reason("the daemon had too much to do"),
    "keystore-unavailable": Reason("the key store is away", "secretsctl status; it goes on by itself once it is back"),
    "storage-unavailable": Reason("the storage is away", "secretsctl status; it goes on by itself once it is back"),
    "internal": Reason("something failed that should not", _LOG),
}

REASONS: Mapping[str, Reason] = _ENGINE | _ROTATOR_HOST | _ROTATORS | _ERROR_KINDS
UNKNOWN = Reason("the rotator gave a reason of its own", "look it up where ROTATOR is documented")
NOTHING = Reason("")


def reason_of(word: str) -> Reason:
    """What the word means; NOTHING for none, UNKNOWN for one that is not in the table."""
    return REASONS.get(word, UNKNOWN) if word else NOTHING
