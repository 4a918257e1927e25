"""The addresses of keys: `/key` and `/keys`. Refuses to show a key after the answer that created it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field
from starlette.responses import Response

from farebox.accounts import keys as key_format
from farebox.accounts.types import MANAGEMENT, Key, KeyChange, KeyWish
from farebox.api.access import Access
from farebox.api.bodies import query_bool, query_int, read_json
from farebox.api.control import Control
from farebox.api.pages import Call, Page
from farebox.insights.queries import KeyUsage
from farebox.insights.show import iso, usd
from farebox.ir.errors import InvalidRequest, NotFound

Json = dict[str, object]
Reset = Literal["daily", "weekly", "monthly"]
Scope = Literal["inference", "management"]
Usd = Annotated[Decimal, Meta(extra_json_schema={"type": "number", "format": "decimal"})]
Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=200)]

LIMIT_USD_MAX = 10**9
UNLIMITED = 2**31 - 1
INFERENCE_ONLY: Scope = "inference"


class NewKeyBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """`limit` in USD. A key for inference unless `scopes` says otherwise."""

    name: str
    limit: int | Usd | None = None
    limit_reset: Reset | None = None
    expires_at: str | None = None
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=1)] = field(default_factory=lambda: [INFERENCE_ONLY])
    models: Names = []
    providers: Names = []


class ChangeBody(Struct, forbid_unknown_fields=True, kw_only=True):
    name: str | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    limit: int | Usd | UnsetType | None = UNSET
    limit_reset: Reset | UnsetType | None = UNSET


def pages(control: Control) -> list[Page]:
    async def this_key(call: Call) -> Response:
        caller = call.caller
        key = await control.key(caller.organisation, caller.key_id)
        if key is None:
            raise NotFound("No such key.")
        return _json({"data": _this(key, await control.key_usage(key.id))})

    async def list_keys(call: Call) -> Response:
        offset = query_int(call.request, "offset", 0, high=10**9)
        disabled = query_bool(call.request, "include_disabled", default=True)
        found = await control.list_keys(call.caller.organisation, offset=offset, include_disabled=disabled)
        return _json({"data": [show(key, await control.key_usage(key.id)) for key in found]})

    async def create(call: Call) -> Response:
        body = await read_json(call.request, NewKeyBody)
        new = await control.create_key(call.caller.organisation, _wish(body), once=_once(call))
        return _json({"key": new.secret, "data": show(new.key, KeyUsage())}, status=201)

    async def one(call: Call) -> Response:
        key = await control.key(call.caller.organisation, call.request.path_params["hash"])
        if key is None:
            raise NotFound("No such key.")
        return _json({"data": show(key, await control.key_usage(key.id))})

    async def change(call: Call) -> Response:
        body = await read_json(call.request, ChangeBody)
        wanted = KeyChange(
            name=body.name,
            disabled=body.disabled,
            limit_nano=UNSET if body.limit is UNSET else limit_nano(body.limit),
            limit_reset=body.limit_reset,
        )
        key = await control.change_key(call.caller.organisation, call.request.path_params["hash"], wanted)
        return _json({"data": show(key, await control.key_usage(key.id))})

    async def revoke(call: Call) -> Response:
        await control.revoke_key(call.caller.organisation, call.request.path_params["hash"])
        return _json({"deleted": True})

    own, manage, path = Access.KEY, Access.MANAGEMENT, "/keys/{hash}"
    listing = ("offset", "include_disabled")
    return [
        Page(method="GET", path="/key", access=own, handler=this_key, summary="The key that asks."),
        Page(
            method="GET", path="/keys", access=manage, handler=list_keys, summary="Keys, newest first.", query=listing
        ),
        Page(method="POST", path="/keys", access=manage, handler=create, summary="Create a key.", body=NewKeyBody),
        Page(method="GET", path=path, access=manage, handler=one, summary="One key."),
        Page(method="PATCH", path=path, access=manage, handler=change, summary="Change a key.", body=ChangeBody),
        Page(method="DELETE", path=path, access=manage, handler=revoke, summary="Revoke a key for good."),
    ]


def show(key: Key, usage: KeyUsage) -> Json:
    """A key as its organisation manages it; `hash` is what it is addressed by."""
    return {
        "hash": key.id,
        "label": key_format.label(key.id, key.ending),
        "name": key.name,
        "disabled": key.disabled,
        "scopes": sorted(key.scopes),
        "models": key.models,
        "providers": key.providers,
        **_money(key, usage),
        "created_at": iso(key.created_ms),
        "updated_at": None if key.updated_ms is None else iso(key.updated_ms),
        "expires_at": None if key.expires_ms is None else iso(key.expires_ms),
        "last_used_at": iso(usage.last_hour_s * 1000) if usage.last_hour_s else None,
        "external_user": None,
        "creator_user_id": None,
        "workspace_id": key.organisation,
    }


def _this(key: Key, usage: KeyUsage) -> Json:
    managing = MANAGEMENT in key.scopes
    return {
        "label": key_format.label(key.id, key.ending),
        **_money(key, usage),
        "is_free_tier": False,
        "is_management_key": managing,
        "is_provisioning_key": managing,
        # There is no such quota here; clients insist on numbers.
        "free_model_daily_requests": {"limit": UNLIMITED, "used": 0, "remaining": UNLIMITED},
        "budgets": [],
        "effective_budget": None,
        "allowed_data_regions": [],
        "organization_id": key.organisation,
        "workspace_id": key.organisation,
        "creator_user_id": None,
        "expires_at": None if key.expires_ms is None else iso(key.expires_ms),
        "rate_limit": {"requests": -1, "interval": "10s", "note": "Deprecated; always unlimited here."},
    }


def _money(key: Key, usage: KeyUsage) -> Json:
    spent = {None: usage.total_nano, "daily": usage.day_nano, "weekly": usage.week_nano, "monthly": usage.month_nano}
    limit = key.limit_nano
    return {
        "limit": None if limit is None else usd(limit),
        "limit_remaining": None if limit is None else usd(max(0, limit - spent[key.limit_reset])),
        "limit_reset": key.limit_reset,
        "include_byok_in_limit": False,
        "usage": usd(usage.total_nano),
        "usage_daily": usd(usage.day_nano),
        "usage_weekly": usd(usage.week_nano),
        "usage_monthly": usd(usage.month_nano),
        "byok_usage": 0,
        "byok_usage_daily": 0,
        "byok_usage_weekly": 0,
        "byok_usage_monthly": 0,
    }


def limit_nano(amount: int | Decimal | None) -> int | None:
    """A limit in USD as nano-USD, rounded down: nobody spends more than was written."""
    if amount is None:
        return None
    if not Decimal(amount).is_finite() or not 0 <= amount <= LIMIT_USD_MAX:
        raise InvalidRequest(f"A limit is from 0 to {LIMIT_USD_MAX} USD.", path="$.limit")
    return int(amount * 10**9)


def _wish(body: NewKeyBody) -> KeyWish:
    return KeyWish(
        name=body.name,
        scopes=frozenset(body.scopes),
        models=tuple(body.models),
        providers=tuple(body.providers),
        limit_nano=limit_nano(body.limit),
        limit_reset=body.limit_reset,
        expires_ms=_moment(body.expires_at),
    )


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidRequest("Not an ISO 8601 time.", path="$.expires_at") from None


def _once(call: Call) -> str | None:
    name = call.request.headers.get("idempotency-key")
    if name is not None and not (0 < len(name) <= 255 and name.isascii() and name.isprintable()):
        raise InvalidRequest(
            "The Idempotency-Key must be 1 to 255 printable characters.", path="header.idempotency-key"
        )
    return name


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
