"""OAuth 2.0's own words for the one operation that its clients use: a form comes in, RFC 6749's answers go out.

The operation is CreateAccessToken; in JSON it is asked for and answered like every other one. Here its parameters are
those of RFC 6749 section 4.4.2, the client may show its access key in the form (2.3.1), and errors are those of 5.2.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from secretsd.api.access_keys import CreateAccessTokenRequest
from secretsd.dialects.native.errors import BASIC, RETRY_AFTER_SECONDS, STATUS
from secretsd.domain.credentials import MAX_SESSION_SECONDS, KeyPair
from secretsd.domain.errors import ErrorKind, InvalidRequest, SecretsdError
from secretsd.domain.sensitive import Plaintext
from secretsd.operations.authenticator import Caller

OPERATION = "CreateAccessToken"
FORM = "application/x-www-form-urlencoded"
NOT_KEPT = {"Pragma": "no-cache"}
"""What RFC 6749 5.1 wants beside Cache-Control, which every answer has."""
GRANT_TYPE: Final = "client_credentials"
USUAL_SECONDS = CreateAccessTokenRequest(grant_type=GRANT_TYPE).expires_in
MAX_FIELDS = 32
_DESCRIBABLE = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}
_ERRORS = {
    ErrorKind.UNAUTHENTICATED: "invalid_client",
    ErrorKind.ACCESS_DENIED: "unauthorized_client",
    ErrorKind.INVALID_STATE: "unauthorized_client",
    ErrorKind.THROTTLED: "temporarily_unavailable",
    ErrorKind.KEYSTORE_UNAVAILABLE: "temporarily_unavailable",
    ErrorKind.STORAGE_UNAVAILABLE: "temporarily_unavailable",
    ErrorKind.INTERNAL: "server_error",
}
"""By kind; the last two words are RFC 6749's for its other endpoint, and known to clients. Else: invalid_request."""


class BadForm(InvalidRequest):
    """cannot read the form; `code` is RFC 6749's word for it"""

    def __init__(self, message: str, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.code = code


class Form(NamedTuple):
    """The parameters of a token request; those without a value count as left out, those unknown are not looked at."""

    fields: Mapping[str, str]
    error: BadForm | None = None

    @classmethod
    def read(cls, body: bytes) -> "Form":
        """The form in a body; one that cannot be read keeps its error for `request`, as the caller is told first."""
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
                max_num_fields=MAX_FIELDS,
            )  # fmt: skip
        except ValueError:
            return cls({}, BadForm("cannot read the form: it is not made of name=value pairs in UTF-8"))
        found: dict[str, str] = {}
        for name, value in pairs:
            if name in found:
                return cls({}, BadForm("cannot read the form: a parameter is given twice"))
            found[name] = value
        return cls({name: value for name, value in found.items() if value})

    def caller(self, caller: Caller) -> Caller:
        """Who asks: whoever the form shows, if it shows an access key and nothing else does."""
        identifier, secret = self.fields.get("client_id"), self.fields.get("client_secret")
        if secret is None or caller.shown is not None:
            return caller
        return caller.showing(KeyPair(identifier or "", Plaintext.from_text(secret)))

    def request(self, caller: Caller, query: str) -> CreateAccessTokenRequest:
        """What is asked of the operation by `caller`, as he was before the form was read; BadForm."""
        fields = self.fields
        if self.error is not None:
            raise self.error
        if query:
            raise BadForm("cannot read the request: parameters belong into the form, not into the URL")
        if self._names_another(caller.shown):
            raise BadForm("cannot tell who is calling: there are two proofs of identity")
        if "grant_type" not in fields:
            raise BadForm("cannot read the form: grant_type is missing")
        if fields["grant_type"] != GRANT_TYPE:
            raise BadForm("cannot make a token for that grant type: only client_credentials", "unsupported_grant_type")
        if "scope" in fields:
            raise BadForm("cannot narrow a token by a scope: it may do what its user may", "invalid_scope")
        wanted = fields.get("expires_in", str(USUAL_SECONDS))
        seconds = int(wanted) if wanted.isdecimal() and len(wanted) < len(str(MAX_SESSION_SECONDS)) + 1 else 0
        if not 1 <= seconds <= MAX_SESSION_SECONDS:
            raise BadForm(f"cannot read the form: expires_in is not 1 to {MAX_SESSION_SECONDS} seconds")
        return CreateAccessTokenRequest(grant_type=GRANT_TYPE, expires_in=seconds)

    def _names_another(self, shown: Plaintext | KeyPair | None) -> bool:
        """Whether the form shows a client beside what the request's head shows; the id alone may stand in both."""
        if shown is None:
            return False
        own = shown.id if isinstance(shown, KeyPair) else None
        return "client_secret" in self.fields or self.fields.get("client_id", own) != own


def is_form(content_type: str) -> bool:
    """Whether a body of that content type is a form."""
    return content_type.partition(";")[0].strip().lower() == FORM


def problem(error: SecretsdError) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and further headers of an error (RFC 6749 5.2)."""
    code = error.code if isinstance(error, BadForm) else _ERRORS.get(error.kind, "invalid_request")
    # 5.2 leaves it to 401 and 400, where it is the client's fault.
    status = STATUS[error.kind]
    status = status if status in (401, 429) or status >= 500 else 400
    headers = dict(NOT_KEPT)
    if status == 401:
        # The one scheme by which a client proves itself here; a token gets no further token.
        headers["WWW-Authenticate"] = BASIC
    if status in (429, 503):
        headers["Retry-After"] = str(error.retry_after_seconds or RETRY_AFTER_SECONDS)
    told = "".join(character for character in error.message if character in _DESCRIBABLE)
    return status, msgspec.json.encode({"error": code, "error_description": told}), headers


def form_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The form as OpenAPI describes it: what is looked at. `properties` are those of the request in JSON."""
    text = {"type": "string", "maxLength": 1024}
    shown = {
        "client_id": {**text, "description": "Id of the access key, where it is not shown as HTTP Basic."},
        "client_secret": {**text, "description": "Its secret, likewise."},
    }
    return {
        "type": "object",
        "properties": {**properties, **shown},
        "required": ["grant_type"],
        "additionalProperties": False,
    }


def error_schema() -> dict[str, Any]:
    """An error as OpenAPI describes it."""
    return {
        "type": "object",
        "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
        "required": ["error"],
    }
