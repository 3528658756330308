"""Starting a child: fork, give it exactly its descriptors, its uid and a bare environment, then exec."""

import contextlib
import ctypes
import fcntl
import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from typing import NoReturn

from secretsd.supervisor.specification import ChildSpec

CONFIGURATION_FAULT = 78
"""EX_CONFIG of sysexits: the child's configuration is at fault, so starting it again would not help."""

MAX_OUTPUT_BYTES = 1024 * 1024
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_PIPE_BYTES = 65536
_FIRST_FREE_FD = 64
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_libc = ctypes.CDLL(None, use_errno=True)


def spawn(spec: ChildSpec, listening_fds: Sequence[int], stdout_fd: int = 2) -> tuple[int, socket.socket]:
    """Start the child; its pid and our end of its control channel. OSError when there is no process to be had.

    What goes wrong behind the fork ends the child with status 78 and a line on standard error.
    """
    configuration_fd = _filled_pipe(spec.configuration)
    ours, theirs = socket.socketpair()
    # A signal between fork and exec would run our handlers in the child, which share our wake-up descriptor.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    parent = os.getpid()
    try:
        pid = os.fork()
        if pid == 0:
            _become(spec, [configuration_fd, stdout_fd, 2, theirs.fileno(), *listening_fds], parent)
    except BaseException:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(configuration_fd)
        theirs.close()
    ours.setblocking(False)
    return pid, ours


def run_once(spec: ChildSpec, deadline_seconds: float = 60.0) -> tuple[int, bytes]:
    """Run a child to its end; its exit status (128 + n when signal n ended it) and what it wrote to standard output.

    TimeoutError past the deadline, OverflowError past 1 MiB of output: the child and its process group are dead then.
    """
    deadline = time.monotonic() + deadline_seconds
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    output = bytearray()
    try:
        pid, control = spawn(spec, [], write_fd)
    except BaseException:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    status: int | None = None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(read_fd, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"cannot finish {spec.name} within {deadline_seconds:g} s")
                part = os.read(read_fd, 65536)
                if not part:
                    break
                output += part
                if len(output) > MAX_OUTPUT_BYTES:
                    raise OverflowError(f"cannot take the output of {spec.name}: it is over the limit")
            pidfd = os.pidfd_open(pid)
            try:
                selector.register(pidfd, selectors.EVENT_READ)
                selector.unregister(read_fd)
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"cannot finish {spec.name} within {deadline_seconds:g} s")
            finally:
                os.close(pidfd)
    finally:
        status = reap(pid)
        control.close()
        os.close(read_fd)
    return status, bytes(output)


def reap(pid: int) -> int:
    """End the child's whole process group and take its status: 0–255, or 128 + n when signal n ended it.

    Called while the child is alive or a zombie, so its group cannot be another's by now. One that has ended by itself
    keeps the status it ended with.
    """
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):  # killpg: it may not have made its group yet
            kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code if code >= 0 else 128 - code


def _filled_pipe(content: bytes) -> int:
    """The read end of a pipe that holds all of `content` and then ends: no writer is left that could hang."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    try:
        if len(content) > _PIPE_BYTES:
            fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, len(content))
        os.set_blocking(write_fd, False)
        if os.write(write_fd, content) != len(content):
            raise OSError("cannot hand over the configuration: the pipe is too small")
    except BaseException:
        os.close(read_fd)
        raise
    finally:
        os.close(write_fd)
    return read_fd


def _become(spec: ChildSpec, fds: list[int], parent: int) -> NoReturn:
    """In the forked child: turn into the program. Never returns."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):  # the C library keeps two of them to itself
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        # First out of the way, then into place: a source may stand where another one has to go.
        lifted = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD + len(fds)) for fd in fds]
        for place, fd in enumerate(lifted):
            os.dup2(fd, place, inheritable=True)
        os.closerange(len(fds), os.sysconf("SC_OPEN_MAX"))
        os.umask(0o077)
        os.chdir("/")
        if os.geteuid() == 0:
            os.setgroups([])
        # Left out where nothing would change: a unit's system-call filter may forbid even that.
        if os.getresgid() != (spec.gid,) * 3:
            os.setresgid(spec.gid, spec.gid, spec.gid)
        if os.getresuid() != (spec.uid,) * 3:
            os.setresuid(spec.uid, spec.uid, spec.uid)
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, *(ctypes.c_ulong(word) for word in (1, 0, 0, 0))) != 0:
            raise OSError(ctypes.get_errno(), "the kernel knows no_new_privs not")
        # After the last change of uid, which would undo it. The child asks again once it runs, but loading takes a
        # while, and one that outlived us then would keep the listening sockets from the supervisor that follows.
        if _libc.prctl(_PR_SET_PDEATHSIG, *(ctypes.c_ulong(word) for word in (signal.SIGKILL, 0, 0, 0))) != 0:
            raise OSError(ctypes.get_errno(), "the kernel gives no death signal")
        if os.getppid() != parent:
            os._exit(1)
        os.execve(spec.argv[0], spec.argv, {**_ENVIRONMENT, **spec.environment})  # noqa: S606  # no shell is wanted
    except OSError as error:
        os.write(2, f"cannot start {spec.name}: {error.strerror}\n".encode())
    except BaseException:  # noqa: BLE001  # nothing may run on as a second supervisor, whatever it was
        os.write(2, f"cannot start {spec.name}: an error behind the fork\n".encode())
    os._exit(CONFIGURATION_FAULT)
