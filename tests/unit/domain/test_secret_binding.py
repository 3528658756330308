"""The binding of a secret's version, put together directly, is the canonical context and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from secretsd.domain.envelope import canonical_context, secret_binding, secret_context

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(TEXT, TEXT, TEXT)
def test_it_is_the_canonical_context_of_account_secret_and_version(account: str, secret: str, version: str) -> None:
    assert secret_binding(account, secret, version) == canonical_context(secret_context(account, secret, version))


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_two_different_versions_never_have_the_same(one: tuple[str, str, str], two: tuple[str, str, str]) -> None:
    assert (secret_binding(*one) == secret_binding(*two)) == (one == two)
