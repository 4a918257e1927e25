"""Commands for API keys, through the management API of a running Farebox. Refuses to open the store."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal

from cyclopts import Parameter

from farebox.cli.client import Client, Json
from farebox.cli.table import table

Url = Annotated[str | None, Parameter(help="address of the Farebox; default: FAREBOX_URL, else this machine's")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What the key may do.

    Parameters
    ----------
    limit
        Most that may be spent, in USD.
    reset
        When the limit starts anew.
    expires
        ISO 8601 time at which it ends.
    model
        Only this model (may be given several times).
    provider
        Only this provider (may be given several times).
    management
        A key that manages keys instead of calling models.
    """

    limit: Decimal | None = None
    reset: Literal["daily", "weekly", "monthly"] | None = None
    expires: str | None = None
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    management: Annotated[bool, Parameter(negative="")] = False


UNBOUND = Bounds()


def create(
    name: Annotated[str, Parameter(help="What the key is for.")], *, bounds: Bounds = UNBOUND, url: Url = None
) -> None:
    """Create a key and print it. It is not stored and can't be shown again.

    For example:

    - farebox keys create laptop
    - farebox keys create ci --limit 10 --reset monthly --model openai/gpt-5-mini
    """
    body: dict[str, Json] = {
        "name": name,
        "models": list(bounds.model),
        "providers": list(bounds.provider),
        "scopes": ["management" if bounds.management else "inference"],
        # JSON has no decimals of its own; the API reads any number exactly.
        "limit": None if bounds.limit is None else float(bounds.limit),
        "limit_reset": bounds.reset,
        "expires_at": bounds.expires,
    }
    print(Client(url).call("POST", "/api/v1/keys", body)["key"])


def listing(*, url: Url = None) -> None:
    """List the keys, newest first. `hash` is what `revoke` wants.

    For example:

    - farebox keys list
    """
    rows = Client(url).call("GET", "/api/v1/keys")["data"]
    print(table(("HASH", "NAME", "KEY", "USED USD", "LIMIT", "STATE"), [_row(key) for key in rows]))


def revoke(hash: str, *, url: Url = None) -> None:
    """Revoke a key for good. Workers refuse it within a second or two.

    For example:

    - farebox keys revoke 4fK2pQx9aB

    Parameters
    ----------
    hash
        The key's hash, from `farebox keys list`.
    """
    Client(url).call("DELETE", f"/api/v1/keys/{hash}")
    print(f"revoked {hash}")


def _row(key: Json) -> tuple[str, ...]:
    limit = "-" if key["limit"] is None else f"{key['limit']}{' ' + key['limit_reset'] if key['limit_reset'] else ''}"
    state = "disabled" if key["disabled"] else "active"
    return key["hash"], key["name"], key["label"], str(key["usage"]), limit, state
