"""Errors as people read them: the cause, the state things are in, the next command; and the exit code for scripts."""

import sys
from dataclasses import dataclass

import typer

from secretsd.cli.ctl.output import printable
from secretsd.client.errors import ClientError, DaemonUnavailable, UnreadableAnswer
from secretsd.domain.errors import ErrorKind, SecretsdError

FAILED, NOT_FOUND, DENIED, KEY_STORE_AWAY, QUARANTINED = 1, 3, 4, 5, 6
UNCHANGED = "nothing was changed"


@dataclass(frozen=True, slots=True)
class Advice:
    """What follows from an error: the exit code, the state things are in and what to do next."""

    code: int
    state: str
    following: str


ADVICE: dict[ErrorKind, Advice] = {
    ErrorKind.INVALID_REQUEST: Advice(FAILED, UNCHANGED, "secretsctl COMMAND --help"),
    ErrorKind.UNAUTHENTICATED: Advice(
        DENIED, UNCHANGED, "secretsctl --token-file FILE …; or have your uid bound by secretsctl binding create"
    ),
    ErrorKind.ACCESS_DENIED: Advice(
        DENIED, UNCHANGED, "secretsctl whoami tells who you are; an administrator attaches policies to that user"
    ),
    ErrorKind.NOT_FOUND: Advice(
        NOT_FOUND,
        UNCHANGED,
        "secretsctl ls shows the secrets that are there, secretsctl key ls keys, secretsctl account list accounts",
    ),
    ErrorKind.ALREADY_EXISTS: Advice(
        FAILED, UNCHANGED, "secretsctl describe NAME or secretsctl key describe KEY shows what is there"
    ),
    ErrorKind.CONFLICT: Advice(
        FAILED, UNCHANGED, "secretsctl describe NAME or secretsctl key describe KEY, then the same command again"
    ),
    ErrorKind.INVALID_STATE: Advice(
        FAILED, UNCHANGED, "secretsctl describe NAME or secretsctl key describe KEY shows its state"
    ),
    ErrorKind.KEY_DISABLED: Advice(FAILED, UNCHANGED, "secretsctl key describe KEY shows its state"),
    ErrorKind.UNSUPPORTED: Advice(FAILED, UNCHANGED, "secretsd check --hsm shows what this HSM can do"),
    ErrorKind.INVALID_KEY_USAGE: Advice(FAILED, UNCHANGED, "secretsctl key describe KEY shows its usage"),
    ErrorKind.INVALID_CIPHERTEXT: Advice(FAILED, UNCHANGED, "the same command with the ciphertext as it was made"),
    ErrorKind.LIMIT_EXCEEDED: Advice(FAILED, UNCHANGED, "make room, or stay below the limit"),
    ErrorKind.ROTATION_IN_PROGRESS: Advice(FAILED, UNCHANGED, "the same command in a moment"),
    ErrorKind.THROTTLED: Advice(FAILED, UNCHANGED, "the same command in a moment"),
    ErrorKind.KEYSTORE_UNAVAILABLE: Advice(
        KEY_STORE_AWAY, UNCHANGED, "secretsctl status; the daemon comes back by itself"
    ),
    ErrorKind.STORAGE_UNAVAILABLE: Advice(FAILED, UNCHANGED, "secretsctl status; then look for a full disk"),
    ErrorKind.INTERNAL: Advice(FAILED, "what was asked did not succeed", "journalctl -u secretsd has the cause"),
}
NOT_SENT = Advice(FAILED, "nothing was sent", "secretsctl --help")
AWAY = Advice(
    FAILED, "nothing was sent", "systemctl status secretsd; or --socket PATH, --addr URL if it listens elsewhere"
)
UNKNOWN = Advice(FAILED, "what was asked may have happened or not", "secretsctl status, then look before you repeat it")


class Quarantined(ClientError):
    """cannot go on with the rotation: it is in quarantine

    `following` is what a person does next.
    """

    def __init__(self, message: str | None = None, following: str | None = None) -> None:
        super().__init__(message)
        self.following = following or "secretsctl rotation explain NAME, then secretsctl rotation resume NAME"


def advice_for(error: SecretsdError) -> Advice:
    """What follows from the error."""
    if isinstance(error, Quarantined):
        return Advice(
            QUARANTINED, "the value that was proved last is served; no further attempt is made", error.following
        )
    if isinstance(error, DaemonUnavailable):
        return UNKNOWN if error.sent else AWAY
    if isinstance(error, UnreadableAnswer):
        return UNKNOWN
    return NOT_SENT if isinstance(error, ClientError) else ADVICE[error.kind]


def report(error: SecretsdError) -> int:
    """Write the error to standard error and return the exit code."""
    advice = advice_for(error)
    notes = [f"  {printable(note)}\n" for note in getattr(error, "__notes__", ())]
    sys.stderr.write(
        f"secretsctl: {printable(error.message)}\n  state: {advice.state}\n  next: {advice.following}\n{''.join(notes)}"
    )
    return advice.code


def explain_output(error: OSError) -> int:
    """Write that the answer could not be written, and return the exit code."""
    sys.stderr.write(
        f"secretsctl: cannot write the answer: {error.strerror}\n"
        "  state: what was asked is done, only its answer is lost\n"
        "  next: make room where the answer should go, then ask again\n"
    )
    return FAILED


def explain_usage(error: typer.TyperException) -> int:
    """Write what is wrong with the command line; surplus words are not repeated, for one could be a value."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "secretsctl"
    text = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(text + "\n" if text.strip() else "")  # mostly the help was printed while it was made
        return FAILED
    if text.startswith("Got unexpected extra argument"):
        text = "there are more words than it takes; values come from standard input (-) or a file (@FILE)"
    text = text[:1].lower() + text[1:]
    sys.stderr.write(
        f"secretsctl: cannot run {command}: {printable(text)}\n  state: nothing was sent\n  next: {command} --help\n"
    )
    return FAILED
