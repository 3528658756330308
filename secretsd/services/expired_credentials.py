"""Expired credentials: tokens and sessions whose time is over prove nobody, and are taken away an hour later."""

from collections.abc import Sequence

from secretsd.operations.expired_credentials import AT_ONCE, KEPT_MS, ForgetExpiredCredentialsRequest
from secretsd.services.due_steps import DueStep, DueSteps


class ExpiredCredentials(DueSteps):
    """Takes them away, some in each account by a step of its own."""

    lease = "expired-credentials"
    operation = "ForgetExpiredCredentials"
    verb = "take away expired credentials"

    async def due(self, now_ms: int) -> Sequence[DueStep]:
        """Accounts of which tokens or sessions are over since an hour."""
        proofs, before_ms = self._storage.proofs, now_ms - KEPT_MS
        accounts = {one.account for one in await proofs.expired_tokens(before_ms, AT_ONCE)}
        accounts |= {one.account for one in await proofs.expired_sessions(before_ms, AT_ONCE)}
        return [DueStep(one, ForgetExpiredCredentialsRequest(), f"account {one}") for one in sorted(accounts)]
