"""Just as much DER (X.690) as SM2 needs, read strictly: one form for each value, nothing behind it.

Strangers' bytes are read here, before C code that sees them next to a private key.
"""

INTEGER, OCTETS, SEQUENCE = 0x02, 0x04, 0x30


def integer(number: int) -> bytes:
    """An INTEGER that is not negative."""
    return _value(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def octets(data: bytes) -> bytes:
    """An OCTET STRING."""
    return _value(OCTETS, data)


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of values that are encoded already."""
    return _value(SEQUENCE, b"".join(parts))


class Reader:
    """Reads values one after the other; every method raises ValueError where the next one is no such value."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def sequence(self) -> "Reader":
        """A reader of what is inside a SEQUENCE."""
        return Reader(self.value(SEQUENCE))

    def integer(self) -> int:
        """An INTEGER that is not negative, in its shortest form."""
        data = self.value(INTEGER)
        if not data or data[0] & 0x80 or (len(data) > 1 and data[0] == 0 and not data[1] & 0x80):
            raise ValueError("cannot read the integer")
        return int.from_bytes(data)

    def octets(self) -> bytes:
        """An OCTET STRING."""
        return self.value(OCTETS)

    def value(self, tag: int) -> bytes:
        """The contents of a value with that tag."""
        header = self._take(2)
        size = header[1]
        if size > 0x80:
            sizes = self._take(size - 0x80) if size <= 0x82 else b""
            size = int.from_bytes(sizes)
            if size < 0x80 or sizes[0] == 0:
                raise ValueError("cannot read the length")
        elif size == 0x80:
            raise ValueError("cannot read the length")
        if header[0] != tag:
            raise ValueError("cannot read the value")
        return self._take(size)

    def peek(self) -> int | None:
        """The tag of what comes next; None at the end."""
        return self._data[self._at] if self._at < len(self._data) else None

    def end(self) -> None:
        """ValueError unless everything was read."""
        if self._at != len(self._data):
            raise ValueError("cannot read what follows")

    def _take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise ValueError("cannot read past the end")
        self._at += size
        return part


def _value(tag: int, data: bytes) -> bytes:
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    sizes = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 + len(sizes)]) + sizes + data
