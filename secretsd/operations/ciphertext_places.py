"""Every place where a ciphertext under a CMK is stored: what has to be moved, and be nowhere, before a version goes.

- `SecretVersion` and its `SealedValue`: the data key of each value. The value names its data key by a digest of the
  data key's ciphertext and binds that name, so a value is sealed anew under a new data key, never just re-wrapped.
- `Rotation.journal` and `.kept`: what a rotator noted about the candidate and about older versions.
- `Target.admin`: the credential of a target's administrator, under the key of account `system`.
- `AccessKey.secret` and `Session.secret`, under the default key of their account.
- The escrow: candidates with their data keys, and the notes of their rotations, outside storage.
What Encrypt and GenerateDataKey gave out is in nobody's storage but the caller's. Import tokens, under an account's
default key, are the caller's as well and live for a day: one whose key version is gone is asked for anew. Data keys
that workers hold unwrapped need no key. An older backup needs the versions of its time: what was destroyed since is
gone from it too (SECURITY 5).
"""

import base64

from secretsd.domain.envelope import CiphertextHeader
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.keys import CMK
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.reencryption import Place
from secretsd.domain.rotation import Rotation
from secretsd.domain.targets import Target
from secretsd.operations.call import Call
from secretsd.ports.escrow import EscrowEntry

PAGE = 100
WORDS = {
    Place.SECRET_VERSION: "secret version(s)",
    Place.ROTATION_NOTE: "rotation(s) with notes",
    Place.TARGET: "target(s)",
    Place.ACCESS_KEY: "access key(s)",
    Place.SESSION: "session(s)",
    Place.ESCROW: "escrow entry(s)",
}


def is_under(sealed: str, key: CMK, below: int) -> bool:
    """True for a ciphertext in base64 under one of the key's versions below that one."""
    try:
        header, _, _ = CiphertextHeader.split(base64.b64decode(sealed))
    except (InvalidCiphertext, ValueError):
        return False  # empty, or none of ours: no key opens it
    return header.key_id == key.id and header.key_version < below


def notes_under(rotation: Rotation, key: CMK, below: int) -> bool:
    """True where one of the rotation's notes is under such a version."""
    return any(is_under(note, key, below) for note in (*rotation.journal, *rotation.kept.values()))


def admin_under(target: Target, key: CMK, below: int) -> bool:
    """True where the target's administrator is sealed under such a version."""
    return key.account == SYSTEM_ACCOUNT and is_under(target.admin, key, below)


def entry_under(entry: EscrowEntry, key: CMK, below: int) -> bool:
    """True where an entry of the escrow needs such a version."""
    version = entry.version
    if version.account != key.account:
        return False
    needed = version.key_id == key.id and version.key_version < below
    return needed or notes_under(entry.rotation, key, below)


async def count(call: Call, key: CMK, below: int) -> dict[Place, int]:
    """How many of each kind are under versions of the key below that one, as they are stored now; zeros left out."""
    storage = call.parts.storage
    found = {
        Place.SECRET_VERSION: await storage.keys.guard_count(key.id, below),
        Place.ROTATION_NOTE: 0,
        Place.TARGET: 0,
        Place.ACCESS_KEY: 0,
        Place.SESSION: 0,
        Place.ESCROW: len(await call.parts.escrow.entries(lambda entry: entry_under(entry, key, below))),
    }
    after = ""
    while rotations := await storage.rotations.page(key.account, after, PAGE):
        found[Place.ROTATION_NOTE] += sum(notes_under(rotation, key, below) for rotation in rotations)
        after = rotations[-1].secret_id
    after = ""
    while key.account == SYSTEM_ACCOUNT and (targets := await storage.targets.page(after, PAGE)):
        found[Place.TARGET] += sum(admin_under(target, key, below) for target in targets)
        after = targets[-1].name
    after = ""
    while access_keys := await storage.proofs.access_keys_of_account(key.account, after, PAGE):
        found[Place.ACCESS_KEY] += sum(is_under(one.secret, key, below) for one in access_keys)
        after = access_keys[-1].id
    after = ""
    while sessions := await storage.proofs.sessions_of_account(key.account, after, PAGE):
        found[Place.SESSION] += sum(is_under(one.secret, key, below) for one in sessions)
        after = sessions[-1].digest
    return {place: number for place, number in found.items() if number}


def in_words(found: dict[Place, int]) -> str:
    """`3 secret version(s), 1 target(s)`: what a refusal names."""
    return ", ".join(f"{number} {WORDS[place]}" for place, number in found.items())
