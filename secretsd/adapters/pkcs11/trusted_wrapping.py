"""Whether a module keeps a key from all but trusted ones: that decides how a new root is protected (SECURITY 1)."""

from typing import Any

from pkcs11 import Attribute, KeyType
from pkcs11.exceptions import PKCS11Error

from secretsd.adapters.pkcs11 import attributes, faults, guarding

_UNRENEWABLE = "the module wraps by no trusted keys, so its root and the keys under it never leave it again"
_CMK = {**attributes.GUARDED, Attribute.PRIVATE: False, Attribute.TOKEN: False}


def offered(session: Any) -> bool:
    """Tried by keys of a security officer's session, who alone can trust one, and which are gone afterwards.

    Only what a module says for good counts as a no. PKCS11Error for whatever may pass: nobody gets the weaker way
    because of a fault.
    """
    made: list[Any] = []
    try:
        made.append(_key(session, attributes.KEK_ORIGINAL, attributes.WRAPPING))
        made.append(_key(session, _CMK, attributes.CRYPTING))
        kek, cmk = made
        told = (kek[Attribute.TRUSTED], kek[Attribute.WRAP_WITH_TRUSTED], cmk[Attribute.WRAP_WITH_TRUSTED])
        return all(told) and guarding.wrapped_by_a_thief(session, cmk) is None
    except KeyError:
        return False
    except PKCS11Error as error:
        if not faults.inability(error):
            raise
        return False
    finally:
        for key in made:
            key.destroy()


def cannot(what: str) -> faults.ModuleRefused:
    """That a root of the other kind is in the way of that."""
    return faults.ModuleRefused(f"cannot {what}: {_UNRENEWABLE}")


def _key(session: Any, template: dict[Attribute, Any], uses: Any) -> Any:
    return session.generate_key(KeyType.AES, 256, capabilities=uses, template=template)
