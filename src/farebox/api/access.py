"""Who may call a route: declared with the route, decided on the matched route. Refuses to look at paths or hosts."""

from enum import StrEnum
from typing import Protocol

from starlette.datastructures import Headers

from farebox.accounts import keys
from farebox.accounts.types import MANAGEMENT, Caller
from farebox.ir.errors import Forbidden, InvalidRequest, Unauthenticated

CREDENTIAL_CHARS = 512
_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")


class Access(StrEnum):
    """What a route asks of its caller."""

    PUBLIC = "public"
    KEY = "key"
    MANAGEMENT = "management"


class Authenticator(Protocol):
    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None: ...

    def now_s(self) -> float: ...


async def admit(access: Access, headers: Headers, accounts: Authenticator) -> Caller | None:
    """The caller, None on a public route. Raises Unauthenticated or Forbidden; Unavailable if accounts cannot be read."""
    if access is Access.PUBLIC:
        return None
    parsed = keys.parse(credential(headers))
    caller = None if parsed is None else await accounts.authenticate(parsed.key_id, parsed.digest)
    if caller is None:
        raise Unauthenticated
    if caller.disabled:
        raise Unauthenticated("This API key is disabled.", metadata={"reason": "key_disabled"})
    if caller.expires_s is not None and caller.expires_s <= accounts.now_s():
        raise Unauthenticated("This API key has expired.", metadata={"reason": "key_expired"})
    if access is Access.MANAGEMENT and MANAGEMENT not in caller.scopes:
        raise Forbidden("This address needs a key with the scope 'management'.", metadata={"reason": "scope"})
    return caller


def credential(headers: Headers) -> str:
    """The one key of a request, whichever header its SDK uses."""
    given = headers.getlist("authorization")
    if len(given) > 1:
        raise InvalidRequest("More than one Authorization header.", path="header.authorization")
    found = ""
    if given:
        scheme, _, found = given[0].partition(" ")
        if scheme.lower() != "bearer" or not found:
            raise Unauthenticated
    for name in _HEADERS:
        for value in headers.getlist(name):
            if found and value != found:
                raise InvalidRequest("Two different API keys in one request.", path=f"header.{name}")
            found = value
    if not found or len(found) > CREDENTIAL_CHARS or not found.isascii():
        raise Unauthenticated
    return found
