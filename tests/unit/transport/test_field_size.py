"""How large a header field may be: the largest JWT fits, and not much more."""

import pytest

from secretsd.operations.jwt_proofs import MAX_TOKEN_BYTES
from tests.unit.transport.conftest import LIMITS, Connect, MemoryDialect


def request(size: int) -> bytes:
    return b"GET /v1/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + b"a" * size + b"\r\n\r\n"


@pytest.mark.parametrize("piece", [1000, 100_000])
async def test_the_largest_token_comes_through_whole(connect: Connect, dialect: MemoryDialect, piece: int) -> None:
    client = await connect()
    whole = request(MAX_TOKEN_BYTES)
    for start in range(0, len(whole), piece):
        await client.send(whole[start : start + piece])
    assert (await client.answer())[0] == 200
    token = dialect.asked[0].caller.token
    assert token is not None
    assert len(token) == MAX_TOKEN_BYTES


async def test_a_larger_field_is_refused(connect: Connect, dialect: MemoryDialect) -> None:
    client = await connect()
    await client.send(request(LIMITS.max_field_bytes + 1))
    assert (await client.answer())[0] == 431
    assert dialect.asked == []
