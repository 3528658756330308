"""What a worker sends is taken in whole, and nothing of it stays where it was read into."""

import socket

from secretsd.adapters import frames
from secretsd.adapters.keystore_process import messages as m
from secretsd.adapters.keystore_process import peer as peers
from secretsd.adapters.keystore_process.peer import Peer
from secretsd.domain.envelope import Purpose

SECRET = b"correct horse battery staple"
CALL = m.Encrypt(4, bytes(32), "000000000001", Purpose.API_CIPHERTEXT, "r", {}, SECRET)


def test_calls_in_pieces_are_taken_in_and_leave_no_plaintext_behind() -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        peer = Peer(mine)
        whole = frames.pack([CALL, CALL])
        # The end comes before the longer rest: what is read last must not be all that is wiped.
        for part in (whole, whole[:-3], whole[-3:]):
            theirs.sendall(part)
            peer.read()
            assert SECRET[:8] not in peers._arrived.tobytes()
        assert [peer.waiting.popleft() for _ in range(len(peer.waiting))] == [CALL] * 4
