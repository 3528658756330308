"""Refusals: from whatever went wrong to the error that is answered, and the event where nothing was recognised yet."""

import logging
from collections.abc import Mapping
from traceback import walk_tb

from secretsd.domain.audit import AuditEvent
from secretsd.domain.errors import Internal, InvalidState, SecretsdError
from secretsd.domain.names import SYSTEM_ACCOUNT
from secretsd.domain.principals import Principal
from secretsd.operations.authenticator import Caller
from secretsd.operations.tls_proofs import CertificateRefused
from secretsd.ports.rotator import RotationFailed

log = logging.getLogger("secretsd.pipeline")


def known(error: Exception) -> SecretsdError:
    """The error of ours that it is; Internal for what nobody foresaw, which the log tells without quoting anything."""
    if isinstance(error, RotationFailed):
        return InvalidState(f"cannot go on with the rotation: {error.reason}")
    if isinstance(error, SecretsdError) and not isinstance(error, Internal):
        return error
    # Names and places only: an exception's text may quote what it choked on.
    trail = [f"{frame.f_code.co_filename.rpartition('/')[2]}:{line}" for frame, line in walk_tb(error.__traceback__)]
    log.error("cannot go on: %s at %s", type(error).__name__, " > ".join(trail[-8:]))
    return error if isinstance(error, SecretsdError) else Internal()


def refused_early(
    operation: str,
    principal: Principal | None,
    request_id: bytes,
    now_ms: int,
    caller: Caller,
    error: SecretsdError,
    fields: Mapping[str, str],
) -> AuditEvent:
    """The event of a request that was refused before anybody knew what it acts on."""
    account = principal.account if principal else SYSTEM_ACCOUNT
    proved = (str(principal.resource), principal.proof) if principal else ("", "")
    kind = error.kind.value
    if isinstance(error, CertificateRefused):
        fields = {**fields, "certificate": error.reason}
    return AuditEvent(request_id, now_ms, (account,), *proved, caller.source, operation, "", kind, fields)
