"""The catalogue in the reference's JSON: one model, its endpoints, the providers. Pure functions; refuses HTTP. Lists with
filters and sorts are in `listing`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from farebox.catalogue.lookup import Resolved, resolve
from farebox.catalogue.pricelist import Json, price_key, pricing
from farebox.catalogue.types import Endpoint, Model, Provider, Snapshot
from farebox.ir.errors import UnknownModel

PERCENTILES = ("p50", "p75", "p90", "p99")
SERVICE_TIERS = frozenset(("flex", "priority", "ultrafast"))
DEPRECATED = -1
DATED = re.compile(r"-(20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2})")


class Performance(Struct, frozen=True, gc=False, kw_only=True):
    """What was measured of an endpoint. Shares of successes in per cent; latency in ms, throughput in tokens a second."""

    uptime_5m: float | None = None
    uptime_30m: float | None = None
    uptime_1d: float | None = None
    latency_ms: Mapping[str, float] | None = None
    throughput: Mapping[str, float] | None = None


class Statistics(Struct, frozen=True, kw_only=True):
    """What usage says: performance by endpoint id, tokens of the last week by slug, slugs by category."""

    performance: Mapping[str, Performance] = {}
    popularity: Mapping[str, int] = {}
    categories: Mapping[str, frozenset[str]] = {}


NO_STATISTICS = Statistics()


def model(snapshot: Snapshot, name: str, *, at_s: int) -> Json:
    """`GET /model/{author}/{slug}`. Aliases and suffixes are resolved. Raises `UnknownModel`."""
    found = _found(snapshot, name)
    shown = model_object(found.model, found.endpoints, at_s=at_s)
    if found.alias:
        shown["alias_target"] = {"slug": found.slug, "name": found.model.name}
    return {"data": shown}


def bare_model(snapshot: Snapshot, name: str, *, at_s: int) -> Json:
    """`GET /models/{author}/{slug}`: the same without an envelope, with the members OpenAI's libraries read."""
    found = _found(snapshot, name)
    shown = model_object(found.model, found.endpoints, at_s=at_s)
    return {**shown, "object": "model", "owned_by": found.model.author}


def endpoints(snapshot: Snapshot, name: str, *, at_s: int, statistics: Statistics = NO_STATISTICS) -> Json:
    """`GET /models/{author}/{slug}/endpoints`. Raises `UnknownModel`."""
    found = _found(snapshot, name)
    each = found.model
    return {
        "data": {
            "id": each.slug,
            "name": each.name,
            "created": each.created_s or 0,
            "description": each.description,
            "architecture": architecture(each),
            "endpoints": [endpoint_object(each, offer, at_s=at_s, statistics=statistics) for offer in found.endpoints],
        }
    }


def providers(snapshot: Snapshot) -> Json:
    """`GET /providers`, by name."""
    return {
        "data": [provider_object(each) for each in sorted(snapshot.providers.values(), key=lambda p: p.name.lower())]
    }


def provider_object(provider: Provider) -> Json:
    return {
        "name": provider.name,
        "slug": provider.slug,
        "privacy_policy_url": provider.privacy_url,
        "terms_of_service_url": provider.terms_url,
        "status_page_url": provider.status_url,
        "headquarters": provider.headquarters,
        "datacenters": None if provider.datacenters is None else list(provider.datacenters),
    }


def top_endpoint(offers: tuple[Endpoint, ...], at_s: int) -> Endpoint | None:
    """The endpoint whose price and limits stand for the model: the cheapest active one without a variant."""

    def rank(offer: Endpoint) -> tuple[bool, bool, tuple[int, int], str]:
        return offer.status != "active", offer.variant is not None, price_key(offer, at_s), offer.id

    return min(offers, key=rank, default=None)


def model_object(each: Model, offers: tuple[Endpoint, ...], *, at_s: int) -> Json:
    """The reference's model object."""
    top = top_endpoint(offers, at_s)
    context = each.context_length or (top.context_length if top else None)
    limit = each.max_output_tokens if top is None or top.max_output_tokens is None else top.max_output_tokens
    parameters = sorted(frozenset().union(*(offer.parameters for offer in offers)))
    return {
        "id": each.slug,
        "canonical_slug": canonical_slug(each),
        "hugging_face_id": each.hf_id,
        "name": each.name,
        "created": each.created_s or 0,
        "description": each.description,
        "context_length": context,
        "architecture": architecture(each),
        "pricing": pricing(top, at_s) if top else {"prompt": "-1", "completion": "-1", "discount": 0},
        "top_provider": {
            "context_length": top.context_length if top else context,
            "max_completion_tokens": limit,
            "is_moderated": bool(top and top.moderated),
        },
        "per_request_limits": None,
        "supported_parameters": parameters,
        "default_parameters": dict.fromkeys(
            ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "repetition_penalty")
        ),
        "supported_voices": None,
        "reasoning": _reasoning(each),
        "knowledge_cutoff": each.knowledge_cutoff,
        "expiration_date": each.deprecation_date,
        "alias_target": None,
        "benchmarks": None,
        "links": {"details": f"/api/v1/models/{each.slug}/endpoints"},
    }


def architecture(each: Model) -> Json:
    into, out = "+".join(each.input_modalities), "+".join(each.output_modalities)
    return {
        "modality": f"{into}->{out}",
        "input_modalities": list(each.input_modalities),
        "output_modalities": list(each.output_modalities),
        "tokenizer": each.tokenizer or "other",
        "instruct_type": None,
    }


def endpoint_object(each: Model, offer: Endpoint, *, at_s: int, statistics: Statistics = NO_STATISTICS) -> Json:
    """The reference's endpoint object."""
    seen = statistics.performance.get(offer.id, Performance())
    chooses = "tool_choice" in offer.parameters
    return {
        "name": f"{offer.provider_name} | {each.slug}",
        "model_id": each.slug,
        "model_name": each.name,
        "provider_name": offer.provider_name,
        "tag": offer.tag,
        "context_length": offer.context_length,
        "max_completion_tokens": offer.max_output_tokens,
        "max_prompt_tokens": offer.max_prompt_tokens,
        "pricing": pricing(offer, at_s),
        "quantization": offer.quantization or "unknown",
        "service_tier": offer.variant if offer.variant in SERVICE_TIERS else None,
        "status": 0 if offer.status == "active" else DEPRECATED,
        "supported_parameters": sorted(offer.parameters),
        "supports_implicit_caching": "implicit_caching" in offer.features,
        "supports_tool_choice": dict.fromkeys(("auto", "none", "required", "function"), chooses),
        "supports_voice_cloning": False,
        "supports_diarization": False,
        "supports_image_reference": False,
        "native_tools": {},
        "uptime_last_5m": seen.uptime_5m,
        "uptime_last_30m": seen.uptime_30m,
        "uptime_last_1d": seen.uptime_1d,
        "latency_last_30m": _percentiles(seen.latency_ms),
        "throughput_last_30m": _percentiles(seen.throughput),
        "perf_last_30m_by_workload": None,
    }


def canonical_slug(each: Model) -> str:
    """The dated name of a model, if it has one: `author/name-20260901`."""
    for alias in each.aliases:
        if alias.startswith(each.slug) and DATED.fullmatch(alias, len(each.slug)):
            return alias
    return each.slug


def iso_day(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


def _found(snapshot: Snapshot, name: str) -> Resolved:
    found = resolve(snapshot, name)
    if found is None:
        raise UnknownModel(f"No model is called '{name[:128]}'.")
    return found


def _reasoning(each: Model) -> Json | None:
    facts = each.reasoning
    if facts is None:
        return None
    return {
        "mandatory": bool(facts.mandatory),
        "default_enabled": facts.default_enabled,
        "default_effort": facts.default_effort,
        "supported_efforts": list(facts.efforts) or None,
        "supports_max_tokens": facts.max_tokens,
    }


def _percentiles(values: Mapping[str, float] | None) -> Json | None:
    return None if values is None else {name: values.get(name) for name in PERCENTILES}
