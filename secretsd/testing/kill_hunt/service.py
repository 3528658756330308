"""Says when everything is served again: a read, a durable write under the HSM's key, and the rotator host."""

import random
import time

from secretsd.testing.kill_hunt.caller import Caller, Unanswered
from secretsd.testing.kill_hunt.journal import Request
from secretsd.testing.kill_hunt.owner import Owner
from secretsd.testing.kill_hunt.plan import Kind
from secretsd.testing.kill_hunt.secret_owner import SecretOwner, Values

LONGEST_SECONDS = 60.0
PAUSE_SECONDS = 0.002


class Service:
    """A probe with a connection and a secret of its own."""

    def __init__(self, caller: Caller, rng: random.Random, account: str, values: Values) -> None:
        self._caller = caller
        self._secret = SecretOwner(caller, rng, account, values, "probe")
        self._rotators = Request("ListRotators", "GET", "/v1/rotators", f"secretsd:{account}:rotator/*")

    @property
    def owner(self) -> Owner:
        """The probe's secret, to be verified in the end."""
        return self._secret

    def wait(self) -> None:
        """Return once all three were answered with success after each other; RuntimeError after a minute."""
        deadline = time.monotonic() + LONGEST_SECONDS
        for served in (self._reads, self._writes, self._rotates):
            while not served():
                if time.monotonic() > deadline:
                    raise RuntimeError(f"cannot be served again within {LONGEST_SECONDS:g} s")
                time.sleep(PAUSE_SECONDS)

    def _reads(self) -> bool:
        answer = self._secret.do(self._secret.act(Kind.READ))
        return answer is not None and answer.status == 200

    def _writes(self) -> bool:
        answer = self._secret.do(self._secret.act(Kind.PUT))
        return answer is not None and answer.status == 200

    def _rotates(self) -> bool:
        try:
            return self._caller.call(self._rotators).status == 200
        except Unanswered:
            return False
