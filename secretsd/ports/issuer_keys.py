"""Where issuers of JWTs publish their keys: how a worker gets at a JWKS by its URL."""

from typing import Protocol


class KeysUnavailable(Exception):
    """The JWKS cannot be had now; `reason` is a few words about why, and quotes nothing that the other side sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IssuerKeys(Protocol):
    """Fetches JWKS documents."""

    def refusal(self, url: str) -> str | None:
        """Why nothing is ever fetched from that URL, as the end of a sentence; None where it may be."""
        ...

    async def fetch(self, url: str) -> bytes:
        """The document at the URL as it is, nothing read into it; KeysUnavailable, within seconds, where that fails."""
        ...


class NoIssuerKeys:
    """For a worker with no way out: nothing is fetched, so issuers need their keys in their records."""

    def refusal(self, url: str) -> str | None:
        """Every URL is refused."""
        return "this daemon fetches nothing"

    async def fetch(self, url: str) -> bytes:
        """Never succeeds."""
        raise KeysUnavailable("this daemon fetches nothing")
