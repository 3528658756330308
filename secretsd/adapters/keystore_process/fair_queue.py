"""Calls of one worker in line: accounts take turns, so that none waits for all that another one has asked."""

from collections import OrderedDict, deque

from secretsd.adapters.keystore_process import messages as m


class FairQueue:
    """First come first served within an account; between accounts one call each in turn.

    A row that is loaded stands in its own account's line, so it comes before the call that needs it.
    """

    __slots__ = ("_length", "_lines")

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[m.Call]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, call: m.Call) -> None:
        """Stand at the end of the account's line."""
        account = account_of(call)
        line = self._lines.get(account)
        if line is None:
            line = self._lines[account] = deque()
        line.append(call)
        self._length += 1

    def popleft(self) -> m.Call:
        """The next call; IndexError where nobody waits."""
        if not self._lines:
            raise IndexError("nobody waits")
        account, line = self._lines.popitem(last=False)
        call = line.popleft()
        if line:
            self._lines[account] = line
        self._length -= 1
        return call


def account_of(call: m.Call) -> str:
    """Whose call it is; "" where it is nobody's."""
    if isinstance(call, m.KeyCall):
        return call.account
    if isinstance(call, (m.Load, m.Rewrap)):
        return call.row.account
    return getattr(call, "account", "")
