"""Reads the caller's `provider` object into checked preferences, naming the exact place of every mistake.

Refuses anything that could say where a request is sent or with which key: those words are errors wherever they stand.
"""

import difflib
from decimal import Decimal, InvalidOperation

import msgspec
from msgspec import Raw

from farebox.ir.errors import InvalidRequest
from farebox.ir.events import Warning
from farebox.routing.types import MaxPrice, Percentiles, Preferences

Json = dict[str, Raw]

QUANTIZATIONS = frozenset(
    ("int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown")
)
SORTS = frozenset(("price", "throughput", "latency", "exacto"))
KEYS = (
    "order",
    "only",
    "ignore",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "quantizations",
    "sort",
    "max_price",
    "preferred_min_throughput",
    "preferred_max_latency",
    "enforce_distillable_text",
    "options",
)
SLUGS_MAX = 128
SLUG_CHARS_MAX = 128
# Letters of words that would redirect a request or replace its credential, whatever their spelling.
_STEERING = (
    "url",
    "uri",
    "apibase",
    "apikey",
    "apihost",
    "hostname",
    "proxy",
    "header",
    "secret",
    "credential",
    "authorization",
)
_STEERING_WHOLE = frozenset(("host", "key", "token", "endpoint", "origin", "base", "auth"))
# USD per million units -> pico-USD per unit, and USD per unit -> pico-USD per unit.
_PICO_PER_UNIT_OF_MILLION = Decimal(10**6)
_PICO_PER_UNIT = Decimal(10**12)
_PRICE_MAX = Decimal(10**9)
_PRICE_SCALES = {
    "prompt": _PICO_PER_UNIT_OF_MILLION,
    "completion": _PICO_PER_UNIT_OF_MILLION,
    "audio": _PICO_PER_UNIT_OF_MILLION,
    "request": _PICO_PER_UNIT,
    "image": _PICO_PER_UNIT,
}

NONE = Preferences()


def parse(raw: Raw | bytes | None, *, path: str = "$.provider") -> tuple[Preferences, tuple[Warning, ...]]:
    """The preferences, and warnings for what was read but has no effect. Raises InvalidRequest with the JSON path."""
    if raw is None:
        return NONE, ()
    fields = _object(raw, path)
    warnings: list[Warning] = []
    for key in fields:
        if key not in KEYS:
            warnings.append(_unknown(key, path))
    return _build(_present(fields), path, warnings), tuple(warnings)


def _build(fields: Json, path: str, warnings: list[Warning]) -> Preferences:
    sort, across = _sort(fields.get("sort"), f"{path}.sort")
    if "options" in fields:
        _options(fields["options"], f"{path}.options", warnings)
    if _flag(fields, "enforce_distillable_text", path, default=False):
        raise InvalidRequest(
            "No endpoint of this catalogue is known to allow distillation.",
            path=f"{path}.enforce_distillable_text",
            reason="unsupported",
        )
    return Preferences(
        order=_slugs(fields, "order", path),
        only=_slugs(fields, "only", path),
        ignore=_slugs(fields, "ignore", path),
        allow_fallbacks=_flag(fields, "allow_fallbacks", path, default=True),
        require_parameters=_flag(fields, "require_parameters", path, default=False),
        data_collection=_word(fields, "data_collection", path, ("allow", "deny")) or "allow",
        zdr=_flag(fields, "zdr", path, default=False),
        quantizations=_quantizations(fields, path),
        sort=sort,
        sort_across_models=across,
        max_price=_max_price(fields.get("max_price"), f"{path}.max_price"),
        preferred_min_throughput=_percentiles(
            fields.get("preferred_min_throughput"), f"{path}.preferred_min_throughput", scale=1.0
        ),
        # The caller writes seconds; standings are in milliseconds.
        preferred_max_latency=_percentiles(
            fields.get("preferred_max_latency"), f"{path}.preferred_max_latency", scale=1000.0
        ),
    )


def _present(fields: Json) -> Json:
    """Without members that are null: null means "not said"."""
    return {key: value for key, value in fields.items() if bytes(value).strip() != b"null"}


def _object(raw: Raw | bytes, path: str) -> Json:
    try:
        return msgspec.json.decode(raw, type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest("Expected an object.", path=path, reason="wrong_type") from error


def _unknown(key: str, path: str) -> Warning:
    if steers(key):
        raise InvalidRequest(
            "A request may not say where or with which key a provider is called.",
            path=_member(path, key),
            reason="forbidden_field",
        )
    near = difflib.get_close_matches(_snake(key), KEYS, n=1, cutoff=0.8)
    if near:
        raise InvalidRequest(
            f"Unknown preference; did you mean '{near[0]}'?", path=_member(path, key), reason="unknown_field"
        )
    return Warning("unknown_field", _member(path, key), "This preference is not known and has no effect.")


def steers(key: str) -> bool:
    """Whether a member's name could redirect a request or replace its credential."""
    letters = "".join(char for char in key.lower() if char.isalnum())
    return letters in _STEERING_WHOLE or any(word in letters for word in _STEERING)


def _snake(key: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in key[:64])


def _member(path: str, key: str) -> str:
    """The path of a member; odd names are quoted and long ones cut, as they are the caller's bytes."""
    return f"{path}.{key}" if key.isidentifier() and len(key) <= 64 else f"{path}[{key[:64]!r}]"


def _options(raw: Raw, path: str, warnings: list[Warning]) -> None:
    for slug, value in _object(raw, path).items():
        for key in _object(value, _member(path, slug)):
            if steers(key):
                raise InvalidRequest(
                    "A request may not say where or with which key a provider is called.",
                    path=_member(_member(path, slug), key),
                    reason="forbidden_field",
                )
    warnings.append(Warning("unsupported", path, "Options for single providers are not passed on."))


def _flag(fields: Json, key: str, path: str, *, default: bool) -> bool:
    raw = fields.get(key)
    if raw is None:
        return default
    text = bytes(raw).strip()
    if text == b"true":
        return True
    if text == b"false":
        return False
    raise InvalidRequest("Expected true or false.", path=f"{path}.{key}", reason="wrong_type")


def _text(raw: Raw, path: str) -> str:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError as error:
        raise InvalidRequest("Expected a string.", path=path, reason="wrong_type") from error


def _word(fields: Json, key: str, path: str, words: tuple[str, ...]) -> str:
    raw = fields.get(key)
    if raw is None:
        return ""
    text = _text(raw, f"{path}.{key}")
    if text not in words:
        raise InvalidRequest(f"Expected one of: {', '.join(words)}.", path=f"{path}.{key}", reason="unknown_value")
    return text


def _list(raw: Raw, path: str) -> list[str]:
    try:
        items = msgspec.json.decode(raw, type=list[Raw])
    except msgspec.DecodeError as error:
        raise InvalidRequest("Expected a list of strings.", path=path, reason="wrong_type") from error
    if len(items) > SLUGS_MAX:
        raise InvalidRequest(f"At most {SLUGS_MAX} entries.", path=path, reason="too_long")
    return [_text(item, f"{path}[{index}]") for index, item in enumerate(items)]


def slug(text: str) -> str:
    """A provider's slug from a slug or a display name: `Amazon Bedrock` is `amazon-bedrock`."""
    return text.strip().lower().replace(" ", "-")


def _slugs(fields: Json, key: str, path: str) -> tuple[str, ...]:
    raw = fields.get(key)
    if raw is None:
        return ()
    slugs: dict[str, None] = {}
    for index, text in enumerate(_list(raw, f"{path}.{key}")):
        found = slug(text)
        if not found or len(found) > SLUG_CHARS_MAX or not found.isprintable():
            raise InvalidRequest("Expected a provider's slug.", path=f"{path}.{key}[{index}]", reason="unknown_value")
        slugs[found] = None
    return tuple(slugs)


def _quantizations(fields: Json, path: str) -> tuple[str, ...]:
    raw = fields.get("quantizations")
    if raw is None:
        return ()
    words = _list(raw, f"{path}.quantizations")
    for index, word in enumerate(words):
        if word not in QUANTIZATIONS:
            raise InvalidRequest(
                f"Expected one of: {', '.join(sorted(QUANTIZATIONS))}.",
                path=f"{path}.quantizations[{index}]",
                reason="unknown_value",
            )
    return tuple(dict.fromkeys(words))


def _sort(raw: Raw | None, path: str) -> tuple[str, bool]:
    if raw is None:
        return "", False
    if bytes(raw).lstrip()[:1] != b"{":
        return _word({"sort": raw}, "sort", path.removesuffix(".sort"), tuple(sorted(SORTS))), False
    fields = _present(_object(raw, path))
    for key in fields:
        if key not in ("by", "partition"):
            raise InvalidRequest("Expected only 'by' and 'partition'.", path=_member(path, key), reason="unknown_field")
    by = _word(fields, "by", path, tuple(sorted(SORTS)))
    return by, _word(fields, "partition", path, ("model", "none")) == "none"


def _max_price(raw: Raw | None, path: str) -> MaxPrice | None:
    if raw is None:
        return None
    fields = _present(_object(raw, path))
    for key in fields:
        if key not in _PRICE_SCALES:
            raise InvalidRequest(
                f"Expected only: {', '.join(_PRICE_SCALES)}.", path=_member(path, key), reason="unknown_field"
            )
    return MaxPrice(**{key: _price(value, f"{path}.{key}", _PRICE_SCALES[key]) for key, value in fields.items()})


def _price(raw: Raw, path: str, scale: Decimal) -> int:
    """Exact pico-USD, rounded down: prices are whole pico-USD, so a ceiling between two of them is the lower one."""
    text = bytes(raw).strip()
    quoted = text[:1] == b'"'
    digits = _text(raw, path).strip() if quoted else text.decode()
    try:
        usd = Decimal(digits)
    except InvalidOperation as error:
        raise InvalidRequest("Expected a price in USD, as number or string.", path=path, reason="wrong_type") from error
    if not usd.is_finite() or usd < 0 or usd > _PRICE_MAX or len(digits) > 64:
        raise InvalidRequest(f"Expected a price from 0 to {_PRICE_MAX}.", path=path, reason="out_of_range")
    return int(usd * scale)


def _percentiles(raw: Raw | None, path: str, *, scale: float) -> Percentiles | None:
    if raw is None:
        return None
    if bytes(raw).lstrip()[:1] != b"{":
        return Percentiles(p50=_positive(raw, path) * scale)
    fields = _present(_object(raw, path))
    for key in fields:
        if key not in ("p50", "p75", "p90", "p99"):
            raise InvalidRequest("Expected only p50, p75, p90, p99.", path=_member(path, key), reason="unknown_field")
    return Percentiles(**{key: _positive(value, f"{path}.{key}") * scale for key, value in fields.items()})


def _positive(raw: Raw, path: str) -> float:
    try:
        number = msgspec.json.decode(raw, type=float)
    except msgspec.DecodeError as error:
        raise InvalidRequest("Expected a number.", path=path, reason="wrong_type") from error
    if not 0 < number < 1e9:
        raise InvalidRequest("Expected a number above 0.", path=path, reason="out_of_range")
    return number
