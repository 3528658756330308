"""Two ways to keep keys from whoever merely holds the PIN, by what the module can do (SECURITY 1).

Renewable: root KEK and CMKs are extractable, but only under a key that the security officer marked as trusted. So the
root can be renewed and sent to a second token.

Fixed: for modules without such keys. The root KEK is wrapped for the operator before it gets to its token, and never
leaves that; a CMK is extractable from when it is made until the root has wrapped it, some milliseconds later, as an
object of this process's own session, which no other application sees; and what is unwrapped again is not extractable.
So nothing is ever wrapped anew, and the root cannot be renewed. It bears no mark that only the security officer could
have made: it is known by its check value, which is kept beside the key store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pkcs11 import Attribute

from secretsd.adapters.pkcs11 import attributes

A = Attribute
Template = Mapping[Attribute, Any]


@dataclass(frozen=True, slots=True)
class Protection:
    """One of the ways, as attributes.

    made      a CMK until it is wrapped
    loaded    a CMK out of its blob, as it is used
    looser    what the module must refuse to make of a loaded one: in a copy, in place, or while unwrapping
    kek, mac_key   what the root's two keys say of themselves on the token
    kek_looser     what it must refuse to make of a copy of the KEK
    """

    fixed: bool
    made: Template
    loaded: Template
    looser: tuple[Template, ...]
    kek: Template
    mac_key: Template
    kek_looser: Template


_STAYS = {A.SENSITIVE: True, A.EXTRACTABLE: False}
_ON_TOKEN = {A.PRIVATE: True, A.TOKEN: True}
_ONLY_WRAPS = {A.WRAP: True, A.UNWRAP: True, A.ENCRYPT: False, A.DECRYPT: False, A.SIGN: False, A.DERIVE: False}
_ONLY_SIGNS = {A.SIGN: True, A.ENCRYPT: False, A.DECRYPT: False, A.WRAP: False, A.UNWRAP: False}

RENEWABLE = Protection(
    fixed=False,
    made=attributes.CMK,
    loaded=attributes.CMK,
    looser=({A.SENSITIVE: False}, {A.WRAP_WITH_TRUSTED: False}),
    kek={**attributes.GUARDED, **_ON_TOKEN, A.TRUSTED: True, A.MODIFIABLE: False, **_ONLY_WRAPS},
    mac_key={**attributes.MAC_KEY, A.TOKEN: True, **_ONLY_SIGNS},
    kek_looser={A.WRAP_WITH_TRUSTED: False},
)
FIXED = Protection(
    fixed=True,
    made={A.SENSITIVE: True, A.EXTRACTABLE: True, A.PRIVATE: True, A.COPYABLE: False, A.MODIFIABLE: False},
    loaded={**_STAYS, A.PRIVATE: True, A.COPYABLE: False, A.MODIFIABLE: False},
    looser=({A.SENSITIVE: False}, {A.EXTRACTABLE: True}),
    kek={**_STAYS, **_ON_TOKEN, A.MODIFIABLE: False, **_ONLY_WRAPS},
    mac_key={**_STAYS, **_ON_TOKEN, A.MODIFIABLE: False, **_ONLY_SIGNS},
    kek_looser={A.EXTRACTABLE: True},
)

# A fixed root's two keys on their way to the token, and what their copies there are given. Whatever the KEK unwraps can
# never leave again, whoever asks for it: without that the PIN and a blob would be a CMK in clear.
FIXED_MAC_KEY_MADE = {A.SENSITIVE: True, A.EXTRACTABLE: True, A.PRIVATE: True, A.TOKEN: False}
FIXED_KEK_MADE = {**FIXED_MAC_KEY_MADE, A.UNWRAP_TEMPLATE: _STAYS}
FIXED_KEPT = {**_ON_TOKEN, A.EXTRACTABLE: False, A.MODIFIABLE: False}
