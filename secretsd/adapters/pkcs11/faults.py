"""What can be wrong with a module or its token, told apart by what is to be done about it."""

import re

from pkcs11 import exceptions
from pkcs11.exceptions import PKCS11Error

# What modules answer for a ciphertext or a wrapped key that does not fit its key: SoftHSM GeneralError, others the
# honest classes. Each may also mean that the token is broken: only a known answer tells.
_SUSPECT = (
    exceptions.GeneralError,
    exceptions.FunctionFailed,
    exceptions.EncryptedDataInvalid,
    exceptions.EncryptedDataLenRange,
    exceptions.DataInvalid,
    exceptions.DataLenRange,
    exceptions.WrappedKeyInvalid,
    exceptions.WrappedKeyLenRange,
)
_PIN_REFUSED = (
    exceptions.PinIncorrect,
    exceptions.PinInvalid,
    exceptions.PinLenRange,
    exceptions.PinLocked,
    exceptions.PinExpired,
)
# What a module answers when it cannot do something at all, now or later.
_INABILITY = (
    exceptions.MechanismInvalid,
    exceptions.MechanismParamInvalid,
    exceptions.FunctionNotSupported,
    exceptions.ArgumentsBad,
    exceptions.AttributeTypeInvalid,
    exceptions.AttributeValueInvalid,
    exceptions.AttributeReadOnly,
    exceptions.TemplateInconsistent,
    exceptions.TemplateIncomplete,
    exceptions.DomainParamsInvalid,
    exceptions.KeySizeRange,
    exceptions.KeyTypeInconsistent,
    exceptions.KeyNotWrappable,
    exceptions.KeyUnextractable,
    exceptions.WrappingKeyTypeInconsistent,
    exceptions.UnwrappingKeyTypeInconsistent,
)
# Codes that the binding has no class for (PKCS#11 3.1, 5.1): its message alone tells them.
_ACTION_PROHIBITED, _AEAD_DECRYPT_FAILED, _KEY_FUNCTION_NOT_PERMITTED, _CURVE_NOT_SUPPORTED = 0x1B, 0x42, 0x68, 0x140
_NAMES = {
    _ACTION_PROHIBITED: "ActionProhibited",
    _AEAD_DECRYPT_FAILED: "AeadDecryptFailed",
    _KEY_FUNCTION_NOT_PERMITTED: "KeyFunctionNotPermitted",
    _CURVE_NOT_SUPPORTED: "CurveNotSupported",
}
_INABLE_CODES = frozenset({_ACTION_PROHIBITED, _KEY_FUNCTION_NOT_PERMITTED, _CURVE_NOT_SUPPORTED})
_VENDOR_DEFINED = 0x80000000
_UNMAPPED = re.compile(r"Unmapped error code (0x[0-9a-fA-F]+)")
# What the binding says of codes that it takes for mistakes of its own.
_SENTENCES = {
    "Buffer was too small": "BufferTooSmall",
    "Initialisation error (already initialized)": "CryptokiAlreadyInitialized",
    "Initialisation error (not initialized)": "CryptokiNotInitialized",
}


class ModuleRefused(Exception):
    """The module or its token cannot be used as it is, and trying again will not help; the message says why."""


class PinRefused(ModuleRefused):
    """The token does not take the PIN; another try could lock it, so there is none until the PIN is changed."""


def perhaps_bad_ciphertext(error: PKCS11Error) -> bool:
    """True where the error may be the ciphertext's fault; a known answer must decide.

    A vendor's own codes say anything: taken for a broken token, they would let every bad ciphertext throw out
    everybody's loaded keys.
    """
    code = _unmapped(error)
    return isinstance(error, _SUSPECT) or (code is not None and (code == _AEAD_DECRYPT_FAILED or _of_a_vendor(code)))


def inability(error: PKCS11Error) -> bool:
    """True where the module will never do it; anything else may be gone after a reset."""
    return isinstance(error, _INABILITY) or _unmapped(error) in _INABLE_CODES or name(error) == "BufferTooSmall"


def pin_refused(error: PKCS11Error) -> bool:
    """True where the token counted a wrong PIN, or is locked by them."""
    return isinstance(error, _PIN_REFUSED)


def name(error: PKCS11Error) -> str:
    """The class of the error, or its code where the binding has no class for it: no values in either."""
    code = _unmapped(error)
    if code is not None:
        return f"vendor error {code:#x}" if _of_a_vendor(code) else _NAMES.get(code, f"unknown error {code:#x}")
    text = str(error)
    return next((known for start, known in _SENTENCES.items() if text.startswith(start)), type(error).__name__)


def _unmapped(error: PKCS11Error) -> int | None:
    found = _UNMAPPED.fullmatch(str(error))
    return int(found[1], 16) if found else None


def _of_a_vendor(code: int) -> bool:
    return code >= _VENDOR_DEFINED
