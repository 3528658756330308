"""The public point behind ECDSA signatures (SEC 1, 4.1.6), for private keys whose module does not tell it.

Plain integers and no constant time: all that goes in and out is public.
"""

from dataclasses import dataclass

from secretsd.domain.key_specs import KeySpec

Point = tuple[int, int]
_Jacobian = tuple[int, int, int]
_INFINITY = (1, 1, 0)


@dataclass(frozen=True, slots=True)
class Curve:
    """y² = x³ + ax + b over the integers modulo p, with base point g of prime order n (SEC 2; FIPS 186-4, D.1.2).

    Every p here is 3 modulo 4, so that a square root is one power.
    """

    p: int
    a: int
    b: int
    n: int
    g: Point

    def has(self, point: Point) -> bool:
        """Whether the point is on the curve."""
        x, y = point
        return (y * y - x * x * x - self.a * x - self.b) % self.p == 0

    def times(self, factor: int, point: Point) -> Point | None:
        """The point, added to itself so many times; None is the point at infinity."""
        found: _Jacobian = _INFINITY
        for bit in f"{factor % self.n:b}":
            found = self._doubled(found)
            if bit == "1":
                found = self._sum(found, (*point, 1))
        return self._affine(found)

    def plus(self, one: Point | None, other: Point | None) -> Point | None:
        """The sum of two points; None is the point at infinity."""
        return self._affine(self._sum(_projective(one), _projective(other)))

    def minus(self, point: Point | None) -> Point | None:
        """The point whose sum with this one is the point at infinity."""
        return None if point is None else (point[0], -point[1] % self.p)

    def lifted(self, x: int) -> Point | None:
        """The point with that x and an even y; None where there is none."""
        square = (x * x * x + self.a * x + self.b) % self.p
        y = pow(square, (self.p + 1) // 4, self.p)
        if y * y % self.p != square:
            return None
        return (x, y if y % 2 == 0 else self.p - y)

    def _doubled(self, one: _Jacobian) -> _Jacobian:
        x, y, z = one
        p = self.p
        if z == 0 or y == 0:
            return _INFINITY
        square = y * y % p
        s = 4 * x * square % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        new_x = (m * m - 2 * s) % p
        return new_x, (m * (s - new_x) - 8 * square * square) % p, 2 * y * z % p

    def _sum(self, one: _Jacobian, other: _Jacobian) -> _Jacobian:
        if one[2] == 0:
            return other
        if other[2] == 0:
            return one
        (x1, y1, z1), (x2, y2, z2), p = one, other, self.p
        square1, square2 = z1 * z1 % p, z2 * z2 % p
        u1, u2 = x1 * square2 % p, x2 * square1 % p
        s1, s2 = y1 * z2 * square2 % p, y2 * z1 * square1 % p
        h, r = (u2 - u1) % p, (s2 - s1) % p
        if h == 0:
            return self._doubled(one) if r == 0 else _INFINITY
        cube, v = pow(h, 3, p), u1 * h * h % p
        x = (r * r - cube - 2 * v) % p
        return x, (r * (v - x) - s1 * cube) % p, h * z1 * z2 % p

    def _affine(self, one: _Jacobian) -> Point | None:
        x, y, z = one
        if z == 0:
            return None
        inverse = pow(z, -1, self.p)
        return x * inverse * inverse % self.p, y * pow(inverse, 3, self.p) % self.p


_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_P384 = 2**384 - 2**128 - 2**96 + 2**32 - 1
_P521 = 2**521 - 1
_K256 = 2**256 - 2**32 - 977
CURVES: dict[KeySpec, Curve] = {
    KeySpec.ECC_NIST_P256: Curve(
        _P256,
        -3,
        0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        (
            0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
            0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        ),
    ),
    KeySpec.ECC_NIST_P384: Curve(
        _P384,
        -3,
        0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
        (
            0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
            0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        ),
    ),
    KeySpec.ECC_NIST_P521: Curve(
        _P521,
        -3,
        int(
            "0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF109E156193951EC7E937B1652C0BD3BB1BF"
            "073573DF883D2C34F1EF451FD46B503F00",
            16,
        ),
        (2**261 - 1) << 260 | 0xA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
        (
            int(
                "00C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8"
                "DE3348B3C1856A429BF97E7E31C2E5BD66",
                16,
            ),
            int(
                "011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD17273E662C97EE72995EF42640C550B9013FAD07"
                "61353C7086A272C24088BE94769FD16650",
                16,
            ),
        ),
    ),
    KeySpec.ECC_SECG_P256K1: Curve(
        _K256,
        0,
        7,
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
        (
            0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
            0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
        ),
    ),
}


def recovered(curve: Curve, signatures: dict[bytes, bytes]) -> set[Point]:
    """The public points under which all of the signatures are right; one, save by a chance below 2^-100.

    `signatures` are raw ones, r ‖ s, by the digest that they sign. Empty where they are not all by one key.
    """
    sets = [_candidates(curve, digest, signature) for digest, signature in signatures.items()]
    return set.intersection(*sets) if sets else set()


def _candidates(curve: Curve, digest: bytes, signature: bytes) -> set[Point]:
    """Q = r⁻¹(sR − eG) for both points R with x = r; an r that x exceeds by n comes about once in 2^128 signatures."""
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    e = int.from_bytes(digest) >> max(0, 8 * len(digest) - curve.n.bit_length())
    lifted = curve.lifted(r)
    if lifted is None or not 0 < r < curve.n or not 0 < s < curve.n:
        return set()
    inverse = pow(r, -1, curve.n)
    ours = curve.times(-e * inverse, curve.g)
    theirs = curve.times(s * inverse, lifted)
    both = (curve.plus(theirs, ours), curve.plus(curve.minus(theirs), ours))
    return {point for point in both if point is not None}


def _projective(point: Point | None) -> _Jacobian:
    return _INFINITY if point is None else (*point, 1)
