"""What every child of the supervisor does first and last: harden itself, read its configuration, answer pings.

The supervisor hands a child its configuration on descriptor 0, the control channel on descriptor 3 and its listening
sockets from descriptor 4 on. A child never outlives the supervisor: the kernel kills it, and the end of the control
channel says the same a second time.
"""

import asyncio
import ctypes
import gc
import os
import resource
import select
import socket
import sys
from typing import NoReturn, TypeVar

import msgspec

CONTROL_FD = 3
CONFIGURATION_FAULT = 78
"""The exit status that says: do not restart me, my configuration is at fault (EX_CONFIG of sysexits)."""

PING, PONG, READY = b"p", b"P", b"R"
MAX_CONFIGURATION_BYTES = 1024 * 1024
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_SIGKILL = 9
_T = TypeVar("_T")


def harden(control_fd: int | None = CONTROL_FD) -> None:
    """Close this process to other ones of its uid, to core dumps and to a life without its parent.

    Called before anything secret is in memory, and after the last change of uid, which would undo the death signal.
    Exits at once when the supervisor has died before the signal was asked for. OSError when the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_PDEATHSIG, _SIGKILL)):
        if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            raise OSError(ctypes.get_errno(), "cannot harden the process: prctl failed")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if control_fd is not None:
        os.set_inheritable(control_fd, False)
        poll = select.poll()
        poll.register(control_fd, select.POLLRDHUP)
        if poll.poll(0):
            os._exit(1)


def settle() -> None:
    """Leave what is there now out of every later search for garbage: modules, types and settings stay to the end.

    Called when a child is ready. A search through all of it held a worker up for 35 ms, after every 5,000 calls or so.
    """
    gc.collect()
    gc.freeze()


def refuse(message: str) -> NoReturn:
    """End this child for good: the message, which names no value, goes to standard error as one line."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
    raise SystemExit(CONFIGURATION_FAULT)


def configuration(wanted: type[_T]) -> _T:
    """The configuration from descriptor 0, decoded strictly; whatever is wrong with it ends this child for good.

    Descriptor 0 reads from /dev/null afterwards, so that nothing can read the document (it may hold the PIN) again.
    """
    document = bytearray()
    while part := os.read(0, 65536):
        document += part
        if len(document) > MAX_CONFIGURATION_BYTES:
            refuse("cannot read the configuration: it is over the limit")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    fault = "it is no JSON document of the expected form"
    try:
        return msgspec.json.decode(document, type=wanted)
    except msgspec.ValidationError as error:
        # Of the sentence only the place is passed on: the rest may quote what stands there.
        _, found, place = str(error).rpartition(" - at `")
        fault += f", see {place.rstrip('`')}" if found else ""
    except msgspec.DecodeError:
        pass
    refuse(f"cannot read the configuration: {fault}")


def listener(fd: int) -> socket.socket:
    """The listening socket that the supervisor placed at `fd`; refused when there is none."""
    try:
        os.set_inheritable(fd, False)
        found = socket.socket(fileno=fd)
        if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            refuse(f"cannot serve: descriptor {fd} is no listening socket")
    except OSError:
        refuse(f"cannot serve: descriptor {fd} is no socket")
    found.setblocking(False)
    return found


class Control:
    """The child's side of the control channel: pings are answered from the event loop, so that a hang shows.

    Made inside the running loop. When the channel ends the supervisor is gone, and this process with it, at once:
    an orphan must not act on a target or hold a lease.
    """

    def __init__(self, fd: int = CONTROL_FD) -> None:
        self._fd = fd
        os.set_blocking(fd, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(fd, self._read)

    def ready(self) -> None:
        """Tell the supervisor, once, that this child serves."""
        self._write(READY)

    def close(self) -> None:
        """Stop answering; for a child that ends politely."""
        self._loop.remove_reader(self._fd)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os._exit(1)
        self._write(PONG * data.count(PING))

    def _write(self, data: bytes) -> None:
        try:
            os.write(self._fd, data)
        except BlockingIOError:
            pass  # the supervisor has not read for thousands of pings; it counts any later answer just as well
        except OSError:
            os._exit(1)
