"""SECURITY 2 and 3: whoever speaks for a worker uses keys while he may, and carries nothing away.

The adversary holds the worker's uid, its socket and a copy of the whole storage, and writes the keystore's protocol by
hand. The second one holds only what a caller of Decrypt would hold, and the stolen copy.
"""

from base64 import b64encode
from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.pkcs11.key_rows import WRAPPED_AES_256_BYTES
from secretsd.domain.envelope import COMMITMENT, CiphertextHeader, Purpose, secret_context
from secretsd.domain.key_specs import KeySpec, KeyUsage
from secretsd.domain.keys import KeyOrigin, ProtectionLevel, WrappedKey
from secretsd.domain.principals import Account
from secretsd.testing.intruder import HungUp, KeyStoreLine, as_user
from tests.promises.conftest import OTHER_ACCOUNT, WORKER

pytestmark = [pytest.mark.integration, pytest.mark.needs_root]
CONTEXT = {"for": "test"}
SPKI = PublicFormat.SubjectPublicKeyInfo
KIND = (KeySpec.AES_256, KeyUsage.ENCRYPT_DECRYPT, KeyOrigin.HSM, ProtectionLevel.HSM)
VALUE = "plaintext that is worth stealing"


@pytest.fixture(scope="module")
def key(target) -> WrappedKey:
    """The account's default key as it stands in the stolen storage, with a secret under it."""
    target.create("worth/stealing", VALUE)
    account = target.files.record(Account, target.account)
    return target.files.record(WrappedKey, target.account, account.default_key_id, 1)


@pytest.fixture
def say(target):
    """`say(kind, *fields)` as the worker; `say.use(...)` uses a key after its row was offered."""

    class Say:
        def __call__(self, kind, *fields):
            return target.line(lambda line: line.ask(kind, *fields))

        def use(self, kind, key, account, purpose, context, data):
            return target.line(lambda line: line.use(kind, key, account, purpose, context, data))

    return Say()


def sealed_data_key(target):
    ((data_key, secret_id, version_id),) = target.files.read(
        "SELECT data_key, secret_id, version_id FROM secret_values JOIN secrets ON id = secret_id WHERE name = ?",
        "worth/stealing",
    )
    return data_key, secret_context(target.account, secret_id, version_id)


def test_there_is_no_word_for_taking_a_key_away():
    """The protocol's whole vocabulary: what is not in it ends the connection (below)."""
    calls = {kind.__struct_config__.tag for kind in m.Call.__args__}
    assert calls == {
        "status", "able", "storage-key", "random", "generate-key", "load", "encrypt", "decrypt", "generate-data-key",
        "decrypt-asymmetric", "sign", "generate-mac", "generate-import-key", "import-key", "rewrap", "destroy-key",
    }  # fmt: skip


@pytest.mark.parametrize(
    "tag", ["wrap", "unwrap", "export", "mac", "derive", "get-key", "login", "digest", "initialise", "pin"]
)
def test_an_unknown_word_ends_the_connection(target, key, tag):
    body = msgspec.msgpack.encode([[tag, 1, b"\0" * 32]])
    with pytest.raises(HungUp):
        target.line(lambda line: line.say(body))
    assert target.get("worth/stealing").status == 200


def test_a_new_key_comes_wrapped_and_bound(say, key):
    rows = [say(m.GenerateKey, key.account, key.key_id, 7, *KIND).row for _ in range(2)]
    assert len({row.blob for row in rows}) == 2
    for row in rows:
        # RFC 5649 of 32 bytes; the key itself is nowhere in the answer.
        assert len(row.blob) == WRAPPED_AES_256_BYTES
        assert (row.account, row.key_id, row.version, row.kek_id) == (key.account, key.key_id, 7, key.kek_id)


@pytest.mark.parametrize(
    "change",
    [
        {"account": OTHER_ACCOUNT},
        {"key_id": "00000000-0000-4000-8000-000000000000"},
        {"version": 2},
        {"kek_id": "00000000-0000-4000-8000-000000000000"},
        {"suite": 2},
        {"blob": b"\0" * WRAPPED_AES_256_BYTES},
        {"mac": b"\0" * 32},
        {"mac": b""},
    ],
    ids=lambda change: "-".join(change),
)
def test_a_row_that_the_hsm_did_not_make_is_no_key(target, say, key, change):
    target.logged()
    answer = say.use(m.Encrypt, replace(key, **change), change.get("account", key.account), 1, CONTEXT, b"x")
    assert isinstance(answer, m.Failed)
    assert answer.kind == "internal"
    assert "cannot use key" in target.logged()


@pytest.mark.parametrize("kind", [m.Encrypt, m.Decrypt, m.GenerateDataKey])
def test_a_key_serves_its_own_account_alone(target, say, key, kind):
    target.logged()
    data = 32 if kind is m.GenerateDataKey else b"x" * 100
    answer = say.use(kind, key, OTHER_ACCOUNT, Purpose.SECRET_DATA_KEY, CONTEXT, data)
    assert isinstance(answer, m.Failed)
    assert answer.kind == "access-denied"
    assert "belongs to another account" in target.logged()


def test_header_iv_and_commitment_are_the_keystores_own(say, key):
    """Whatever the worker encrypts carries the header of the MACed row and an IV that it did not choose."""
    made = [say.use(m.Encrypt, key, key.account, Purpose.API_CIPHERTEXT, CONTEXT, b"chosen").value for _ in range(20)]
    headers = [CiphertextHeader.split(one)[0] for one in made]
    assert {(header.purpose, header.key_id, header.key_version) for header in headers} == {
        (Purpose.API_CIPHERTEXT, key.key_id, key.version)
    }
    assert len({header.iv for header in headers}) == 20
    packed = headers[0].pack()
    assert len(made[0]) == len(packed) + len(COMMITMENT) + len(b"chosen") + 16


def test_context_header_and_every_byte_are_bound(say, key):
    made = say.use(m.Encrypt, key, key.account, Purpose.API_CIPHERTEXT, CONTEXT, b"chosen").value

    def opens(ciphertext, context, purpose=Purpose.API_CIPHERTEXT):
        return say.use(m.Decrypt, key, key.account, purpose, context, ciphertext)

    assert opens(made, CONTEXT).value == b"chosen"
    changed = [bytes([*made[:at], made[at] ^ 1, *made[at + 1 :]]) for at in (0, 1, 2, 5, 20, 22, 24, 40, len(made) - 1)]
    for ciphertext, context in [(one, CONTEXT) for one in changed] + [(made, {}), (made, {"for": "tests"})]:
        answer = opens(ciphertext, context)
        assert isinstance(answer, m.Failed)
        assert answer.kind == "invalid-ciphertext"


@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose is not Purpose.SECRET_DATA_KEY])
def test_a_stolen_data_key_opens_for_no_other_purpose(target, say, key, purpose):
    """Decrypt reaches the API's purposes only: a stolen data key opens in none of them, relabelled too."""
    data_key, context = sealed_data_key(target)
    relabelled = data_key[:2] + bytes([purpose]) + data_key[3:]
    for ciphertext in (data_key, relabelled):
        for bound in (context, {}, CONTEXT):
            answer = say.use(m.Decrypt, key, key.account, purpose, bound, ciphertext)
            assert isinstance(answer, m.Failed)
            assert answer.kind in ("invalid-ciphertext", "access-denied")


def test_the_same_data_key_opens_for_its_own_purpose_and_place_only(target, say, key):
    """The control: what the tests above are refused is a good ciphertext, and the worker's own call opens it."""
    data_key, context = sealed_data_key(target)

    def opened(bound):
        return say.use(m.Decrypt, key, key.account, Purpose.SECRET_DATA_KEY, bound, data_key)

    assert len(opened(context).value) == 32
    for name in context:
        assert opened({**context, name: "another"}).kind == "invalid-ciphertext"


@pytest.mark.parametrize("kind", [m.Encrypt, m.Decrypt, m.GenerateDataKey])
def test_the_storage_keys_seal_is_the_keystores_alone(target, say, key, kind):
    sealed = (target.daemon.state_dir / "keystore" / "storage-key.sealed").read_bytes()
    data = 32 if kind is m.GenerateDataKey else sealed
    answer = say.use(kind, key, key.account, Purpose.STORAGE_KEY, CONTEXT, data)
    assert isinstance(answer, m.Failed)
    assert answer.kind == "access-denied"


def test_no_use_goes_uncounted(say, key):
    name = f"{key.key_id}/{key.version}"
    say.use(m.Encrypt, key, key.account, Purpose.API_CIPHERTEXT, CONTEXT, b"x")
    before = say(m.Status).uses[name]
    for _ in range(3):
        say.use(m.Encrypt, key, key.account, Purpose.API_CIPHERTEXT, CONTEXT, b"x")
    assert say(m.Status).uses[name] == before + 3


@pytest.mark.parametrize("way", ["decrypt", "re-encrypt", "export-data-key"])
def test_no_caller_opens_what_the_daemon_made_for_itself(target, key, way):
    """Not even who may do everything in the account, with the stolen data key and what it is bound to."""
    data_key, context = sealed_data_key(target)
    mine = target.daemon.call("POST", "/v1/keys", {"description": "to take it away under"}).body["id"]
    public = rsa.generate_private_key(65537, 2048).public_key()
    further = {
        "decrypt": {},
        "re-encrypt": {"destination_key": mine},
        "export-data-key": {"public_key": b64encode(public.public_bytes(Encoding.DER, SPKI)).decode()},
    }
    body = {"ciphertext": b64encode(data_key).decode(), "context": context, **further[way]}
    answered = target.daemon.call("POST", f"/v1/ciphertexts:{way}", body)
    assert (answered.status, answered.body["kind"]) == (400, "invalid-ciphertext"), "the key is the service's own"
    # A secret under a customer's key: the key may be used, and the purpose may not.
    target.daemon.call("POST", "/v1/secrets", {"name": f"mine/{way}", "text": VALUE, "key_id": mine})
    ((sealed, secret_id, version_id),) = target.files.read(
        "SELECT data_key, secret_id, version_id FROM secret_values JOIN secrets ON id = secret_id WHERE name = ?",
        f"mine/{way}",
    )
    bound = secret_context(target.account, secret_id, version_id)
    body |= {"ciphertext": b64encode(sealed).decode(), "context": bound}
    answered = target.daemon.call("POST", f"/v1/ciphertexts:{way}", body)
    assert (answered.status, answered.body["kind"]) == (400, "invalid-ciphertext")


def test_what_a_thief_of_the_storage_holds_shows_no_value(target, key):
    """The copy alone, in all its files: neither the value nor anything that opens it."""

    def stolen():
        directory = target.daemon.state_dir / "storage"
        return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())

    copy = as_user(WORKER, stolen)
    assert b"worth/stealing" in copy
    assert VALUE.encode() not in copy
    data_key, context = sealed_data_key(target)
    opened = target.line(lambda line: line.use(m.Decrypt, key, key.account, 16, context, data_key)).value
    assert opened not in copy


def test_a_peer_that_is_no_worker_gets_no_answer(target):
    with KeyStoreLine(target.keystore_socket) as line, pytest.raises(HungUp):
        line.ask(m.Status)
