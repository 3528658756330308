"""Ceremonies for tests: each as its own keystore process, and one that receives a root while the test goes on."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from secretsd.testing import softhsm
from secretsd.testing.softhsm import SoftHSM, run_once

OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def ceremony(token: SoftHSM, command: str, **more: Any) -> dict[str, Any]:
    """What a ceremony answers; RuntimeError with its refusal."""
    status, output, errors = run_once(token.configuration(command, **more))
    if status != 0:
        raise RuntimeError(errors)
    return json.loads(output)


def blank(directory: Path) -> SoftHSM:
    """A place for a token, and a PIN for it."""
    for name in ("tokens", "data"):
        (directory / name).mkdir(parents=True, mode=0o700)
    settings = directory / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {directory}/tokens\nlog.level = ERROR\n")
    return SoftHSM(directory, softhsm.softhsm_module(), "the other PIN", {"SOFTHSM2_CONF": str(settings)}, {})


class Receiver:
    """A ceremony that waits for a root. `public_key` is what it has to be wrapped for."""

    def __init__(self, token: SoftHSM, **more: Any) -> None:
        self._control, theirs = socket.socketpair()
        output_read, output_write = os.pipe()
        error_read, error_write = os.pipe()
        document_read, self._document = os.pipe()
        places = {1: output_write, 2: error_write, 3: theirs.fileno(), 4: document_read}
        self.pid = softhsm._spawn(token.configuration("receive-root", **more), places, token.uid)
        for descriptor in (output_write, error_write, document_read):
            os.close(descriptor)
        theirs.close()
        self._output, self._errors = os.fdopen(output_read), os.fdopen(error_read)
        line = self._output.readline()
        if not line:
            self.end()
            raise RuntimeError(self.errors)
        self.public_key: str = json.loads(line)["public_key"]

    def give(self, document: Any) -> dict[str, Any]:
        """Hand over what came; what the ceremony answers, or RuntimeError with its refusal."""
        os.write(self._document, json.dumps(document).encode())
        line = self.end()
        if not line:
            raise RuntimeError(self.errors)
        return json.loads(line)

    def end(self) -> str:
        os.close(self._document)
        with self._output, self._errors:
            line, self.errors = self._output.readline(), self._errors.read()
        os.waitpid(self.pid, 0)
        self._control.close()
        return line


def rotate(root: SoftHSM, **more: Any) -> dict[str, Any]:
    return ceremony(root, "rotate-root", **({"so_pin": root.initialised["so_pin"], "refuse_recovery": True} | more))
