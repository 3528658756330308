"""Where a SoftHSM2 token is made: in memory first, then moved whole to its place.

A token that appears at once in its final directory leaves nothing half made behind when its creation is interrupted,
and nothing that its making wrote in clear on the way ever reaches a disk.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from secretsd.adapters.pkcs11.durable_files import sync_directory
from secretsd.adapters.pkcs11.faults import ModuleRefused

_SETTING = "SOFTHSM2_CONF"
_TOKEN_DIRECTORY = "directories.tokendir"
_IN_MEMORY = ("tmpfs", "ramfs")
_CANDIDATES = ("/dev/shm", "/run", "/tmp")  # noqa: S108  # only as places whose file system is looked up


@contextmanager
def staged(environment: Mapping[str, str]) -> Iterator["Staging"]:
    """A staging place for the token that `environment` points to; what was not moved is gone afterwards.

    A module other than SoftHSM2 keeps its own storage: then there is nothing to stage, and `move` does nothing.
    ModuleRefused where no file system in memory can be written.
    """
    if _SETTING not in environment:
        yield Staging({}, None, None)
        return
    configuration = Path(environment[_SETTING])
    lines = _lines(configuration)
    final = _token_directory(configuration, lines)
    place = Path(tempfile.mkdtemp(prefix="secretsd-token-", dir=_memory()))
    try:
        tokens = place / "tokens"
        tokens.mkdir(mode=0o700)
        others = [line for line in lines if line.partition("=")[0].strip() != _TOKEN_DIRECTORY]
        staged_configuration = place / "softhsm2.conf"
        staged_configuration.write_text("\n".join([*others, f"{_TOKEN_DIRECTORY} = {tokens}", ""]))
        yield Staging({_SETTING: str(staged_configuration)}, tokens, final)
    finally:
        shutil.rmtree(place)


class Staging:
    """`environment` is what the library must see while the token is made."""

    def __init__(self, environment: Mapping[str, str], tokens: Path | None, final: Path | None) -> None:
        self.environment = environment
        self._tokens, self._final = tokens, final

    def move(self) -> None:
        """Put the token in its place: copied and fsynced under another name, then renamed."""
        if self._tokens is None or self._final is None:
            return
        for token in self._tokens.iterdir():
            if not (token / "token.object").is_file():
                continue
            arriving = self._final / f".{token.name}.arriving"
            shutil.copytree(token, arriving)
            for file in arriving.iterdir():
                descriptor = os.open(file, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)
            sync_directory(arriving)
            arriving.chmod(0o700)
            arriving.rename(self._final / token.name)
            sync_directory(self._final)


def _lines(configuration: Path) -> list[str]:
    try:
        return configuration.read_text().splitlines()
    except OSError:
        raise ModuleRefused(f"cannot read {configuration}, which {_SETTING} names") from None


def _token_directory(configuration: Path, lines: list[str]) -> Path:
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == _TOKEN_DIRECTORY:
            directory = Path(value.strip())
            if not directory.is_dir():
                raise ModuleRefused(f"cannot create a token in {directory}: there is no such directory")
            return directory
    raise ModuleRefused(f"cannot create a token: {configuration} names no {_TOKEN_DIRECTORY}")


def _memory() -> Path:
    """A writable directory on a file system in memory, by the kernel's own list of mounts."""
    kinds = {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split(" ")
        kinds[where] = kind
    for candidate in (os.environ.get("XDG_RUNTIME_DIR", ""), *_CANDIDATES):
        if not candidate or not os.access(candidate, os.W_OK | os.X_OK):
            continue
        path = Path(candidate).resolve()
        mount = next(str(above) for above in (path, *path.parents) if str(above) in kinds)
        if kinds[mount] in _IN_MEMORY:
            return path
    raise ModuleRefused("cannot create the root key: there is no writable tmpfs to make it in")
