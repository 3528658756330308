"""Ceremonies on the HSM: each is a keystore process of its own, beside those that serve, and answers in JSON."""

import json
import os
import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secretsd.settings import Settings
from secretsd.supervisor.identities import Identities, prepare_directories, write_softhsm2_configuration
from secretsd.supervisor.initialise import ROOT_MARK, has_root
from secretsd.supervisor.processes import SOFTHSM2, one_shot
from secretsd.supervisor.spawn import reap, run_once, spawn

DEADLINE_SECONDS = 300.0
"""Longer than any HSM takes for making, wrapping and proving a root; keys of every kind are tried for the evidence."""
MAX_DOCUMENT_BYTES = 32768
_LINE_BYTES = 65536
_ENDING_SECONDS = 10.0


class CeremonyFailed(Exception):
    """It came to nothing; the keystore process has told why on standard error."""


@dataclass(frozen=True, slots=True)
class Ceremonies:
    """The ceremonies of one state directory."""

    settings: Settings
    identities: Identities
    pin: str

    def hold(self, command: str, **further: Any) -> dict[str, Any]:
        """Hold one; its answer."""
        spec = one_shot(self.settings, self.identities, self.pin, command, **further)
        try:
            status, output = run_once(spec, DEADLINE_SECONDS)
        except TimeoutError as error:
            raise CeremonyFailed(str(error)) from None
        if status != 0:
            raise CeremonyFailed(f"cannot finish {command}; the keystore process says why above")
        return _answer(output)

    def receive(self, so_pin: str | None, wrapped: Callable[[str], bytes], patience_seconds: float) -> dict[str, Any]:
        """Receive a root: `wrapped` is told the PEM key that it has to be wrapped for, and returns the document.

        Where there is no token yet the state directory is made for it first, as at an initialisation.
        """
        new = not has_root(self.settings)
        if new:
            prepare_directories(self.settings, self.identities)
            module = Path(self.settings.keystore.module).name
            if module == SOFTHSM2 and "SOFTHSM2_CONF" not in self.settings.keystore.environment:
                write_softhsm2_configuration(self.settings.keystore_dir, self.identities.keystore)
        spec = one_shot(self.settings, self.identities, self.pin, "receive-root", so_pin=so_pin)
        output_read, output_write = os.pipe2(os.O_CLOEXEC)
        document_read, document_write = os.pipe2(os.O_CLOEXEC)
        try:
            pid, control = spawn(spec, [document_read], output_write)
        finally:
            os.close(output_write)
            os.close(document_read)
        try:
            first = _line(output_read, DEADLINE_SECONDS)
            if first:
                document = wrapped(str(_answer(first)["public_key"]))
                with suppress(BrokenPipeError):  # then it has ended, and says why
                    os.write(document_write, document[:MAX_DOCUMENT_BYTES])
            os.close(document_write)
            document_write = -1
            second = _line(output_read, patience_seconds) if first else b""
        finally:
            if document_write >= 0:
                os.close(document_write)
                # Without its document it ends by itself, and takes away the token that it has begun in memory.
                with suppress(CeremonyFailed):
                    _line(output_read, _ENDING_SECONDS)
            os.close(output_read)
            reap(pid)
            control.close()
        if not second:
            raise CeremonyFailed("cannot receive the root; the keystore process says why above")
        if new:
            Path(self.settings.state_dir, ROOT_MARK).touch(mode=0o644)
        return _answer(second)


def _line(descriptor: int, seconds: float) -> bytes:
    """The next line; empty at the end. CeremonyFailed when it does not come in time."""
    found = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while not found.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise CeremonyFailed(f"cannot go on: the keystore process said nothing for {seconds:g} s")
            part = os.read(descriptor, _LINE_BYTES)
            if not part:
                return b""
            found += part
    return found


def _answer(output: bytes) -> dict[str, Any]:
    try:
        found = json.loads(output)
    except ValueError:
        raise CeremonyFailed("cannot read what the keystore process answers") from None
    if not isinstance(found, dict):
        raise CeremonyFailed("cannot read what the keystore process answers")
    return found
