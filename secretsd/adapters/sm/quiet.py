"""Keeps what C code prints out of the log: GmSSL tells each refused signature to standard error, line by line."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def quiet() -> Iterator[None]:
    """Within it, whatever C code of this process writes to C's own `stderr` goes to /dev/null.

    Only that variable is turned: Python's sys.stderr and descriptor 2 stay what they are, so no line of ours is lost.
    Where the C library is another one than glibc nothing is done, because there the variable cannot be written.
    """
    found = _stream_and_null()
    if found is None:
        yield
        return
    stream, null = found
    before = stream.value
    stream.value = null
    try:
        yield
    finally:
        stream.value = before


@cache
def _stream_and_null() -> tuple[ctypes.c_void_p, int] | None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return None
    libc.fopen.restype = ctypes.c_void_p
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    null = libc.fopen(b"/dev/null", b"we")
    return (ctypes.c_void_p.in_dll(libc, "stderr"), null) if null else None
