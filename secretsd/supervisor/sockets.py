"""Listening sockets: bound here, or taken over from systemd, and inherited by the children."""

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterable, MutableMapping
from pathlib import Path

from secretsd.supervisor.specification import InheritedListener, Listener, TCPListener, UnixListener

BACKLOG = 1024
PREDECESSOR_SECONDS = 1.0
"""How long an address may still be in use: the children of a supervisor that was killed take a moment to end."""
_PAUSE_SECONDS = 0.05
_FIRST_INHERITED_FD = 3


class CannotListen(Exception):
    """cannot listen on the socket; the message names it and the reason"""


class Sockets:
    """The open listening sockets of all children, each bound once however many children share it."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._inherited = inherited(environment)
        self._open: dict[Listener, socket.socket] = {}
        self._bound: list[tuple[Path, tuple[int, int]]] = []

    def open(self, listeners: Iterable[Listener]) -> None:
        """Open those that are not open yet; raises CannotListen."""
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        for listener in listeners:
            while listener not in self._open:
                try:
                    self._open_one(listener)
                except OSError as error:
                    if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                        raise CannotListen(f"cannot listen on {listener}: {error.strerror or error}") from None
                    time.sleep(_PAUSE_SECONDS)

    def fd(self, listener: Listener) -> int:
        """The descriptor in this process of an open listener."""
        return self._open[listener].fileno()

    def addresses(self) -> dict[Listener, str]:
        """Where each one really listens: the path, or host and port as the kernel chose them."""
        return {listener: _address(listener, opened) for listener, opened in self._open.items()}

    def close(self) -> None:
        """Close all, and take away the paths that are still ours: another daemon may have bound its own there."""
        for opened in self._open.values():
            opened.close()
        for path, identity in self._bound:
            try:
                found = os.lstat(path)
                if (found.st_dev, found.st_ino) == identity:
                    path.unlink()
            except OSError:
                continue  # what cannot be taken away is found stale at the next start
        self._open.clear()
        self._bound.clear()

    def _open_one(self, listener: Listener) -> None:
        if isinstance(listener, UnixListener):
            self._open[listener] = _bind_unix(listener)
            found = os.lstat(listener.path)
            self._bound.append((listener.path, (found.st_dev, found.st_ino)))
        elif isinstance(listener, TCPListener):
            self._open[listener] = _bind_tcp(listener)
        else:
            self._open[listener] = self._take(listener)

    def _take(self, listener: InheritedListener) -> socket.socket:
        named = self._inherited.get(listener.name, [])
        if listener.index >= len(named):
            raise OSError(errno.ENOENT, "systemd passed no such socket")
        taken = named[listener.index]
        if not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(errno.EINVAL, "it does not listen")
        return taken


def inherited(environment: MutableMapping[str, str]) -> dict[str, list[socket.socket]]:
    """The sockets that systemd passed to this process, by name; its variables are taken out of `environment`."""
    pid, count, names = (environment.pop(f"LISTEN_{word}", "") for word in ("PID", "FDS", "FDNAMES"))
    found: dict[str, list[socket.socket]] = {}
    if pid != str(os.getpid()) or not count.isdigit():
        return found
    spelled = names.split(":") if names else []
    for index in range(int(count)):
        fd = _FIRST_INHERITED_FD + index
        os.set_inheritable(fd, False)
        name = spelled[index] if index < len(spelled) else "unknown"
        try:
            found.setdefault(name, []).append(socket.socket(fileno=fd))
        except OSError:
            continue  # no socket: a stored descriptor of another kind, which no listener can name
    return found


def _bind_unix(listener: UnixListener) -> socket.socket:
    # Held from the look at what lies there until we listen, or two daemons that start at once could each take the
    # other's fresh socket for a stale one.
    directory = os.open(listener.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        _clear_stale(listener.path)
        opened.bind(str(listener.path))
        if listener.owner is not None or listener.group is not None:
            os.chown(listener.path, _or_same(listener.owner), _or_same(listener.group), follow_symlinks=False)
        os.chmod(listener.path, listener.mode)
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    finally:
        os.umask(before)
        os.close(directory)
    return opened


def _clear_stale(path: Path) -> None:
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise OSError(errno.EEXIST, "something that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as test:
        test.setblocking(False)
        try:
            test.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EAGAIN:  # EAGAIN: somebody listens, and its backlog is full
                raise
    raise OSError(errno.EADDRINUSE, "another process serves it")


def _bind_tcp(listener: TCPListener) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            listener.host, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, f"its host is unknown ({error.strerror})") from None
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def _address(listener: Listener, opened: socket.socket) -> str:
    name = opened.getsockname()
    if isinstance(name, tuple):
        return str(TCPListener(name[0], name[1]))
    return str(listener) if isinstance(listener, UnixListener) else os.fsdecode(name)


def _or_same(number: int | None) -> int:
    return -1 if number is None else number
