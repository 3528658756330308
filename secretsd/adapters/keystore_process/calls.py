"""What the process does with each call: whom the key belongs to, how often it may be used, then the HSM.

It trusts no worker: account, spec and usage come from the row that the HSM MACed, header, additional data and IV from
here. There is no call that returns a CMK, wraps under a key of the caller's, or MACs what the caller wrote.
"""

from collections.abc import Callable, Sequence

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.account_rates import AccountRates
from secretsd.adapters.keystore_process.sealed_storage_key import SealedStorageKey
from secretsd.adapters.keystore_process.use_counts import UseCounts
from secretsd.adapters.pkcs11.key_rows import digest
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.domain.envelope import Purpose
from secretsd.domain.errors import (
    AccessDenied,
    ErrorKind,
    InvalidKeyUsage,
    InvalidRequest,
    KeyStoreUnavailable,
    SecretsdError,
    Throttled,
)
from secretsd.domain.keys import KeyUsage, WrappedKey

# Making a key is slow in hardware; it weighs as much as this many encryptions.
_GENERATE_KEY_COST = 20
# What only a changed row or a worker that breaks the rules can bring about.
_LOUD = frozenset({ErrorKind.ACCESS_DENIED, ErrorKind.INTERNAL})
# How many key versions a status tells the uses of, the most recently used ones: an answer must fit in a frame.
_MOST_COUNTED = 1000
# Calls that name no account share a bucket of their own.
_NOBODY = ""


class Calls:
    """Answers calls, one after the other. ModuleRefused passes through: then the process must end."""

    def __init__(
        self,
        keystore: PKCS11KeyStore,
        storage_key: SealedStorageKey,
        rates: AccountRates,
        uses: UseCounts,
        module: str,
        log: Callable[[str], None],
    ) -> None:
        self._keystore, self._storage_key, self._rates, self._uses = keystore, storage_key, rates, uses
        self._module, self._log = module, log

    def reserve(self, batch: Sequence[m.Call]) -> None:
        """Count ahead for a batch, so that its reservations cost one fsync; what fails here fails again in `answer`.

        Only for keys whose rows were verified: names that a worker makes up must not reach the file.
        """
        wanted = []
        for call in batch:
            if isinstance(call, m.Encrypt | m.Decrypt | m.GenerateDataKey):
                key = self._keystore.find(call.key)
                if key is not None:
                    decrypting = isinstance(call, m.Decrypt)
                    wanted.append(((key.key_id, key.version), int(not decrypting), int(decrypting)))
        try:
            self._uses.reserve(wanted)
        except OSError:
            return

    def answer(self, call: m.Call) -> m.Answer:
        """The call's answer; every error that has a kind becomes Failed."""
        try:
            return self._answer(call)
        except SecretsdError as error:
            if error.kind in _LOUD:
                request = (
                    ascii(call.request_id) if isinstance(call, m.Encrypt | m.Decrypt | m.GenerateDataKey) else "none"
                )
                self._log(f"{error.message} (request {request})")
            return m.Failed(call.id, error.kind.value, error.message, error.retry_after_seconds)
        except OSError:
            return m.Failed(call.id, KeyStoreUnavailable.kind.value, "cannot count the use of the key: no room", 1)

    def _answer(self, call: m.Call) -> m.Answer:
        match call:
            case m.Encrypt() | m.Decrypt() | m.GenerateDataKey():
                return self._use(call)
            case m.Status():
                return self._state(call)
            case m.Load() if self._keystore.find(digest(call.row.key())) is not None:
                return m.Done(call.id, b"")  # many calls of a new key ask for it at once: that costs them nothing
        self._take(call)
        match call:
            case m.Load():
                self._keystore.load(call.row.key())
                return m.Done(call.id, b"")
            case m.GenerateKey():
                return m.Made(call.id, m.KeyRow.of(self._keystore.generate_key(call.metadata)))
            case m.Random():
                return m.Done(call.id, self._keystore.random(call.size))
            case m.StorageKey():
                return m.Done(call.id, self._storage_key.open(self._keystore))

    def _use(self, call: m.Use) -> m.Answer:
        key = self._keystore.find(call.key)
        if key is None:
            return m.KeyUnknown(call.id)
        self._require(key, call)
        match call:
            case m.Encrypt():
                return m.Done(call.id, self._keystore.encrypt(key, call.purpose, call.plaintext, call.context))
            case m.Decrypt():
                return m.Done(call.id, self._keystore.decrypt(key, call.purpose, call.ciphertext, call.context))
            case m.GenerateDataKey():
                plaintext = self._keystore.random(call.size)
                ciphertext = self._keystore.encrypt(key, call.purpose, plaintext, call.context)
                return m.DataKey(call.id, plaintext, ciphertext)

    def _require(self, key: WrappedKey, call: m.Use) -> None:
        if key.account != call.account:
            raise AccessDenied(f"cannot use key {key.key_id}: it belongs to another account")
        if key.usage is not KeyUsage.ENCRYPT_DECRYPT:
            raise InvalidKeyUsage(f"cannot use key {key.key_id} for encryption")
        if call.purpose is Purpose.STORAGE_KEY:
            raise AccessDenied("cannot make or open a storage key's ciphertext: only the key store itself does")
        if sum(len(name) + len(value) for name, value in call.context.items()) > m.MAX_CONTEXT_BYTES:
            raise InvalidRequest("cannot bind the encryption context: it is too long")
        if not self._rates.take(call.account):
            raise Throttled(retry_after_seconds=1)

    def _take(self, call: m.Load | m.GenerateKey | m.Random | m.StorageKey) -> None:
        account, cost = _NOBODY, 1
        if isinstance(call, m.GenerateKey):
            account, cost = call.account, _GENERATE_KEY_COST
        elif isinstance(call, m.Load):
            account = call.row.account
        if not self._rates.take(account, cost):
            raise Throttled(retry_after_seconds=1)

    def _state(self, call: m.Status) -> m.State:
        rows = self._keystore.loaded[-_MOST_COUNTED:]
        uses = {f"{row.key_id}/{row.version}": self._uses.of((row.key_id, row.version)) for row in rows}
        keystore = self._keystore
        found = (keystore.available, keystore.reason, self._module, keystore.kek_id)
        return m.State(call.id, *found, len(keystore.loaded), uses)
