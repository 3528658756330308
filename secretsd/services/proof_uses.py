"""Last uses of proofs: written every half a minute by each worker, and once more when it ends."""

import asyncio
import logging

from secretsd.domain.errors import SecretsdError
from secretsd.operations.proof_uses import ProofUses

log = logging.getLogger("secretsd.proof_uses")
PAUSE_SECONDS = 30.0


class NotedUses:
    """One a worker."""

    def __init__(self, uses: ProofUses) -> None:
        self._uses = uses

    async def run(self) -> None:
        """Until cancelled: pause, then write."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.ensure()

    async def ensure(self) -> None:
        """Write what was noted; what cannot be written now is tried again the next time."""
        try:
            await self._uses.flush()
        except SecretsdError as error:
            log.warning("cannot write when proofs were used last: %s", error.kind.value)
