"""Loads that are throttled cost the HSM nothing, also where they come in a batch."""

from pathlib import Path
from typing import Any
from unittest import mock

from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process.account_rates import AccountRates
from secretsd.adapters.keystore_process.calls import Calls
from secretsd.adapters.keystore_process.use_counts import UseCounts
from secretsd.testing import samples


def test_no_more_rows_of_a_batch_are_verified_than_may_be_loaded(tmp_path: Path) -> None:
    keystore: Any = mock.Mock()
    keystore.vouch.return_value = False
    other: Any = mock.Mock()
    counts = UseCounts(tmp_path / "key-uses", lambda _: None)
    calls = Calls(keystore, other, AccountRates(5), counts, other, other, "", lambda _: None)
    rows = [m.KeyRow.of(samples.wrapped_key(number)) for number in range(1, 17)]
    calls.reserve([m.Load(number, row) for number, row in enumerate(rows)])
    assert keystore.vouch.call_count == 5
    calls._rates.take(rows[0].account, 5)
    calls.reserve([m.Load(number, row) for number, row in enumerate(rows)])
    assert keystore.vouch.call_count == 5, "the bucket is empty"
