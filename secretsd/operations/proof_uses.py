"""When tokens, access keys and sessions were used last: kept in memory, and written now and then.

It decides nothing, so it is no write a call: a worker that is killed takes the last 30 seconds of it along.
"""

from collections.abc import Iterable, Mapping

from secretsd.domain.principals import Principal
from secretsd.operations.access_key_proofs import KIND, key_of_proof
from secretsd.ports.storage import ProofUse, Storage

MAX_NOTED = 50_000
"""Most proofs of which a worker remembers the use until it is written; of further ones it is not told."""
DAY_MS = 24 * 3600 * 1000
_MADE_HERE = "token/", KIND, "session/"
"""How proofs begin that are listed to people with their last use; units, uids, certificates and JWTs are not."""
KEPT_MS = 400 * DAY_MS
"""So long ago is as good as never."""


class ProofUses:
    """One a worker."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._noted: dict[str, tuple[str, int, str, str]] = {}

    def note(self, principal: Principal, now_ms: int, source: str, operation: str) -> None:
        """Remember that the principal's proof was used. Every call does this: it has to cost next to nothing."""
        proof, noted = principal.proof, self._noted
        if proof in noted or (proof.startswith(_MADE_HERE) and len(noted) < MAX_NOTED):
            noted[proof] = principal.account, now_ms, source, operation

    async def flush(self) -> None:
        """Write what was noted. StorageUnavailable: then it is kept for the next time."""
        noted, self._noted = self._noted, {}
        try:
            await self._storage.audit.note_uses(tuple(_uses(noted).values()))
        except BaseException:
            # What was noted meanwhile is later, and what has no room any more is forgotten.
            for proof, use in noted.items():
                if len(self._noted) >= MAX_NOTED:
                    break
                self._noted.setdefault(proof, use)
            raise

    async def last(self, proofs: Iterable[str]) -> Mapping[str, ProofUse]:
        """The last use of each of the proofs, as far as it was written by any worker or noted by this one."""
        wanted = tuple(proofs)
        found = {use.proof: use for use in await self._storage.audit.uses(wanted)}
        noted = _uses(self._noted)
        for proof in wanted:
            if proof in noted and (proof not in found or found[proof].time_ms <= noted[proof].time_ms):
                found[proof] = noted[proof]
        return found


def _uses(noted: Mapping[str, tuple[str, int, str, str]]) -> dict[str, ProofUse]:
    """By what is listed to people: a token that was got for an access key counts as that one."""
    found: dict[str, ProofUse] = {}
    for proof, (account, time_ms, source, operation) in noted.items():
        name, kept_ms = _listed(proof)
        if name not in found or found[name].time_ms <= time_ms:
            found[name] = ProofUse(name, account, time_ms, source, operation, time_ms + kept_ms)
    return found


def _listed(proof: str) -> tuple[str, int]:
    """The name under which the use of a proof is kept, and for how long."""
    if proof.startswith(KIND):
        return KIND + key_of_proof(proof), KEPT_MS
    if proof.startswith("session/"):
        return "/".join(proof.split("/", 2)[:2]), DAY_MS
    return proof, KEPT_MS
