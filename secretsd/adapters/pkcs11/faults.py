"""What can be wrong with a module or its token, told apart by what is to be done about it."""

from pkcs11 import exceptions
from pkcs11.exceptions import PKCS11Error

# What modules answer for a ciphertext that does not fit its key: SoftHSM GeneralError, others the honest classes, and
# PKCS#11 3 a code of its own. Each may also mean that the token is broken: only a known answer tells.
_SUSPECT = (
    exceptions.GeneralError,
    exceptions.FunctionFailed,
    exceptions.EncryptedDataInvalid,
    exceptions.EncryptedDataLenRange,
    exceptions.DataInvalid,
)
_AEAD_DECRYPT_FAILED = "Unmapped error code 0x42"
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
    exceptions.KeySizeRange,
    exceptions.KeyTypeInconsistent,
)


class ModuleRefused(Exception):
    """The module or its token cannot be used as it is, and trying again will not help; the message says why."""


class PinRefused(ModuleRefused):
    """The token does not take the PIN; another try could lock it, so there is none until the PIN is changed."""


def perhaps_bad_ciphertext(error: PKCS11Error) -> bool:
    """True where the error may be the ciphertext's fault; a known answer must decide."""
    return isinstance(error, _SUSPECT) or _AEAD_DECRYPT_FAILED in str(error)


def inability(error: PKCS11Error) -> bool:
    """True where the module will never do it; anything else may be gone after a reset."""
    return isinstance(error, _INABILITY)


def pin_refused(error: PKCS11Error) -> bool:
    """True where the token counted a wrong PIN, or is locked by them."""
    return isinstance(error, _PIN_REFUSED)


def name(error: PKCS11Error) -> str:
    """The class of the error, or its code where the binding has no class for it: no values in either."""
    text = str(error)
    return text if text.startswith("Unmapped error code") else type(error).__name__
