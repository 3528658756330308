"""What an error of the module means, for codes with and without a class in the binding."""

import pytest
from pkcs11 import exceptions
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import faults


def unmapped(code: int) -> PKCS11Error:
    """As the binding makes it."""
    return PKCS11Error(f"Unmapped error code {hex(code)}")


SUSPECT = [
    exceptions.GeneralError(),
    exceptions.FunctionFailed(),
    exceptions.EncryptedDataInvalid(),
    exceptions.EncryptedDataLenRange(),
    exceptions.DataInvalid(),
    exceptions.DataLenRange(),
    exceptions.WrappedKeyInvalid(),
    exceptions.WrappedKeyLenRange(),
    unmapped(0x42),
    unmapped(0x80000000),
    unmapped(0x80000421),
    unmapped(0xFFFFFFFF),
]
NEVER = [
    exceptions.MechanismInvalid(),
    exceptions.FunctionNotSupported(),
    exceptions.KeyNotWrappable(),
    unmapped(0x1B),
    unmapped(0x68),
    unmapped(0x140),
    PKCS11Error("Buffer was too small. Should never see this."),
]
BROKEN = [
    exceptions.DeviceError(),
    exceptions.SessionHandleInvalid(),
    exceptions.OperationActive(),
    exceptions.HostMemory(),
    unmapped(0x420),
    unmapped(0x1B4),
    unmapped(0x7FFFFFFF),
    PKCS11Error("Initialisation error (not initialized). Should never see this."),
    PKCS11Error("an error that says 0x42"),
]


@pytest.mark.parametrize("error", SUSPECT, ids=faults.name)
def test_a_known_answer_decides_whether_the_ciphertext_is_bad(error: PKCS11Error) -> None:
    assert faults.perhaps_bad_ciphertext(error)
    assert not faults.inability(error)


@pytest.mark.parametrize("error", NEVER, ids=faults.name)
def test_a_module_that_will_never_do_it_is_not_asked_again(error: PKCS11Error) -> None:
    assert faults.inability(error)
    assert not faults.perhaps_bad_ciphertext(error)


@pytest.mark.parametrize("error", BROKEN, ids=faults.name)
def test_all_else_is_the_tokens_fault_and_may_pass(error: PKCS11Error) -> None:
    assert not faults.inability(error)
    assert not faults.perhaps_bad_ciphertext(error)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (exceptions.DeviceError("the key k-1 of somebody"), "DeviceError"),
        (unmapped(0x1B), "ActionProhibited"),
        (unmapped(0x42), "AeadDecryptFailed"),
        (unmapped(0x68), "KeyFunctionNotPermitted"),
        (unmapped(0x140), "CurveNotSupported"),
        (unmapped(0x3E7), "unknown error 0x3e7"),
        (unmapped(0x80000102), "vendor error 0x80000102"),
        (PKCS11Error("Buffer was too small. Should never see this."), "BufferTooSmall"),
        (PKCS11Error("Initialisation error (not initialized). Should never see this."), "CryptokiNotInitialized"),
        (PKCS11Error("Initialisation error (already initialized). Oh."), "CryptokiAlreadyInitialized"),
        (PKCS11Error("a sentence with a value"), "PKCS11Error"),
    ],
)
def test_an_error_is_named_without_what_it_says(error: PKCS11Error, name: str) -> None:
    assert faults.name(error) == name


@pytest.mark.parametrize(
    "refusal",
    [
        exceptions.PinIncorrect,
        exceptions.PinInvalid,
        exceptions.PinLenRange,
        exceptions.PinLocked,
        exceptions.PinExpired,
    ],
)
def test_a_counted_pin_is_known(refusal: type[PKCS11Error]) -> None:
    assert faults.pin_refused(refusal())
    assert not faults.pin_refused(exceptions.UserAlreadyLoggedIn())
