"""The PKCS#11 library: loaded once, initialised, and repaired where the Python binding cannot reach.

The binding calls C_Initialize(NULL), which promises one thread: everything here is called from one thread only.
"""

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11.exceptions import MultipleTokensReturned, NoSuchToken, PKCS11Error

from secretsd.adapters.pkcs11 import known_answers, token_files
from secretsd.adapters.pkcs11.faults import ModuleRefused

# Positions in CK_FUNCTION_LIST, which starts with a version that takes the room of one pointer (PKCS#11 2.40, 5.1).
_FINALIZE, _INIT_TOKEN, _CLOSE_ALL_SESSIONS, _LOGIN, _LOGOUT = 1, 9, 14, 18, 19
_USER = 1
_LABEL_BYTES = 32
_OK = 0


class Library:
    """One loaded module. Every method may raise PKCS11Error.

    `environment` is set before loading (SoftHSM2 finds its configuration by SOFTHSM2_CONF). ModuleRefused where
    the file cannot be loaded.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        if not Path(module).is_file():
            raise ModuleRefused(f"cannot load the PKCS#11 module {module}: there is no such file")
        os.environ.update(environment)
        token_files.mend(os.environ)  # before the library reads them
        try:
            plain = ctypes.CDLL(module)
            get_functions = plain.C_GetFunctionList
            table = ctypes.c_void_p()
            get_functions.argtypes = [ctypes.POINTER(ctypes.c_void_p)]
            get_functions.restype = ctypes.c_ulong
            answer = get_functions(ctypes.byref(table))
        except (OSError, AttributeError):
            raise ModuleRefused(f"cannot load the PKCS#11 module {module}: it is no such library") from None
        if answer != _OK or not table.value:
            raise ModuleRefused(f"cannot load the PKCS#11 module {module}: it names no functions")
        self._functions = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))
        self.module = module
        self._lib: Any = pkcs11.lib(module)

    @property
    def name(self) -> str:
        """What the module calls itself, with its version."""
        major, minor = self._lib.library_version
        return f"{self._lib.library_description} {major}.{minor}"

    def token(self, label: str) -> Any:
        """The token with that label; NoSuchToken is a PKCS11Error like any other, two such tokens are refused."""
        token_files.mend(os.environ, keep=True)  # whoever asks for a token is about to log in
        try:
            return self._lib.get_token(token_label=label)
        except MultipleTokensReturned:
            raise ModuleRefused(f"cannot choose a token: two are labelled {label}") from None

    def has_token(self, label: str) -> bool:
        """Whether there is a token with that label."""
        try:
            self._lib.get_token(token_label=label)
        except NoSuchToken:
            return False
        except MultipleTokensReturned:
            return True
        return True

    def reset(self) -> None:
        """Finalise, whatever state the library is in, and initialise it again; all sessions and logins are gone."""
        try:
            self._lib.finalize()
        except PKCS11Error:
            # The binding now believes that the library is finalised. Where it is not, only the library's own function
            # helps; where it is, this is refused and harmless.
            self._call(_FINALIZE, ctypes.c_void_p(None))
        token_files.mend(os.environ)
        self._lib.initialize()

    def close(self) -> None:
        """Finalise for good; a library that refuses is left alone."""
        try:
            self._lib.finalize()
        except PKCS11Error:
            self._call(_FINALIZE, ctypes.c_void_p(None))

    def close_all_sessions(self, token: Any) -> None:
        """End every session on the token, and with them the login; a token that refuses will be reset instead."""
        self._call(_CLOSE_ALL_SESSIONS, ctypes.c_ulong(token.slot.slot_id))

    def create_token(self, label: str, so_pin: str) -> None:
        """Initialise a token in the first free slot (C_InitToken, which the binding lacks); ModuleRefused."""
        pin = so_pin.encode()
        for slot in self._lib.get_slots():
            if not slot.get_token().flags & pkcs11.TokenFlag.TOKEN_INITIALIZED:
                known_answers.require_mechanisms(slot.get_token())  # before anything is made that is of no use
                padded = label.encode().ljust(_LABEL_BYTES)
                if len(padded) > _LABEL_BYTES:
                    raise ModuleRefused(f"cannot create the token {label}: its label is longer than 32 bytes")
                arguments = (ctypes.c_ulong(slot.slot_id), ctypes.c_char_p(pin), ctypes.c_ulong(len(pin)))
                if self._call(_INIT_TOKEN, *arguments, ctypes.c_char_p(padded)) != _OK:
                    raise ModuleRefused(f"cannot create the token {label}: the module refuses")
                # Some modules number their slots anew only when they are initialised again.
                self.reset()
                return
        raise ModuleRefused(f"cannot create the token {label}: the module has no free slot")

    def become_user(self, session: Any, pin: str) -> None:
        """Log the security officer out and the user in on the same session, so that its session objects live on."""
        secret = pin.encode()
        handle = ctypes.c_ulong(session.handle)
        answer = self._call(_LOGOUT, handle)
        if answer == _OK:
            arguments = (ctypes.c_ulong(_USER), ctypes.c_char_p(secret), ctypes.c_ulong(len(secret)))
            answer = self._call(_LOGIN, handle, *arguments)
        if answer != _OK:
            raise ModuleRefused("cannot log in as the token's user: the module refuses")

    def _call(self, position: int, *arguments: Any) -> int:
        address = self._functions[position + 1]
        prototype = ctypes.CFUNCTYPE(ctypes.c_ulong, *(type(argument) for argument in arguments))
        return int(prototype(address or 0)(*arguments))
