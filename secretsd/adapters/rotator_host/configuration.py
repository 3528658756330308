"""The rotator host's configuration, as the supervisor hands it over."""

import msgspec


class RotatorHostConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rotators` are the names that may load, `allowed_uids` who may connect to the listening socket `listen_fd`.

    An attempt may ask for at most `attempt_seconds`; at most `max_attempts` run at a time, more wait in the backlog.
    """

    rotators: tuple[str, ...]
    allowed_uids: tuple[int, ...]
    listen_fd: int = 4
    attempt_seconds: float = 300.0
    max_attempts: int = 8
