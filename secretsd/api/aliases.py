"""Requests and responses about aliases, the second names of CMKs."""

from secretsd.api.fields import AliasName, KeyReference, Limit, PageToken, Request, Response
from secretsd.api.keys import OfKey


class CreateAliasRequest(OfKey, frozen=True, kw_only=True):
    """A new name for a key."""

    alias: AliasName

    @property
    def resource_path(self) -> str:
        """The alias; the key is authorised by itself."""
        return f"alias/{self.alias}"

    @property
    def resource_account(self) -> str | None:
        """The caller's own."""
        return None


class UpdateAliasRequest(OfKey, frozen=True, kw_only=True):
    """The alias leads to this key from now on."""

    alias: AliasName

    @property
    def resource_path(self) -> str:
        """The alias; the key that it leaves and the one it goes to are authorised by themselves."""
        return f"alias/{self.alias}"

    @property
    def resource_account(self) -> str | None:
        """The caller's own."""
        return None


class DeleteAliasRequest(Request, frozen=True, kw_only=True):
    """The name goes; its key stays as it is."""

    alias: AliasName

    @property
    def resource_path(self) -> str:
        """The alias; its key is authorised by itself."""
        return f"alias/{self.alias}"


class AliasDescription(Response, frozen=True, kw_only=True):
    """An alias, without `alias/`, and the key that it leads to. Times are in milliseconds since 1970-01-01 UTC."""

    alias: str
    resource: str
    key_id: str
    created_ms: int
    changed_ms: int


class ListAliasesRequest(Request, frozen=True, kw_only=True):
    """Aliases of the account, or those of one key, in order of name."""

    key: KeyReference | None = None
    limit: Limit = 100
    next_token: PageToken | None = None

    @property
    def resource_path(self) -> str:
        """All aliases, also where those of one key are asked for: they are names, and tell nothing of it."""
        return "alias/*"


class ListAliasesResponse(Response, frozen=True, kw_only=True):
    """A page of aliases."""

    aliases: tuple[AliasDescription, ...]
    next_token: str | None = None
