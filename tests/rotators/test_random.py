"""The random rotator: the suite of all rotators, and the kinds of values it makes."""

import base64
import string

import pytest

from secretsd.testing.rotator_suite import RotatorSuite
from secretsd_rotators.random import RandomRotator


class TestRandomRotator(RotatorSuite):
    rotator_type = RandomRotator
    bad_settings = (
        '{"length": 0}',
        '{"length": 4097}',
        '{"length": "32"}',
        '{"length": 3}',
        '{"kind": "uuid"}',
        '{"kind": "hex", "exclude_numbers": true}',
        '{"kind": "bytes", "require_each_included_type": false}',
        '{"exclude_numbers": true, "exclude_punctuation": true, "exclude_uppercase": true, "exclude_lowercase": true}',
    )

    @pytest.fixture(
        params=[
            "{}",
            '{"length": 4096}',
            '{"length": 20, "exclude_punctuation": true, "include_space": true}',
            '{"kind": "hex"}',
            '{"kind": "base64"}',
            '{"kind": "bytes"}',
        ]
    )
    def settings(self, request):
        return request.param

    @pytest.mark.parametrize("length", [1, 32, 4096])
    async def test_hex_holds_so_many_bytes(self, rotator, length):
        made = await rotator.prepare(self.job(rotator, f'{{"kind": "hex", "length": {length}}}'))
        assert made.text
        assert len(bytes.fromhex(made.value.reveal().decode())) == length

    async def test_base64_holds_so_many_bytes(self, rotator):
        made = await rotator.prepare(self.job(rotator, '{"kind": "base64", "length": 33}'))
        assert made.text
        assert len(base64.b64decode(made.value.reveal(), validate=True)) == 33

    async def test_bytes_are_binary(self, rotator):
        made = await rotator.prepare(self.job(rotator, '{"kind": "bytes", "length": 16}'))
        assert not made.text
        assert len(made.value) == 16

    async def test_a_password_obeys_its_policy(self, rotator):
        settings = '{"length": 24, "exclude_punctuation": true, "exclude_characters": "0O1lI"}'
        for _ in range(20):
            password = (await rotator.prepare(self.job(rotator, settings))).value.reveal().decode()
            assert len(password) == 24
            assert set(password) <= set(string.ascii_letters + string.digits) - set("0O1lI")
            assert not set(password).isdisjoint(string.digits)
