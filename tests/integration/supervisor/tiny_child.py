"""A child for the supervisor's tests, of the standard library only, so that any uid can run a copy of it.

It writes what it finds itself to be into a journal, one line a start, and behaves as its configuration says.
"""

import ctypes
import fcntl
import json
import os
import selectors
import signal
import socket
import sys
import time

CONTROL_FD = 3


def facts() -> dict[str, object]:
    fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd") if is_open(int(fd)))
    umask = os.umask(0)
    os.umask(umask)
    with (
        open("/proc/self/environ") as environ,
        open("/proc/self/cmdline") as command,
        open("/proc/self/status") as file,
    ):
        status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
        return {
            "pid": os.getpid(),
            "parent": os.getppid(),
            "session": os.getsid(0),
            "uids": os.getresuid(),
            "gids": os.getresgid(),
            "groups": os.getgroups(),
            "umask": umask,
            "directory": os.getcwd(),
            "environ": environ.read(),
            "command": command.read(),
            "fds": fds,
            "kinds": {fd: os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in range(5) if is_open(fd)},
            "blocked": int(status["SigBlk"], 16),
            "ignored": int(status["SigIgn"], 16),
            "no_new_privileges": status["NoNewPrivs"].strip(),
            "at": time.monotonic(),
        }


def is_open(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def main() -> None:
    here = facts()
    with open(0, "rb") as given:
        configuration = json.load(given)
    with open(configuration["journal"], "a") as journal:
        journal.write(json.dumps({**here, "secret_length": len(configuration.get("pin", ""))}) + "\n")
    behaviour = configuration.get("behaviour", "serve")
    if configuration.get("die_with_parent", True):
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if behaviour == "exit":
        print("what a child says")
        sys.exit(configuration["status"])
    if behaviour == "print":
        os.write(1, b"x" * configuration["size"])
        sys.exit(0)
    if behaviour == "never-ready":
        time.sleep(3600)
    if behaviour == "ignore-term":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(configuration, behaviour)


def serve(configuration: dict[str, str], behaviour: str) -> None:
    selector = selectors.DefaultSelector()
    selector.register(CONTROL_FD, selectors.EVENT_READ)
    if is_open(4):
        listening = socket.socket(fileno=4)
        listening.setblocking(False)
        selector.register(listening, selectors.EVENT_READ)
    stopped: list[int] = []
    if behaviour != "ignore-term":
        signal.signal(signal.SIGTERM, lambda *_: ended(configuration))
    os.write(CONTROL_FD, b"R")
    while not stopped:
        for key, _ in selector.select():
            if key.fd == CONTROL_FD:
                data = os.read(CONTROL_FD, 100)
                if not data:
                    os._exit(1)
                os.write(CONTROL_FD, b"P" * len(data))
            else:
                try:
                    accepted, _ = listening.accept()
                except BlockingIOError:
                    continue
                accepted.sendall(str(os.getpid()).encode())
                accepted.close()


def ended(configuration: dict[str, str]) -> None:
    with open(configuration["journal"] + ".ended", "a") as journal:
        journal.write(f"{time.monotonic()}\n")
    os._exit(0)


main()
