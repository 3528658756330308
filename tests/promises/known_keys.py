"""CMKs whose material the test knows, brought by it or unwrapped with the root, and every use that there is of them."""

import base64
import hmac
import os
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding

from secretsd.adapters.sm import sm2
from secretsd.domain.envelope import COMMITMENT, CiphertextHeader, canonical_context
from secretsd.domain.key_import import WrappingAlgorithm
from secretsd.domain.key_specs import SPECS, KeyFamily
from secretsd.domain.keys import KeyVersionState, WrappedKey
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.import_tokens import ImportToken
from secretsd.testing import customer, key_shapes
from secretsd.testing.daemon import secret_path
from secretsd.testing.keystore_suite_sm import pkcs8 as sm2_pkcs8
from secretsd.testing.memory_scan import Needle
from tests.acceptance.wire import wait_for
from tests.promises.known_host import Root, ServedHost, must

WRAPPED_GUARD_BYTES, IV_BYTES, SM2_BYTES = 40, 12, 32
OAEP, TWO_STEPS, BY_SM2 = "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_1", "SM2PKE"
TEXT, CONTEXT = b"correct horse battery staple", {"service": "shop"}
ENCRYPTS, SIGNS, MACS = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Kind:
    """A key to be made or brought: what it is called here, and how its material comes in ("" for made inside)."""

    name: str
    spec: str
    usage: str
    wrapping: str = ""


KINDS = (
    Kind("imported AES-256", "AES_256", ENCRYPTS, OAEP),
    Kind("imported AES-256 in two steps", "AES_256", ENCRYPTS, TWO_STEPS),
    Kind("imported HMAC-256", "HMAC_256", MACS, OAEP),
    Kind("imported RSA-2048", "RSA_2048", ENCRYPTS, TWO_STEPS),
    Kind("imported P-256", "ECC_NIST_P256", SIGNS, TWO_STEPS),
    Kind("imported SM4", "SM4", ENCRYPTS, BY_SM2),
    Kind("imported SM2", "SM2", SIGNS, BY_SM2),
    Kind("made AES-256", "AES_256", ENCRYPTS),
    Kind("made HMAC-512", "HMAC_512", MACS),
    Kind("made RSA-2048", "RSA_2048", SIGNS),
    Kind("made P-256", "ECC_NIST_P256", SIGNS),
    Kind("made Ed25519", "ECC_NIST_EDWARDS25519", SIGNS),
    Kind("made SM4", "SM4", ENCRYPTS),
    Kind("made SM2", "SM2", ENCRYPTS),
)


def new_material(kind: Kind) -> bytes:
    """Material as its owner wraps it: bytes, or PKCS#8 in DER."""
    if kind.spec == "SM2":
        return sm2_pkcs8(*sm2.generate())
    if kind.spec == "RSA_2048":
        return customer.pkcs8(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    if kind.spec == "ECC_NIST_P256":
        return customer.pkcs8(ec.generate_private_key(ec.SECP256R1()))
    return os.urandom(16 if kind.spec == "SM4" else 32)


@dataclass
class Keys:
    """The keys on a host: their ids by name, and the material that was brought."""

    host: ServedHost
    ids: dict[str, str] = field(default_factory=dict)
    brought: dict[str, bytes] = field(default_factory=dict, repr=False)
    tokens: list[tuple[str, bytes]] = field(default_factory=list, repr=False)

    def make(self) -> None:
        """All kinds, each under the alias of its own that says what it is."""
        for kind in KINDS:
            origin = "EXTERNAL" if kind.wrapping else "HSM"
            wanted = {"spec": kind.spec, "usage": kind.usage, "origin": origin, "description": kind.name}
            self.ids[kind.name] = must(self.host, "POST", "/v1/keys", wanted)["id"]
            if kind.wrapping:
                self.brought[kind.name] = new_material(kind)
                self.bring(kind)

    def parameters(self, kind: Kind) -> tuple[str, bytes]:
        """An import's token, and the material wrapped for it."""
        pair = "SM2" if kind.wrapping == BY_SM2 else "RSA_2048"
        told = self.ask(
            kind.name, "get-parameters-for-import", wrapping_algorithm=kind.wrapping, wrapping_key_spec=pair
        )
        self.tokens.append((kind.name, base64.b64decode(told["import_token"])))
        public_key, material = base64.b64decode(told["public_key"]), self.brought[kind.name]
        if kind.wrapping == BY_SM2:
            return told["import_token"], sm2.PublicKeys().encrypt(public_key, Plaintext(material))
        return told["import_token"], customer.wrap(public_key, WrappingAlgorithm(kind.wrapping), material)

    def bring(self, kind: Kind) -> None:
        """Import the material."""
        token, wrapped = self.parameters(kind)
        self.ask(kind.name, "import-material", import_token=token, encrypted_material=b64(wrapped))

    def ask(self, name: str, verb: str, connection: HTTPConnection | None = None, **body: Any) -> Any:
        return must(self.host, "POST", f"/v1/keys/{self.ids[name]}:{verb}", body, connection=connection)

    def use(self, connection: HTTPConnection) -> None:
        """Everything that can be done with each of them, by the worker at the other end of that connection."""
        for kind in KINDS:
            rules = SPECS[next(spec for spec in SPECS if spec.value == kind.spec)]
            if kind.usage == MACS:
                self._authenticate(kind, connection)
            elif kind.usage == SIGNS:
                self._sign(kind, connection)
            elif rules.asymmetric:
                self._encrypt_asymmetric(kind, connection)
            else:
                self._encrypt(kind, connection)

    def keep_secrets(self, connection: HTTPConnection, mark: str) -> None:
        """Secrets under each of the keys that encrypt symmetrically: written, changed, read, rotated to the end."""
        for kind in KINDS:
            if kind.spec not in ("AES_256", "SM4"):
                continue
            name, key = f"{mark}/{kind.name.replace(' ', '-')}", self.ids[kind.name]
            new = {"name": name, "text": f"first of {name}", "key_id": key}
            must(self.host, "POST", "/v1/secrets", new, connection=connection)
            must(self.host, "PUT", secret_path(name, "value"), {"text": f"next of {name}"}, connection=connection)
            read = must(self.host, "GET", secret_path(name, "value"), connection=connection)
            assert read["text"] == f"next of {name}"
            must(self.host, "POST", secret_path(name, "rotate"), {"rotator": "random"}, connection=connection)
            self.wait_until(secret_path(name), lambda told: told["rotation"].get("last_result") == "done")

    def renew(self, name: str) -> None:
        """A new version of a key, and what is under the older one moved to it."""
        self.ask(name, "rotate")
        self.ask(name, "re-encrypt-secrets")
        self.wait_until(f"/v1/keys/{self.ids[name]}:re-encryption", lambda told: told.get("state") == "done")

    def wait_until(self, path: str, condition: Callable[[Any], bool]) -> None:
        """Wait, bounded, until what is told there is so."""
        wait_for(path, lambda: condition(must(self.host, "GET", path)), 60)

    def _encrypt(self, kind: Kind, connection: HTTPConnection) -> None:
        call: dict[str, Any] = {"connection": connection}
        made = self.ask(kind.name, "encrypt", connection, plaintext=b64(TEXT), context=CONTEXT)["ciphertext"]
        sealed = {"ciphertext": made, "context": CONTEXT}
        assert must(self.host, "POST", "/v1/ciphertexts:decrypt", sealed, **call)["plaintext"] == b64(TEXT)
        refused = self.host.call("POST", "/v1/ciphertexts:decrypt", sealed | {"context": {}}, **call)
        assert refused.kind == "invalid-ciphertext"
        if kind.wrapping and kind.spec == "AES_256":
            header, packed, encrypted = CiphertextHeader.split(base64.b64decode(made))
            owner = AESGCM(self.brought[kind.name])
            assert owner.decrypt(header.iv, encrypted, packed + canonical_context(CONTEXT)) == COMMITMENT + TEXT
        moved = sealed | {"destination_key": self.ids["made AES-256"]}
        must(self.host, "POST", "/v1/ciphertexts:re-encrypt", moved, **call)
        self.ask(kind.name, "generate-data-key", connection)
        self.ask(kind.name, "generate-data-key-without-plaintext", connection)
        self.ask(kind.name, "generate-data-key-pair", connection, key_pair_spec="ECC_NIST_P256")

    def _encrypt_asymmetric(self, kind: Kind, connection: HTTPConnection) -> None:
        algorithm = "SM2PKE" if kind.spec == "SM2" else "RSAES_OAEP_SHA_1"
        made = self.ask(kind.name, "encrypt", connection, plaintext=b64(TEXT), algorithm=algorithm)["ciphertext"]
        sealed = {"ciphertext": made, "key": self.ids[kind.name], "algorithm": algorithm}
        opened = must(self.host, "POST", "/v1/ciphertexts:decrypt", sealed, connection=connection)
        assert opened["plaintext"] == b64(TEXT)

    def _sign(self, kind: Kind, connection: HTTPConnection) -> None:
        algorithm = {"algorithm": "RSASSA_PSS_SHA_256"} if kind.spec == "RSA_2048" else {}
        made = self.ask(kind.name, "sign", connection, message=b64(TEXT), **algorithm)["signature"]
        asked = {"message": b64(TEXT), "signature": made, **algorithm}
        assert self.ask(kind.name, "verify", connection, **asked)["valid"] is True
        must(self.host, "GET", f"/v1/keys/{self.ids[kind.name]}:public-key", connection=connection)

    def _authenticate(self, kind: Kind, connection: HTTPConnection) -> None:
        made = self.ask(kind.name, "generate-mac", connection, message=b64(TEXT))["mac"]
        assert self.ask(kind.name, "verify-mac", connection, message=b64(TEXT), mac=made)["valid"] is True
        if kind.wrapping:
            assert base64.b64decode(made) == hmac.digest(self.brought[kind.name], TEXT, "sha256")

    def needles(self) -> Iterator[Needle]:
        """What must be nowhere else: the root, and the material of all key versions, import keys and what was brought.

        The material of Ed25519 keys stays on the token, where this test cannot see it.
        """
        for number, root in enumerate(self.host.roots.values(), 1):
            yield from root.needles(f"of generation {number}")
        names = {key: name for name, key in self.ids.items()}
        opened = {(row.key_id, row.version): (row, material(row, self._root(row))) for row in self._rows()}
        for (key_id, version), (row, found) in opened.items():
            name = names.get(key_id, f"the service's key of account {row.account}")
            yield from needles_of(f"{name}, version {version}", row, found)
        for name, brought in self.brought.items():
            row, found = opened[self.ids[name], 1]
            assert same(row, found.reveal(), brought), f"{name} is not what was brought"
        for number, (name, sealed) in enumerate(self.tokens):
            header, packed, encrypted = CiphertextHeader.split(sealed)
            row, sealing = opened[header.key_id, header.key_version]
            context = {"account": row.account, "key": self.ids[name]}
            text = AESGCM(sealing.reveal()).decrypt(header.iv, encrypted, packed + canonical_context(context))
            pair = msgspec.msgpack.decode(text.removeprefix(COMMITMENT), type=ImportToken).pair
            yield from needles_of(f"import key {number} of {name}", pair, material(pair, self._root(pair)))
        yield from key_shapes.secret("the CMK of the storage key", self._storage_key()[0])

    def storage_key(self) -> Iterator[Needle]:
        """The key that authenticates rows: workers hold it, and nobody else but the keystore process."""
        yield from key_shapes.secret("the storage key", self._storage_key()[1])

    def _storage_key(self) -> tuple[bytes, bytes]:
        """The CMK that it is sealed under, and the storage key itself."""
        sealed = self.host.sealed_storage_key()
        header, packed, encrypted = CiphertextHeader.split(base64.b64decode(sealed["ciphertext"]))
        root = self.host.roots[sealed["key"]["kek_id"]]
        cmk = aes_key_unwrap_with_padding(root.kek, base64.b64decode(sealed["key"]["blob"]))
        context = {"account": "system", "use": "authenticates storage rows"}
        text = AESGCM(cmk).decrypt(header.iv, encrypted, packed + canonical_context(context))
        return cmk, text.removeprefix(COMMITMENT)

    def _rows(self) -> Iterator[WrappedKey]:
        for row in self.host.wrapped_keys():
            if row.state is KeyVersionState.LIVE and SPECS[row.spec].family is not KeyFamily.EDWARDS:
                yield row

    def _root(self, row: WrappedKey) -> Root:
        return self.host.roots[row.kek_id]


def material(row: WrappedKey, root: Root) -> Plaintext:
    """What is in a blob, opened as the operator could who has the root and a backup."""
    if not SPECS[row.spec].software:
        return Plaintext(aes_key_unwrap_with_padding(root.kek, row.blob))
    guard = aes_key_unwrap_with_padding(root.kek, row.blob[:WRAPPED_GUARD_BYTES])
    start = WRAPPED_GUARD_BYTES + IV_BYTES
    numbers = (uuid.UUID(row.key_id).bytes, struct.pack(">I", row.version))
    fields = (row.account.encode(), *numbers, row.spec.value.encode())
    bound = b"secretsd software key 1" + b"".join(struct.pack(">I", len(one)) + one for one in fields)
    return Plaintext(AESGCM(guard).decrypt(row.blob[WRAPPED_GUARD_BYTES:start], row.blob[start:], bound))


def private_key(document: bytes) -> customer.PrivateKey:
    """A PKCS#8 document, without what SoftHSM 2.6.1 puts behind it before it wraps it: zeros up to whole 8 bytes."""
    long = document[1] & 0x7F if document[1] & 0x80 else 0
    end = 2 + long + (int.from_bytes(document[2 : 2 + long]) if long else document[1])
    assert not any(document[end:])
    assert len(document) - end < 8
    found = serialization.load_der_private_key(document[:end], None)
    assert isinstance(found, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return found


def same(row: WrappedKey, found: bytes, brought: bytes) -> bool:
    """Whether what was in a blob is what was brought: the bytes, or for private keys the numbers."""
    match SPECS[row.spec].family:
        case KeyFamily.RSA | KeyFamily.ECC:
            return private_key(found).private_numbers() == private_key(brought).private_numbers()
        case KeyFamily.SM2:
            return found in brought
        case _:
            return found == brought


def needles_of(name: str, row: WrappedKey, opened: Plaintext) -> Iterator[Needle]:
    """The shapes of a key version's material."""
    match SPECS[row.spec].family:
        case KeyFamily.RSA | KeyFamily.ECC:
            yield from key_shapes.private_key(name, private_key(opened.reveal()))
        case KeyFamily.SM2:
            yield from key_shapes.number(name, int.from_bytes(opened.reveal()), SM2_BYTES)
        case _:
            yield from key_shapes.secret(name, opened.reveal())
