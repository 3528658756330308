"""The operator's own machine: the recovery wrap opened by his private key, for a drill or for a new token.

Nothing here needs an HSM, a configuration or the daemon's host; keep it off that host.
"""

import base64
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from secretsd.cli.host import end, reserve
from secretsd.cli.hsm.app import app, document_of, text_of, write_document
from secretsd.cli.hsm.transfer import To, fingerprint
from secretsd.domain.envelope import (
    COMMITMENT,
    MAC_TAG_BYTES,
    SUITE_AES_256_CBC_HMAC,
    SUITE_AES_256_GCM,
    CiphertextHeader,
    canonical_context,
)
from secretsd.domain.errors import InvalidCiphertext
from secretsd.domain.root_keys import CHECK_BYTES, check_bytes
from secretsd.supervisor.pin import NoPIN, read_pin

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.padding import OAEP
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TRANSFER = "secretsd root transfer 1"
_FORMATS = ("secretsd recovery 1",)
_KEY_BYTES = 32
_STORAGE_CONTEXT = {"account": "system", "use": "authenticates storage rows"}
RecoveryFile = Annotated[Path, typer.Option("--recovery", help="What init or rotate-root wrote.")]
PrivateKey = Annotated[Path | None, typer.Option(help="Your private key: a PEM file.")]
PrivateKeyFd = Annotated[int | None, typer.Option(help="Read your private key from this descriptor.")]
AskPassword = Annotated[
    bool, typer.Option("--ask-password", help="The private key is encrypted: ask for its password.")
]


@dataclass(frozen=True, slots=True)
class Root:
    """The root in clear, for as long as the command runs."""

    kek: bytes
    mac_key: bytes

    def __repr__(self) -> str:
        """Without its fields."""
        return "Root(…)"


@app.command("check-recovery")
def check_recovery(
    recovery: RecoveryFile,
    private_key: PrivateKey = None,
    private_key_fd: PrivateKeyFd = None,
    ask_password: AskPassword = False,
) -> None:
    """The drill: prove that your private key opens the recovery wrap, to the root and to the storage key under it."""
    wrap = _wrap(recovery)
    root = _opened(wrap, _private_key(private_key, private_key_fd, ask_password))
    if not wrap["check"]:
        end("cannot check what was opened: this wrap is of a release that knew no check value")
    _require_check(wrap, root)
    if wrap["storage_key"]:
        _require_storage_key(wrap, root)
    typer.echo(f"generation {wrap['generation']} of the root opens; check value {wrap['check']}")
    if wrap["storage_key"]:
        typer.echo("the storage key opens under it")
    else:
        typer.echo("there is no storage key in this wrap: keep storage-key.sealed of the keystore's directory with it")


@app.command("open-recovery")
def open_recovery(
    recovery: RecoveryFile,
    to: To,
    output: Annotated[Path, typer.Option(help="Where the root goes, wrapped for the new token.")],
    private_key: PrivateKey = None,
    private_key_fd: PrivateKeyFd = None,
    ask_password: AskPassword = False,
    storage_key: Annotated[
        Path | None, typer.Option(help="storage-key.sealed from a backup, where the wrap does not hold it.")
    ] = None,
) -> None:
    """The recovery: wrap the lost token's root for a new token, which waits for it in `receive-root`."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    wrap, pem = _wrap(recovery), text_of(to)
    try:
        receiver = load_pem_public_key(pem.encode())
    except ValueError:
        receiver = None
    if not isinstance(receiver, RSAPublicKey) or receiver.key_size < 3072:
        end(f"cannot wrap the root for {to}: it is no RSA public key of at least 3072 bits")
    root = _opened(wrap, _private_key(private_key, private_key_fd, ask_password))
    if wrap["check"]:
        _require_check(wrap, root)
    if storage_key is not None:
        wrap = wrap | {"storage_key": base64.b64encode(text_of(storage_key).encode()).decode()}
    if not wrap["storage_key"]:
        end("cannot recover without the storage key: name --storage-key FILE, storage-key.sealed of a backup")
    padding = _oaep(wrap["mechanism"])
    reserve(output)
    wrapped = {name: base64.b64encode(receiver.encrypt(value, padding)).decode() for name, value in _parts(root)}
    write_document(output, wrap | wrapped | {"format": TRANSFER, "check": _check(wrap, root)})
    typer.echo(f"wrapped generation {wrap['generation']} for the key {fingerprint(pem)}")
    typer.echo(f"check value {_check(wrap, root)}: the new token must tell the same")


def _wrap(path: Path) -> dict[str, Any]:
    found = document_of(path)
    found = found.get("recovery", found)
    wanted = {"format", "kek_id", "mechanism", "kek", "mac_key"}
    if not isinstance(found, dict) or not wanted <= found.keys() or found["format"] not in _FORMATS:
        end(f"cannot read {path}: it holds no recovery wrap")
    return {"generation": 1, "check": "", "storage_key": ""} | found


def _private_key(path: Path | None, fd: int | None, ask_password: bool) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if (path is None) == (fd is None):
        end("cannot open the recovery wrap: name --private-key FILE or --private-key-fd N")
    text = text_of(Path(f"/proc/self/fd/{fd}") if path is None else path)
    try:
        password = read_pin("", None, None, prompt=True, what="Password").encode() if ask_password else None
        key = load_pem_private_key(text.encode(), password)
    except NoPIN as error:
        end(str(error))
    except (TypeError, ValueError):
        end("cannot read the private key: it is none in PEM form, or its password is missing or wrong")
    if not isinstance(key, RSAPrivateKey):
        end("cannot use the private key: it is no RSA key")
    return key


def _opened(wrap: dict[str, Any], key: "RSAPrivateKey") -> Root:
    padding = _oaep(wrap["mechanism"])
    try:
        kek, mac_key = (key.decrypt(base64.b64decode(wrap[name]), padding) for name in ("kek", "mac_key"))
    except ValueError:
        end("cannot open the recovery wrap: it is wrapped for another key, or was changed")
    if len(kek) != _KEY_BYTES or len(mac_key) != _KEY_BYTES:
        end("cannot use what is in the recovery wrap: it is no root")
    return Root(kek, mac_key)


def _parts(root: Root) -> tuple[tuple[str, bytes], ...]:
    return ("kek", root.kek), ("mac_key", root.mac_key)


def _oaep(name: str) -> "OAEP":
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP

    kinds = {"RSA-OAEP-SHA256-MGF1-SHA256": hashes.SHA256, "RSA-OAEP-SHA1-MGF1-SHA1": hashes.SHA1}
    if name not in kinds:
        end("cannot open the recovery wrap: it is of a later release")
    return OAEP(MGF1(kinds[name]()), kinds[name](), None)


def _check(wrap: dict[str, Any], root: Root) -> str:
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding

    wrapped = aes_key_wrap_with_padding(root.kek, bytes(32))
    covered = check_bytes(wrap["kek_id"], wrap["generation"], wrapped)
    return hmac.digest(root.mac_key, covered, "sha256")[:CHECK_BYTES].hex()


def _require_check(wrap: dict[str, Any], root: Root) -> None:
    if not hmac.compare_digest(_check(wrap, root), wrap["check"]):
        end("cannot trust the recovery wrap: what it holds is not the root that it names, by its check value")


def _require_storage_key(wrap: dict[str, Any], root: Root) -> None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap

    try:
        sealed = json.loads(base64.b64decode(wrap["storage_key"]))
        blob, ciphertext = base64.b64decode(sealed["key"]["blob"]), base64.b64decode(sealed["ciphertext"])
        text = _unsealed(root.kek, blob, ciphertext)
    except (InvalidTag, InvalidUnwrap, InvalidCiphertext, KeyError, TypeError, ValueError):
        end("cannot open the storage key that came with the recovery wrap")
    if not text.startswith(COMMITMENT) or len(text) != len(COMMITMENT) + _KEY_BYTES:
        end("cannot use the storage key that came with the recovery wrap")


def _unsealed(kek: bytes, blob: bytes, ciphertext: bytes) -> bytes:
    """The text of a CMK ciphertext (suites 1 and 2 of `domain/envelope.py`) by the CMK's blob."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap_with_padding
    from cryptography.hazmat.primitives.padding import PKCS7

    header, packed, encrypted = CiphertextHeader.split(ciphertext)
    bound = packed + canonical_context(_STORAGE_CONTEXT)
    if header.suite == SUITE_AES_256_GCM:
        return AESGCM(aes_key_unwrap_with_padding(kek, blob)).decrypt(header.iv, encrypted, bound)
    if header.suite != SUITE_AES_256_CBC_HMAC:
        raise ValueError
    half = len(blob) // 2
    cipher_key, mac_key = (aes_key_unwrap_with_padding(kek, part) for part in (blob[:half], blob[half:]))
    body, tag = encrypted[:-MAC_TAG_BYTES], encrypted[-MAC_TAG_BYTES:]
    if not hmac.compare_digest(hmac.digest(mac_key, bound + body, "sha256"), tag):
        raise InvalidTag
    opening = Cipher(algorithms.AES256(cipher_key), modes.CBC(header.iv)).decryptor()
    removing = PKCS7(128).unpadder()
    return removing.update(opening.update(body) + opening.finalize()) + removing.finalize()
