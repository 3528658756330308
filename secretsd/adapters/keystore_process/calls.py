"""What the process does with each call: whom the key belongs to, how often it may be used, then the HSM.

It trusts no worker: account, spec and usage come from the row that the HSM MACed, header, additional data and IV from
here. There is no call that returns a CMK, wraps under a key of the caller's, or MACs what the caller wrote.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.account_rates import AccountRates
from secretsd.adapters.keystore_process.call_times import CallTimes
from secretsd.adapters.keystore_process.new_roots import NewRoots
from secretsd.adapters.keystore_process.sealed_storage_key import SealedStorageKey
from secretsd.adapters.keystore_process.use_counts import KeyName, UseCounts
from secretsd.adapters.pkcs11.key_rows import digest
from secretsd.adapters.pkcs11.pkcs11_keystore import PKCS11KeyStore
from secretsd.domain.envelope import SUITE_NONE, Purpose
from secretsd.domain.errors import (
    AccessDenied,
    ErrorKind,
    InvalidKeyUsage,
    InvalidRequest,
    KeyStoreUnavailable,
    SecretsdError,
    Throttled,
)
from secretsd.domain.key_specs import SPECS, KeyFamily, KeyUsage
from secretsd.domain.keys import WrappedKey

# Making a key is slow in hardware; it weighs as much as this many uses of it.
_MAKING = 20
# What a use weighs, in encryptions: private operations of RSA are slow everywhere.
_COSTS = {KeyFamily.RSA: 20, KeyFamily.ECC: 2, KeyFamily.EDWARDS: 2, KeyFamily.SM2: 10}
_COST_OF = {spec: _COSTS.get(kind.family, 1) for spec, kind in SPECS.items()}
_ENCRYPTING = (m.Encrypt, m.GenerateDataKey)
_USAGES: dict[type, KeyUsage] = {
    m.Encrypt: KeyUsage.ENCRYPT_DECRYPT,
    m.Decrypt: KeyUsage.ENCRYPT_DECRYPT,
    m.GenerateDataKey: KeyUsage.ENCRYPT_DECRYPT,
    m.DecryptAsymmetric: KeyUsage.ENCRYPT_DECRYPT,
    m.Sign: KeyUsage.SIGN_VERIFY,
    m.GenerateMac: KeyUsage.GENERATE_VERIFY_MAC,
}
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
        times: CallTimes,
        roots: NewRoots,
        module: str,
        log: Callable[[str], None],
    ) -> None:
        self._keystore, self._storage_key, self._rates, self._uses = keystore, storage_key, rates, uses
        self._times, self._roots, self._module, self._log = times, roots, module, log

    def reserve(self, batch: Sequence[m.Call]) -> None:
        """Count ahead for a batch, so that its reservations cost one fsync; what fails here fails again in `answer`.

        Only for keys whose rows were verified: names that a worker makes up must not reach the file. Those of the keys
        that the batch loads are verified for that, where there is no room for them yet. A call that comes alone need
        not be told here: its own use reserves as well.
        """
        uses: dict[bytes, list[int]] = {}
        for call in batch:
            if isinstance(call, m.KeyCall):
                counted = uses.get(call.key)
                if counted is None:
                    counted = uses[call.key] = [0, 0]
                counted[not isinstance(call, _ENCRYPTING)] += 1
        wanted = self._of_loads(batch, uses)
        for name, (encryptions, decryptions) in uses.items():
            key = self._keystore.find(name)
            if key is not None:
                wanted.append(((key.key_id, key.version), encryptions, decryptions))
        try:
            self._uses.reserve(wanted)
        except OSError:
            return

    def _of_loads(self, batch: Sequence[m.Call], uses: Mapping[bytes, Sequence[int]]) -> list[tuple[KeyName, int, int]]:
        """What the keys that the batch loads need room for, where there is none yet.

        A load that will be throttled is not verified either: that costs the HSM a MAC.
        """
        wanted = []
        loads: Counter[str] = Counter()
        for call in batch:
            if isinstance(call, m.Load):
                key = call.row.key()
                name = (key.key_id, key.version)
                encryptions, decryptions = uses.get(digest(key), (0, 0))
                encryptions += key.suite != SUITE_NONE  # the known answer of a loaded key
                able = self._rates.allows(key.account, loads[key.account])
                loads[key.account] += 1
                if able and not self._uses.has_room(name, encryptions, decryptions) and self._keystore.vouch(key):
                    wanted.append((name, encryptions, decryptions))
        return wanted

    def answer(self, call: m.Call) -> m.Answer:
        """The call's answer; every error that has a kind becomes Failed."""
        try:
            return self._answer(call)
        except SecretsdError as error:
            if error.kind in _LOUD:
                request = ascii(call.request_id) if isinstance(call, m.KeyCall) else "none"
                self._log(f"{error.message} (request {request})")
            return m.Failed(call.id, error.kind.value, error.message, error.retry_after_seconds)
        except OSError:
            return m.Failed(call.id, KeyStoreUnavailable.kind.value, "cannot count the use of the key: no room", 1)

    def _answer(self, call: m.Call) -> m.Answer:
        if isinstance(call, m.KeyCall):
            return self._use(call)
        if isinstance(call, m.Status):
            return self._state(call)
        if isinstance(call, m.Able):
            return self._able(call)
        if isinstance(call, m.Load) and self._keystore.find(digest(call.row.key())) is not None:
            return m.Done(call.id, b"")  # many calls of a new key ask for it at once: that costs them nothing
        if isinstance(call, m.ImportKey) and self._keystore.find(call.key) is None:
            return m.KeyUnknown(call.id)
        self._take(call)
        return self._manage(call)

    def _use(self, call: m.Use) -> m.Answer:
        key = self._keystore.find(call.key)
        if key is None:
            return m.KeyUnknown(call.id)
        self._require(key, call)
        began = time.perf_counter()
        try:
            return self._used(key, call)
        finally:
            self._times.took((type(call), key.spec), time.perf_counter() - began)

    def _used(self, key: WrappedKey, call: m.Use) -> m.Answer:
        keystore = self._keystore
        match call:
            case m.Encrypt():
                return m.Done(call.id, keystore.encrypt(key, call.purpose, call.plaintext, call.context))
            case m.Decrypt():
                return m.Done(call.id, keystore.decrypt(key, call.purpose, call.ciphertext, call.context))
            case m.GenerateDataKey():
                plaintext = keystore.random(call.size)
                ciphertext = keystore.encrypt(key, call.purpose, plaintext, call.context)
                return m.DataKey(call.id, plaintext, ciphertext)
            case m.DecryptAsymmetric():
                return m.Done(call.id, keystore.decrypt_asymmetric(key, call.algorithm, call.ciphertext))
            case m.Sign():
                return m.Done(call.id, keystore.sign(key, call.algorithm, call.message))
            case m.GenerateMac():
                return m.Done(call.id, keystore.generate_mac(key, call.algorithm, call.message))

    def _manage(self, call: m.Managing) -> m.Answer:
        keystore = self._keystore
        match call:
            case m.Load():
                keystore.load(call.row.key())
                return m.Done(call.id, b"")
            case m.GenerateKey():
                row = keystore.generate_key(call.metadata)
                self._uses.born(row.key_id, row.version)
                return m.Made(call.id, m.KeyRow.of(row))
            case m.GenerateImportKey():
                return m.Made(call.id, m.KeyRow.of(keystore.generate_import_key(call.account, call.key_id, call.spec)))
            case m.ImportKey():
                return m.Made(call.id, m.KeyRow.of(self._import(call)))
            case m.Rewrap():
                self._roots.ensure()
                return m.Made(call.id, m.KeyRow.of(keystore.rewrap(call.row.key())))
            case m.DestroyKey():
                keystore.destroy_key(call.key_id, call.up_to_version)
                return m.Done(call.id, b"")
            case m.Random():
                return m.Done(call.id, keystore.random(call.size))
            case m.StorageKey():
                return m.Done(call.id, self._storage_key.open(keystore))

    def _import(self, call: m.ImportKey) -> WrappedKey:
        wrapping = self._keystore.find(call.key)
        if wrapping is None:
            raise KeyStoreUnavailable(retry_after_seconds=1)
        mine = (wrapping.account, wrapping.key_id, wrapping.version) == (call.account, call.key_id, 0)
        if not mine:
            raise AccessDenied("cannot import under that key pair: it is another key's")
        before = None if call.before is None else call.before.key()
        if before is not None and (before.account, before.key_id) != (call.account, call.key_id):
            raise AccessDenied("cannot import beside that row: it is another key's")
        return self._keystore.import_key(call.metadata, wrapping, call.algorithm, call.material, before)

    def _require(self, key: WrappedKey, call: m.Use) -> None:
        if key.account != call.account:
            raise AccessDenied(f"cannot use key {key.key_id}: it belongs to another account")
        if key.usage is not _USAGES[type(call)] or key.version == 0:
            raise InvalidKeyUsage(f"cannot use key {key.key_id} for {_USAGES[type(call)].value}")
        if call.purpose is Purpose.STORAGE_KEY:
            raise AccessDenied("cannot make or open a storage key's ciphertext: only the key store itself does")
        context = call.context
        if context and sum(len(name) + len(value) for name, value in context.items()) > m.MAX_CONTEXT_BYTES:
            raise InvalidRequest("cannot bind the encryption context: it is too long")
        if not self._rates.take(call.account, _COST_OF[key.spec]):
            raise Throttled(retry_after_seconds=1)

    def _take(self, call: m.Managing) -> None:
        account, cost = _NOBODY, 1
        match call:
            case m.GenerateKey():
                account, cost = call.account, _MAKING * _COST_OF[call.spec]
            case m.GenerateImportKey() | m.ImportKey():
                account, cost = call.account, _MAKING
            case m.Load() | m.Rewrap():
                account = call.row.account
        if not self._rates.take(account, cost):
            raise Throttled(retry_after_seconds=1)

    def _able(self, call: m.Able) -> m.Answer:
        self._roots.ensure()
        self._keystore.token.ensure_open()
        return m.Done(call.id, self._keystore.inabilities.get(call.name, "").encode())

    def _state(self, call: m.Status) -> m.State:
        self._roots.ensure()
        rows = self._keystore.loaded[-_MOST_COUNTED:]
        uses = {f"{row.key_id}/{row.version}": self._uses.of((row.key_id, row.version)) for row in rows}
        worn = [(row.account, row.key_id, row.version) for row in rows if self._uses.worn((row.key_id, row.version))]
        keystore = self._keystore
        token = keystore.token
        found = (token.available, token.reason, self._module, token.kek_id)
        inabilities = dict(keystore.inabilities)
        more = (*self._times.told(), worn)
        return m.State(call.id, *found, len(keystore.loaded), uses, inabilities, *more, self._roots.told())
