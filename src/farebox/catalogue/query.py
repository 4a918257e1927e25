"""The query of a model list, read strictly: a value outside its range is an `InvalidRequest` with the path `query.<name>`.

Refuses to filter; see `listing`. Parameters it does not know are ignored, as the reference does.
"""

from collections.abc import Mapping
from typing import NoReturn, overload

from msgspec import Struct

from farebox.ir.errors import InvalidRequest
from farebox.money.amounts import pico_from_usd

LIMIT_DEFAULT = 500
LIMIT_MAX = 1000
NUMBER_DIGITS_MAX = 12
TEXT_MAX = 200
TOKENS_PER_PRICE = 10**6
SORTS = frozenset(
    (
        "most-popular",
        "top-weekly",
        "newest",
        "pricing-low-to-high",
        "pricing-high-to-low",
        "context-high-to-low",
        "throughput-high-to-low",
        "latency-low-to-high",
        "intelligence-high-to-low",
        "coding-high-to-low",
        "agentic-high-to-low",
        "design-arena-elo-high-to-low",
    )
)
CATEGORIES = frozenset(
    (
        "programming",
        "roleplay",
        "marketing",
        "marketing/seo",
        "technology",
        "science",
        "translation",
        "legal",
        "finance",
        "health",
        "trivia",
        "academia",
    )
)
MODALITIES = frozenset(
    ("text", "image", "audio", "video", "file", "embeddings", "rerank", "speech", "transcription", "decisions")
)
# Measured by outside benchmarks, of which the catalogue holds none: a bound on them leaves no model.
INDEXES = ("intelligence_index", "coding_index", "agentic_index", "tool_success_rate")


class Query(Struct, frozen=True, kw_only=True):
    """Prices are pico-USD per token (callers write USD per million tokens)."""

    q: str = ""
    category: str = ""
    supported_parameters: tuple[str, ...] = ()
    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ("text",)
    sort: str = "newest"
    context: int = 0
    min_price: int | None = None
    max_price: int | None = None
    min_output_price: int | None = None
    max_output_price: int | None = None
    arch: tuple[str, ...] = ()
    model_authors: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    distillable: bool | None = None
    zdr: bool = False
    region: str = ""
    min_age_days: int | None = None
    max_age_days: int | None = None
    indexes: bool = False
    use_rss: bool = False
    offset: int = 0
    limit: int = LIMIT_DEFAULT


def parse(query: Mapping[str, str]) -> Query:
    """The query of a model list. Raises `InvalidRequest`."""
    outputs = _words(query, "output_modalities", MODALITIES | {"all"}) or ("text",)
    limit = _number(query, "limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        _refuse("limit", f"a number from 1 to {LIMIT_MAX}")
    return Query(
        q=_text(query, "q").lower(),
        category=_word(query, "category", CATEGORIES),
        supported_parameters=_words(query, "supported_parameters"),
        input_modalities=_words(query, "input_modalities", MODALITIES),
        output_modalities=() if "all" in outputs else outputs,
        sort=_word(query, "sort", SORTS) or "newest",
        context=_number(query, "context", 0),
        min_price=_price(query, "min_price"),
        max_price=_price(query, "max_price"),
        min_output_price=_price(query, "min_output_price"),
        max_output_price=_price(query, "max_output_price"),
        arch=_words(query, "arch"),
        model_authors=_words(query, "model_authors"),
        providers=_words(query, "providers"),
        distillable=_flag(query, "distillable"),
        zdr=bool(_flag(query, "zdr")),
        region=_word(query, "region", frozenset(("eu", "us"))),
        min_age_days=_number(query, "min_age_days", None),
        max_age_days=_number(query, "max_age_days", None),
        indexes=_indexes(query),
        use_rss=bool(_flag(query, "use_rss")),
        offset=_number(query, "offset", 0),
        limit=limit,
    )


def _refuse(name: str, wanted: str) -> NoReturn:
    raise InvalidRequest(f"'{name}' takes {wanted}.", path=f"query.{name}")


def _text(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "").strip()
    if len(value) > TEXT_MAX:
        _refuse(name, f"at most {TEXT_MAX} characters")
    return value


def _word(query: Mapping[str, str], name: str, known: frozenset[str]) -> str:
    value = _text(query, name)
    if value and value not in known:
        _refuse(name, f"one of: {', '.join(sorted(known))}")
    return value


def _words(query: Mapping[str, str], name: str, known: frozenset[str] | None = None) -> tuple[str, ...]:
    words = tuple(word.strip().lower() for word in _text(query, name).split(",") if word.strip())
    if known is not None and not known.issuperset(words):
        _refuse(name, f"a comma-separated list of: {', '.join(sorted(known))}")
    return words


@overload
def _number(query: Mapping[str, str], name: str, default: int) -> int: ...
@overload
def _number(query: Mapping[str, str], name: str, default: None) -> int | None: ...
def _number(query: Mapping[str, str], name: str, default: int | None) -> int | None:
    value = _text(query, name)
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= NUMBER_DIGITS_MAX):
        _refuse(name, "a whole number of 0 or more")
    return int(value)


def _price(query: Mapping[str, str], name: str) -> int | None:
    value = _text(query, name)
    if not value:
        return None
    try:
        return pico_from_usd(value) // TOKENS_PER_PRICE
    except ValueError:
        _refuse(name, "a price in USD per million tokens, such as 0.5")


def _flag(query: Mapping[str, str], name: str) -> bool | None:
    match _text(query, name).lower():
        case "":
            return None
        case "true" | "1":
            return True
        case "false" | "0":
            return False
    _refuse(name, "true or false")


def _indexes(query: Mapping[str, str]) -> bool:
    """Whether any bound on a benchmark is asked for."""
    asked = False
    for name in (f"{side}_{index}" for index in INDEXES for side in ("min", "max")):
        value = _text(query, name)
        if value:
            try:
                pico_from_usd(value)
            except ValueError:
                _refuse(name, "a number of 0 or more")
            asked = True
    return asked
