"""What an attack on the storage's files is, and what must become of each."""

LOUD = "was changed behind our back and is refused"


class Attack:
    """One edit and what the adversary hopes to get of it. `hope` returns the answers that must all be errors."""

    loud = LOUD
    kinds = frozenset({"internal"})

    def prepare(self, target):
        """What is there before."""

    def edit(self, target):
        raise NotImplementedError

    def hope(self, target):
        raise NotImplementedError


def refused(target, attack):
    target.logged()
    answers = attack.hope(target)
    assert answers
    for answer in answers:
        assert answer.status >= 400, answer
        assert answer.kind in attack.kinds, answer
        assert set(answer.body) == {"type", "title", "status", "detail", "kind", "request_id"}
        assert "plaintext of" not in str(answer.body)
        events = target.files.read(
            "SELECT outcome FROM events WHERE id = ?", bytes.fromhex(answer.request_id), file="audit.db"
        )
        assert events == [(answer.kind,)]
    assert attack.loud in target.logged()
