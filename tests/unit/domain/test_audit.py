"""Commitments: what may be published of an event tells nothing without its salt."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.audit import SALT_BYTES, commitment


@given(st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES), st.binary(max_size=200))
def test_a_commitment_is_the_digest_of_salt_and_bytes(salt, data):
    assert commitment(salt, data) == hashlib.sha256(salt + data).digest()
    assert commitment(salt, data) != hashlib.sha256(data).digest()


def test_salts_are_thirty_two_bytes():
    assert SALT_BYTES == 32
