"""The catalogue's values: what is offered, by whom, with which abilities, at which price. Frozen; no IO, no usage."""

from msgspec import Struct

from farebox.money.sheets import PriceSheet
from farebox.vendors.types import Server

__all__ = [
    "DataPolicy",
    "Endpoint",
    "Model",
    "Provider",
    "ReasoningFacts",
    "Server",
    "ServerModel",
    "Snapshot",
]


class DataPolicy(Struct, frozen=True, gc=False, kw_only=True):
    """What a provider does with prompts. `None` = unknown, which counts as the worse answer where a caller insists."""

    trains: bool | None = None
    retains: bool | None = None
    retention_days: int | None = None
    zdr: bool | None = None
    publishes: bool | None = None


class Provider(Struct, frozen=True, kw_only=True):
    """The company whose API serves models."""

    slug: str
    name: str
    kind: str = "host"
    headquarters: str | None = None
    datacenters: tuple[str, ...] | None = None
    policy: DataPolicy | None = None
    privacy_url: str | None = None
    terms_url: str | None = None
    status_url: str | None = None
    docs_url: str | None = None
    cancel_stops_billing: bool | None = None
    simulated: bool = False


class ReasoningFacts(Struct, frozen=True, kw_only=True):
    mandatory: bool | None = None
    default_enabled: bool | None = None
    default_effort: str | None = None
    efforts: tuple[str, ...] = ()
    max_tokens: bool | None = None


class Model(Struct, frozen=True, kw_only=True):
    """A named thing callers ask for, identified by its slug `author/name`."""

    slug: str
    name: str
    author: str
    author_name: str
    kind: str = "chat"
    created_s: int | None = None
    description: str = ""
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    tokenizer: str | None = None
    knowledge_cutoff: str | None = None
    open_weights: bool | None = None
    hf_id: str | None = None
    licence: str | None = None
    features: tuple[str, ...] = ()
    reasoning: ReasoningFacts | None = None
    aliases: tuple[str, ...] = ()
    status: str = "active"
    deprecation_date: str | None = None


class Endpoint(Struct, frozen=True, kw_only=True):
    """One model at one provider.

    `vendor` names the technical description of the provider's API, `vendor_model` what the vendor calls the model,
    `dialect` the wire protocol spoken with it (`openai_chat`, …). `sheets` are dated, newest last.
    """

    id: str
    model: str
    provider: str
    provider_name: str
    tag: str
    vendor: str
    vendor_model: str
    dialect: str
    kind: str = "chat"
    region: str | None = None
    variant: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    max_prompt_tokens: int | None = None
    max_output_tokens: int | None = None
    parameters: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    input_modalities: frozenset[str] = frozenset({"text"})
    policy: DataPolicy = DataPolicy()
    moderated: bool | None = None
    cancel_stops_billing: bool | None = None
    status: str = "active"
    deprecation_date: str | None = None
    sheets: tuple[PriceSheet, ...] = ()
    simulated: bool = False


class Snapshot(Struct, frozen=True, kw_only=True):
    """Everything a gateway needs to know of the catalogue, whole and immutable.

    `aliases` maps every other name (dated versions, vendor ids, `~author/family-latest`) to a slug. `version` changes
    whenever anything in it does.
    """

    version: str
    models: dict[str, Model]
    endpoints: dict[str, tuple[Endpoint, ...]]
    providers: dict[str, Provider]
    aliases: dict[str, str]
    servers: dict[str, Server] = {}
    toll_bps: int = 500


class ServerModel(Struct, frozen=True, kw_only=True):
    """A model that a `Server` offers. `id` is what the server calls it; the slug is `<server>/<id>` unless said otherwise.

    `prices` are pico-USD per unit, empty for free: whoever runs the server decides what it costs.
    """

    id: str
    name: str = ""
    slug: str = ""
    kind: str = "chat"
    context_length: int | None = None
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] = ("text",)
    parameters: frozenset[str] | None = None
    features: frozenset[str] = frozenset()
    licence: str | None = None
    hf_id: str | None = None
    prices: dict[str, int] = {}
