"""A generation as JSON for its owner, in the shape that OpenRouter's clients read. Pure."""

from datetime import UTC, datetime

from msgspec import Raw

from farebox.insights.types import Attempt, GenerationRecord
from farebox.ir.usage import INPUT_UNITS, OUTPUT_UNITS, Unit
from farebox.money.charges import usd_text

Json = dict[str, object]


def usd(nano: int) -> Raw:
    """Nano-USD as an exact JSON number."""
    return Raw(usd_text(nano).encode())


def generation(record: GenerationRecord) -> Json:
    usage = record.usage.get
    prompt = sum(usage(unit, 0) for unit in INPUT_UNITS)
    completion = sum(usage(unit, 0) for unit in OUTPUT_UNITS)
    return {
        "id": record.id,
        "upstream_id": record.upstream_id or None,
        "request_id": record.id,
        "session_id": record.session or None,
        "total_cost": usd(record.total_nano),
        "usage": usd(record.total_nano),
        "cost_details": {
            "vendor_cost": usd(record.vendor_cost_nano),
            "toll": usd(record.toll_nano),
            "price_version": record.price_version or None,
        },
        "cache_discount": None,
        "upstream_inference_cost": usd(record.vendor_cost_nano),
        "created_at": iso(record.created_ms),
        "model": record.model or record.model_asked,
        "model_asked": record.model_asked,
        "router": None,
        "provider_name": record.provider or None,
        "provider_responses": [_attempt(record, attempt) for attempt in record.attempts],
        "api_type": record.operation,
        "app_id": None,
        "streamed": record.streamed,
        "cancelled": record.cancelled,
        "is_byok": False,
        "latency": _ms(record.latency_ms),
        "generation_time": _ms(record.duration_ms),
        "moderation_latency": None,
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        **_native(record, prompt, completion),
        "finish_reason": record.finish or None,
        "native_finish_reason": record.native_finish or None,
        "error": {"code": record.status, "type": record.error} if record.error else None,
        "warnings": [{"code": code, "path": path, "message": text} for code, path, text in record.warnings],
        "origin": record.referer,
        "http_referer": record.referer or None,
        "user_agent": record.user_agent or None,
        "service_tier": record.service_tier or None,
        "simulated": record.simulated,
        "data_region": None,
        "preset_id": None,
        "external_user": None,
        "workspace_id": None,
        "response_cache_source_id": None,
    }


def _native(record: GenerationRecord, prompt: int, completion: int) -> Json:
    usage = record.usage.get
    cached = usage(Unit.INPUT_CACHE_READ, 0) + usage(Unit.INPUT_AUDIO_CACHE_READ, 0)
    return {
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_reasoning": usage(Unit.OUTPUT_REASONING, 0),
        "native_tokens_cached": cached,
        "native_tokens_completion_images": usage(Unit.OUTPUT_IMAGE, 0),
        "tokens_counted_by": record.usage_source or None,
        "num_media_prompt": None,
        "num_media_completion": None,
        "num_input_audio_prompt": None,
        "num_search_results": usage(Unit.SEARCH) if Unit.SEARCH in record.usage else None,
        "num_fetches": None,
        "web_search_engine": None,
    }


def _attempt(record: GenerationRecord, attempt: Attempt) -> Json:
    """OpenRouter's names first; `outcome`, `started` and `reason` say what it leaves out."""
    latency = None if attempt.first_byte_ms is None else attempt.first_byte_ms - attempt.started_ms
    return {
        "id": attempt.upstream_id or None,
        "endpoint_id": attempt.endpoint,
        "provider_name": attempt.provider,
        "model_permaslug": record.model or record.model_asked,
        "status": attempt.status,
        "latency": _ms(latency),
        "is_byok": False,
        "outcome": attempt.outcome,
        "reason": attempt.reason or None,
        "started": _ms(attempt.started_ms),
        "ended": _ms(attempt.ended_ms),
    }


def iso(epoch_ms: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC."""
    text = datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)
