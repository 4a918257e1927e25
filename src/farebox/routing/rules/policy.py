"""Rules about what happens to the prompt, and in which precision it is answered. Unknown counts as the worse answer."""

from farebox.catalogue.types import Endpoint
from farebox.routing.rules.ask import Ask


def _fact(endpoint: Endpoint, ask: Ask, name: str) -> bool | None:
    """The endpoint's own word, else its provider's."""
    own: bool | None = getattr(endpoint.policy, name)
    if own is not None:
        return own
    provider = ask.providers.get(endpoint.provider)
    if provider is None or provider.policy is None:
        return None
    inherited: bool | None = getattr(provider.policy, name)
    return inherited


def data_collection(endpoint: Endpoint, ask: Ask) -> str:
    """`deny`: neither trained on nor published. Retention for a while is the matter of `zdr`."""
    if ask.wish.preferences.data_collection != "deny":
        return ""
    private = _fact(endpoint, ask, "trains") is False and _fact(endpoint, ask, "publishes") is not True
    return "" if private else "data_policy:training"


def zero_retention(endpoint: Endpoint, ask: Ask) -> str:
    if not ask.wish.preferences.zdr:
        return ""
    promised = _fact(endpoint, ask, "zdr")
    if promised is None:
        promised = _fact(endpoint, ask, "retains") is False
    return "" if promised else "data_policy:zdr"


def quantization(endpoint: Endpoint, ask: Ask) -> str:
    wanted = ask.wish.preferences.quantizations
    return "" if not wanted or (endpoint.quantization or "unknown") in wanted else "quantization"
