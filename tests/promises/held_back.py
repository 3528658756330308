"""A way to a Unix socket on which an answer is held back, so that whoever waits for it can be looked at."""

import contextlib
import socket
import threading
from pathlib import Path


class HeldBack:
    """Passes everything on to a Unix socket, and holds the answer to a request that has `marked` in it."""

    def __init__(self, to: str, path: Path, marked: bytes) -> None:
        self.path, self._to, self._marked = path, to, marked
        self.answered, self.go_on = threading.Event(), threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()

    def __enter__(self) -> "HeldBack":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for the next connection
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._to)
                asked = threading.Event()
                threading.Thread(target=self._pass, args=(here, there, asked), daemon=True).start()
                threading.Thread(target=self._pass_back, args=(there, here, asked), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError), sink:
            while data := source.recv(65536):
                if self._marked in data:
                    asked.set()
                sink.sendall(data)

    def _pass_back(self, source: socket.socket, sink: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError), sink:
            while data := source.recv(65536):
                if asked.is_set():
                    self.answered.set()
                    self.go_on.wait(60)
                sink.sendall(data)
