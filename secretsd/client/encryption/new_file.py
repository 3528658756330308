"""A file that is there whole or not at all: nobody sees it before it is complete, and a failure leaves nothing."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from secretsd.client.errors import ClientError

_NOT_HERE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
"""What file systems and kernels say that know no files without a name; of a missing directory the second try tells."""


@contextmanager
def new_file(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A file to write, of mode 0600, that gets its name when the block ends without an error.

    It has no name before (O_TMPFILE), so even a killed process leaves nothing; where the file system cannot do that, a
    hidden name beside it. What is at `path` is kept, and ClientError raised, unless `overwrite` says otherwise.
    """
    target = os.fspath(path)
    if not overwrite and os.path.lexists(target):
        raise ClientError(f"cannot write {target}: it exists already")
    if overwrite and os.path.lexists(target) and not os.path.isfile(target):
        raise ClientError(f"cannot write {target}: it is no regular file")
    directory, name = os.path.split(os.path.abspath(target))
    file, draft = _opened(directory, name, target)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if draft is None and not overwrite:
                _name(file, directory, target)
                return
            if draft is None:
                draft = _hidden(directory, name)
                _name(file, directory, draft)
        if overwrite:
            os.rename(draft, target)
            draft = None
        else:
            _link(draft, target)
    finally:
        if draft is not None:
            with suppress(FileNotFoundError):
                os.unlink(draft)


def _opened(directory: str, name: str, target: str) -> tuple[BinaryIO, str | None]:
    """The file, and the name that it has for now if it needs one."""
    try:
        number = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        return os.fdopen(number, "wb", buffering=0), None  # whole frames are written: a buffer would copy them
    except OSError as error:
        reason, known = error.strerror, error.errno in _NOT_HERE
    if known:
        try:
            number, draft = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
            return os.fdopen(number, "wb", buffering=0), draft
        except OSError as error:
            reason = error.strerror
    raise ClientError(f"cannot write {target}: {reason}")


def _hidden(directory: str, name: str) -> str:
    return os.path.join(directory, f".{name}.{os.urandom(8).hex()}")


def _name(file: BinaryIO, directory: str, target: str) -> None:
    """Give the nameless file a name that nothing has yet."""
    place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Only with a directory's descriptor does Python ask the kernel to follow the link to the open file.
        _link(f"/proc/self/fd/{file.fileno()}", target, place)
    finally:
        os.close(place)


def _link(draft: str, target: str, place: int | None = None) -> None:
    try:
        os.link(draft, target, src_dir_fd=place, follow_symlinks=True)
    except FileExistsError:
        pass  # raised below
    else:
        return
    raise ClientError(f"cannot write {target}: it exists already")
