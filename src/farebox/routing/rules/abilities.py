"""Rules about what an endpoint can do, and the soft counterpart: which wishes it is not known to honour.

An endpoint's list of parameters is what its sources say, rarely complete. So a parameter that is not listed is passed on
with a warning, and only `require_parameters` makes the list binding.
"""

from farebox.catalogue.types import Endpoint
from farebox.routing.rules.ask import Ask

# Members of a request that say nothing about an endpoint's abilities.
NEUTRAL = frozenset(
    (
        "cache_control",
        "messages",
        "metadata",
        "modalities",
        "model",
        "models",
        "n",
        "plugins",
        "preset",
        "prompt_cache_key",
        "provider",
        "route",
        "safety_identifier",
        "service_tier",
        "session_id",
        "store",
        "stream",
        "stream_options",
        "trace",
        "transforms",
        "usage",
        "user",
    )
)
# Other spellings under which the catalogue may list the same ability.
SAME = {
    "max_tokens": ("max_completion_tokens",),
    "max_completion_tokens": ("max_tokens",),
    "reasoning_effort": ("reasoning",),
    "include_reasoning": ("reasoning",),
    "reasoning": ("reasoning_effort", "include_reasoning"),
    "response_format": ("structured_outputs",),
    "tool_choice": ("tools",),
    "parallel_tool_calls": ("tools",),
    "top_logprobs": ("logprobs",),
    "web_search_options": ("web_search",),
}
# Wishes for which endpoints known to honour them come first, even where nothing is required.
PREFERRED = ("tools", "response_format", "structured_outputs", "verbosity")
# Parameters whose absence from a list says nothing: every protocol has them.
BASIC = frozenset(("max_tokens", "max_completion_tokens"))


def modalities(endpoint: Endpoint, ask: Ask) -> str:
    return "" if ask.wish.modalities <= endpoint.input_modalities else "modality"


def required_parameters(endpoint: Endpoint, ask: Ask) -> str:
    if not ask.wish.preferences.require_parameters:
        return ""
    return "require_parameters" if unlisted(endpoint, ask.wish.parameters) else ""


def takes(endpoint: Endpoint, parameter: str) -> bool:
    """Whether the endpoint is known to honour a parameter."""
    if parameter in endpoint.parameters or parameter in endpoint.features:
        return True
    return any(word in endpoint.parameters or word in endpoint.features for word in SAME.get(parameter, ()))


def unlisted(endpoint: Endpoint, parameters: frozenset[str]) -> tuple[str, ...]:
    """Parameters that the endpoint is not known to honour, sorted."""
    return tuple(sorted(name for name in parameters - NEUTRAL if name not in BASIC and not takes(endpoint, name)))


def lacking(endpoint: Endpoint, parameters: frozenset[str]) -> tuple[str, ...]:
    """Those of the preferred wishes that it is not known to honour."""
    return tuple(name for name in PREFERRED if name in parameters and not takes(endpoint, name))


def warnings(endpoint: Endpoint, parameters: frozenset[str]) -> tuple[tuple[str, str, str], ...]:
    """A warning for each unlisted parameter; none where nothing is known of the endpoint."""
    if not endpoint.parameters:
        return ()
    message = "This endpoint is not known to honour this parameter."
    return tuple(("parameter_unlisted", f"$.{name}", message) for name in unlisted(endpoint, parameters))
