"""The SM2 curve (GB/T 32918.5) and its public points. Only public numbers come here: the time it takes tells them."""

from secretsd.domain.errors import InvalidRequest

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
BYTES = 32
Point = tuple[int, int] | None
"""A point by its coordinates; None is the point at infinity."""

# SubjectPublicKeyInfo (RFC 5280) of id-ecPublicKey on 1.2.156.10197.1.301, up to the point's uncompressed form.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")


def spki(point: bytes) -> bytes:
    """The SubjectPublicKeyInfo, in DER, of a point in 64 bytes, x ‖ y."""
    return _SPKI + point


def point_bytes(public_key: bytes) -> bytes:
    """x ‖ y of a SubjectPublicKeyInfo in DER; InvalidRequest unless it is a point of the curve in that very form."""
    point = public_key[len(_SPKI) :]
    if not public_key.startswith(_SPKI) or len(point) != 2 * BYTES:
        raise InvalidRequest("cannot use the public key: it is no SM2 key")
    if not on_curve(int.from_bytes(point[:BYTES]), int.from_bytes(point[BYTES:])):
        raise InvalidRequest("cannot use the public key: it is no point of the SM2 curve")
    return point


def on_curve(x: int, y: int) -> bool:
    """Whether these are the coordinates of a point of the curve."""
    return 0 <= x < P and 0 <= y < P and (y * y - (x * x + A) * x - B) % P == 0


def lift(x: int) -> tuple[int, int] | None:
    """A point with that x, the other one has P - y; None where the curve has none."""
    square = ((x * x + A) * x + B) % P
    y = pow(square, (P + 1) // 4, P)  # P is 3 modulo 4
    return (x, y) if 0 <= x < P and y * y % P == square else None


def add(first: Point, second: Point) -> Point:
    """The sum of two points."""
    if first is None or second is None:
        return second if first is None else first
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if first == second else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def multiply(number: int, point: Point) -> Point:
    """The point so many times."""
    total: Point = None
    for bit in f"{number % N:b}":
        total = add(total, total)
        if bit == "1":
            total = add(total, point)
    return total
