"""SM2, SM3 and SM4 against their standards' own examples, and against the OpenSSL command line both ways.

GB/T 32905-2016 appendix A (SM3), GB/T 32907-2016 appendix A (SM4), RFC 8998 appendix A.1 (SM4 in GCM),
GB/T 32918.5-2017 appendices A (signature) and C (encryption) on the recommended curve.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from secretsd.adapters.sm import curve, der, extra, sm2, sm3, sm4, vectors
from secretsd.domain.errors import Internal, InvalidCiphertext, InvalidRequest, Unsupported

PRIVATE = bytes.fromhex("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")
PUBLIC = curve.spki(
    bytes.fromhex(
        "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
        "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    )
)
E = bytes.fromhex("F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640")
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
SM4_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def signature(r: int, s: int) -> bytes:
    return der.sequence(der.integer(r), der.integer(s))


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    ],
)
def test_sm3(message: bytes, answer: str) -> None:
    assert sm3.digest(message).hex() == answer


def test_sm4_of_one_block() -> None:
    assert sm4.blocks(SM4_KEY, SM4_KEY).hex() == "681edf34d206965e86b3e94f536e4246"


def test_sm4_a_million_times() -> None:
    ciphers = extra.openssl().ciphers
    whole = ciphers.Cipher(ciphers.algorithms.SM4(SM4_KEY), ciphers.modes.ECB()).encryptor()
    block = SM4_KEY
    for _ in range(1_000_000):
        block = whole.update(block)
    assert block.hex() == "595298c7c6fd271f0402f804c33d3f66"


def test_sm4_in_gcm() -> None:
    iv = bytes.fromhex("00001234567800000000ABCD")
    bound = bytes.fromhex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2")
    text = bytes.fromhex(
        "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD"
        "EEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA"
    )
    answer = bytes.fromhex(
        "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735"
        "D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D"
        "83DE3541E4C2B58177E065A9BF7B62EC"
    )
    assert sm4.seal(SM4_KEY, iv, bound, text) == answer
    assert sm4.unseal(SM4_KEY, iv, bound, answer) == text
    for bad in (answer[:-1], answer[:-1] + b"\0", b"", b"\0" + answer):
        with pytest.raises(InvalidCiphertext):
            sm4.unseal(SM4_KEY, iv, bound, bad)
    with pytest.raises(InvalidCiphertext):
        sm4.unseal(SM4_KEY, iv, b"", answer)


def test_sm2_digest_of_a_message() -> None:
    assert sm2.digest(PUBLIC, b"message digest") == E
    assert sm2.digest(PUBLIC, b"message digest", b"ALICE123@YAHOO.COM") != E


def test_sm2_public_key_of_a_private_one() -> None:
    assert sm2.public_key_of(PRIVATE) == PUBLIC
    for no_key in (bytes(32), b"", PRIVATE + b"\0", (curve.N - 1).to_bytes(32), b"\xff" * 32):
        with pytest.raises(InvalidCiphertext):
            sm2.public_key_of(no_key)
    for smallest in (1, 2, curve.N - 2):
        point = curve.multiply(smallest, curve.G)
        assert point is not None
        found = sm2.public_key_of(smallest.to_bytes(32))
        assert found == curve.spki(point[0].to_bytes(32) + point[1].to_bytes(32))


def test_sm2_signature() -> None:
    assert sm2.verify(PUBLIC, E, signature(R, S))
    assert sm2.verify(PUBLIC, E, sm2.sign(PRIVATE, E))
    assert not sm2.verify(PUBLIC, bytes(32), signature(R, S))


@pytest.mark.parametrize(
    "forged",
    [
        signature(0, S),
        signature(R, 0),
        signature(R + curve.N, S),
        signature(R, S + curve.N),
        signature(R, curve.N - R),
        signature(curve.N, curve.N),
        signature(S, R),
        b"",
        b"\x30\x00",
        signature(R, S) + b"\0",
        signature(R, S)[:-1],
        der.sequence(der.integer(R)),
        der.sequence(der.integer(R), der.integer(S), der.integer(0)),
        b"\x30\x81" + signature(R, S)[1:],
        b"\x30\x80" + signature(R, S)[2:] + b"\0\0",
        der.sequence(b"\x02\x22\0\0" + R.to_bytes(32), der.integer(S)),
        der.sequence(b"\x02\x20" + R.to_bytes(32), der.integer(S)),
    ],
)
def test_sm2_takes_no_other_form_of_a_signature(forged: bytes) -> None:
    assert not sm2.verify(PUBLIC, E, forged)


def test_sm2_decryption() -> None:
    assert sm2.decrypt(PRIVATE, vectors.CIPHERTEXT) == b"encryption standard"


def test_sm2_takes_no_point_off_the_curve() -> None:
    """A point of another curve, of small order, would tell of the private key by what becomes of it."""
    check, encrypted = der.octets(bytes(32)), der.octets(b"x")
    for x, y in ((1, 1), (0, 0), (curve.G[0], curve.G[1] + 1), (curve.G[0] + curve.P, curve.G[1]), (curve.P, 0)):
        with pytest.raises(InvalidCiphertext):
            sm2.decrypt(PRIVATE, der.sequence(der.integer(x), der.integer(y), check, encrypted))
        with pytest.raises((InvalidRequest, OverflowError)):
            sm2.encrypt(curve.spki(x.to_bytes(32) + y.to_bytes(32)), b"x")


def test_the_library_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """GmSSL prints a line for each refusal; and whatever else C code prints still comes out."""
    assert not sm2.verify(PUBLIC, bytes(32), signature(R, S))
    ciphertext = bytearray(vectors.CIPHERTEXT)
    ciphertext[-1] ^= 1
    with pytest.raises(InvalidCiphertext):
        sm2.decrypt(PRIVATE, bytes(ciphertext))
    assert capfd.readouterr() == ("", "")
    assert not extra.gmssl().sm2_verify_sm3_digest(PUBLIC[-64:], E, b"")
    assert "sm2" in capfd.readouterr().err, "the library is silent by itself: this test proves nothing"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("openssl")
    run("genpkey", "-algorithm", "SM2", "-out", place / "key.pem")
    run("pkey", "-in", place / "key.pem", "-pubout", "-out", place / "public.pem")
    run("pkey", "-in", place / "key.pem", "-pubout", "-outform", "DER", "-out", place / "public.der")
    return place


@pytest.mark.parametrize("broken", ["sm2_verify_sm3_digest", "sm2_decrypt"])
def test_a_library_with_a_wrong_answer_is_not_used(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    right = importlib.import_module("gmssl_pyx")
    wrong = ModuleType("gmssl_pyx")
    wrong.__dict__.update(right.__dict__)
    monkeypatch.setattr(wrong, broken, lambda *_: True)
    monkeypatch.setitem(sys.modules, "gmssl_pyx", wrong)
    extra.gmssl.cache_clear()
    try:
        with pytest.raises(Internal, match="wrong answer"):
            sm2.sign(PRIVATE, E)
    finally:
        extra.gmssl.cache_clear()


def test_without_the_extra_the_answer_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl_pyx", None)
    extra.gmssl.cache_clear()
    try:
        assert not extra.installed()
        for call in (sm2.generate, lambda: sm2.verify(PUBLIC, E, signature(R, S)), lambda: sm2.encrypt(PUBLIC, b"x")):
            with pytest.raises(Unsupported, match=r"install secretsd\[sm\]"):
                call()
    finally:
        extra.gmssl.cache_clear()


class TestOpenSSL:
    """The command line as the other side: keys, signatures and ciphertexts in its own forms."""

    @pytest.mark.parametrize("size", [0, 1, 55, 56, 64, 1000])
    def test_sm3_and_sm4(self, size: int) -> None:
        data = os.urandom(size)
        assert sm3.digest(data) == run("dgst", "-sm3", "-binary", text=data)
        block = os.urandom(16)
        key = os.urandom(16)
        assert sm4.blocks(key, block) == run("enc", "-sm4-ecb", "-nopad", "-K", key.hex(), text=block)

    def test_it_signs_and_we_verify(self, theirs: Path) -> None:
        public, message = (theirs / "public.der").read_bytes(), os.urandom(100)
        made = run(*SIGN, "-sign", "-inkey", theirs / "key.pem", text=message, beside=theirs)
        assert sm2.verify(public, sm2.digest(public, message), made)
        assert not sm2.verify(public, sm2.digest(public, message + b"!"), made)

    def test_we_sign_and_it_verifies(self, tmp_path: Path) -> None:
        private, public = sm2.generate()
        (tmp_path / "public.der").write_bytes(public)
        message = os.urandom(100)
        (tmp_path / "signature").write_bytes(sm2.sign(private, sm2.digest(public, message)))
        public_key = ("-pubin", "-keyform", "DER", "-inkey", tmp_path / "public.der")
        verify = (*SIGN, "-verify", *public_key, "-sigfile", tmp_path / "signature")
        assert b"Verified Successfully" in run(*verify, text=message, beside=tmp_path)
        with pytest.raises(subprocess.CalledProcessError):
            run(*verify, text=message + b"!", beside=tmp_path)

    @pytest.mark.parametrize("size", [1, 16, 255])
    def test_each_opens_what_the_other_encrypted(self, theirs: Path, size: int) -> None:
        text = os.urandom(size)
        public = (theirs / "public.der").read_bytes()
        ours = sm2.encrypt(public, text)
        assert run("pkeyutl", "-decrypt", "-inkey", theirs / "key.pem", text=ours) == text
        private, public = sm2.generate()
        (theirs / "ours.der").write_bytes(public)
        made = run("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", theirs / "ours.der", text=text)
        assert sm2.decrypt(private, made) == text


SIGN = ("pkeyutl", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")


def run(*command: str | Path, text: bytes = b"", beside: Path | None = None) -> bytes:
    """What `openssl` answers; `beside` is where the message stands in a file, which -rawin wants."""
    if beside is not None:
        (beside / "message").write_bytes(text)
        command = (*command, "-in", beside / "message")
    return subprocess.run(["openssl", *map(str, command)], input=text, capture_output=True, check=True).stdout
