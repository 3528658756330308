"""Signatures in the form that everybody else reads."""

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from secretsd.adapters.pkcs11.asymmetric import ecdsa_signature


@pytest.mark.parametrize("size", [32, 48, 66], ids=["P-256", "P-384", "P-521"])
@given(data=st.data())
def test_r_and_s_are_encoded_as_an_independent_library_does(size: int, data: st.DataObject) -> None:
    # Numbers of every length: with the highest bit set, and with zeros in front.
    r, s = (data.draw(st.integers(1, 8 * size).flatmap(lambda bits: st.integers(1, 2**bits - 1))) for _ in range(2))
    assert ecdsa_signature(r.to_bytes(size) + s.to_bytes(size)) == encode_dss_signature(r, s)
