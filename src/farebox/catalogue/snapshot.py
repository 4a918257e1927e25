"""The snapshot on the wire: MessagePack with tables for what repeats, a version that is a digest of the content, and the
joining of an operator's servers. Refuses to be partial: a snapshot is whole or not at all.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from farebox.catalogue.pricing import digest
from farebox.catalogue.types import DataPolicy, Endpoint, Model, Provider, Server, ServerModel, Snapshot
from farebox.money.sheets import PriceSheet

FORMAT = 1
FIELDS = Endpoint.__struct_fields__
# Parameters that every OpenAI-compatible server takes; what a server lacks, it says itself.
COMMON_PARAMETERS = frozenset(
    (
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "structured_outputs",
        "reasoning",
        "include_reasoning",
    )
)


class Packed(Struct, array_like=True):
    """`endpoints` are rows in the order of `Endpoint`'s fields; policy, word sets and sheets are places in their tables."""

    format: int
    version: str
    toll_bps: int
    providers: list[Provider]
    models: list[Model]
    aliases: dict[str, str]
    servers: dict[str, Server]
    policies: list[DataPolicy]
    words: list[tuple[str, ...]]
    sheets: list[PriceSheet]
    endpoints: list[list[Any]]


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as bytes; `decode` gives an equal one."""
    return msgspec.msgpack.encode(_packed(snapshot))


def decode(data: bytes) -> Snapshot:
    """The snapshot of `encode`d bytes. Raises `msgspec.DecodeError`. Equal values are one object, to stay small."""
    packed = msgspec.msgpack.decode(data, type=Packed)
    if packed.format != FORMAT:
        raise msgspec.ValidationError(f"snapshot format {packed.format} is not {FORMAT}")
    words = [frozenset(each) for each in packed.words]
    pool: dict[str, str] = {}
    endpoints: dict[str, list[Endpoint]] = {}
    for model in packed.models:
        pool[model.slug] = model.slug
        endpoints[model.slug] = []
    sheets = packed.sheets
    for row in packed.endpoints:
        values = [pool.setdefault(value, value) if type(value) is str else value for value in row]
        fields: dict[str, Any] = dict(zip(FIELDS, values, strict=True))
        fields["policy"] = packed.policies[fields["policy"]]
        for name in ("parameters", "features", "input_modalities"):
            fields[name] = words[fields[name]]
        fields["sheets"] = tuple([sheets[place] for place in fields["sheets"]])
        endpoints[fields["model"]].append(Endpoint(**fields))
    return Snapshot(
        version=packed.version,
        models={model.slug: model for model in packed.models},
        endpoints={slug: tuple(offers) for slug, offers in endpoints.items()},
        providers={provider.slug: provider for provider in packed.providers},
        aliases={name: pool.get(slug, slug) for name, slug in packed.aliases.items()},
        servers=packed.servers,
        toll_bps=packed.toll_bps,
    )


def sealed(
    *,
    models: dict[str, Model],
    endpoints: dict[str, tuple[Endpoint, ...]],
    providers: dict[str, Provider],
    aliases: dict[str, str],
    toll_bps: int = 500,
    servers: dict[str, Server] | None = None,
) -> Snapshot:
    """A snapshot with its version: the digest of everything in it."""
    made = Snapshot(
        version="",
        models=models,
        endpoints=endpoints,
        providers=providers,
        aliases=aliases,
        servers=servers or {},
        toll_bps=toll_bps,
    )
    version = blake2b(encode(made), digest_size=8).hexdigest()
    return msgspec.structs.replace(made, version=version)


def with_toll(snapshot: Snapshot, toll_bps: int) -> Snapshot:
    """The same catalogue under another toll."""
    return _again(snapshot, toll_bps=toll_bps)


def with_server(snapshot: Snapshot, server: Server, models: list[ServerModel]) -> Snapshot:
    """The catalogue with an operator's server in it: a provider of its own and one endpoint a model.

    A model whose slug the catalogue knows gets one endpoint more; any other becomes a model of its own.
    """
    all_models = dict(snapshot.models)
    endpoints = {
        slug: tuple(e for e in offers if e.vendor != server.slug) for slug, offers in snapshot.endpoints.items()
    }
    aliases = dict(snapshot.aliases)
    for offered in models:
        slug = offered.slug or f"{server.slug}/{offered.id}"
        known = all_models.setdefault(slug, _server_model(slug, server, offered))
        endpoints[slug] = (*endpoints.get(slug, ()), _server_endpoint(known, server, offered))
        if offered.id not in all_models:
            aliases.setdefault(offered.id, slug)
        aliases.pop(slug, None)
    provider = Provider(slug=server.slug, name=server.name, policy=OWN_POLICY, simulated=server.simulated)
    return _again(
        snapshot,
        models=all_models,
        endpoints=endpoints,
        aliases=aliases,
        providers={**snapshot.providers, server.slug: provider},
        servers={**snapshot.servers, server.slug: server},
    )


# A server that the operator runs keeps nothing that the operator did not ask it to keep.
OWN_POLICY = DataPolicy(trains=False, retains=False, zdr=True, publishes=False)


def _server_model(slug: str, server: Server, offered: ServerModel) -> Model:
    return Model(
        slug=slug,
        name=offered.name or offered.id,
        author=slug.partition("/")[0],
        author_name=server.name,
        kind=offered.kind,
        context_length=offered.context_length,
        max_output_tokens=offered.max_output_tokens,
        input_modalities=offered.input_modalities,
        output_modalities=("embeddings",) if offered.kind == "embedding" else ("text",),
        features=tuple(sorted(offered.features)),
        licence=offered.licence,
        hf_id=offered.hf_id,
    )


def _server_endpoint(model: Model, server: Server, offered: ServerModel) -> Endpoint:
    prices = offered.prices or {"input_fresh": 0, "output_text": 0}
    sheet = PriceSheet(version="", effective_from_s=0, prices=prices)
    embedding = offered.kind == "embedding" and server.dialect == "openai_chat"
    return Endpoint(
        id=f"{model.slug}@{server.slug}",
        model=model.slug,
        provider=server.slug,
        provider_name=server.name,
        tag=server.slug,
        vendor=server.slug,
        vendor_model=offered.id,
        dialect="openai_embeddings" if embedding else server.dialect,
        kind=offered.kind,
        context_length=offered.context_length,
        max_output_tokens=offered.max_output_tokens,
        parameters=COMMON_PARAMETERS if offered.parameters is None else offered.parameters,
        features=offered.features,
        input_modalities=frozenset(offered.input_modalities),
        policy=OWN_POLICY,
        cancel_stops_billing=True,
        sheets=(msgspec.structs.replace(sheet, version=digest(sheet)),),
        simulated=server.simulated,
    )


def _again(snapshot: Snapshot, **changes: Any) -> Snapshot:
    fields = {name: getattr(snapshot, name) for name in Snapshot.__struct_fields__ if name != "version"}
    return sealed(**(fields | changes))


class _Table:
    """Values by place, each once."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._places: dict[Any, int] = {}

    def place(self, key: object, value: object) -> int:
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = len(self.rows)
            self.rows.append(value)
        return found


def _packed(snapshot: Snapshot) -> Packed:
    policies, words, sheets = _Table(), _Table(), _Table()

    def row(endpoint: Endpoint) -> list[Any]:
        values: dict[str, Any] = {name: getattr(endpoint, name) for name in FIELDS}
        values["policy"] = policies.place(endpoint.policy, endpoint.policy)
        for name in ("parameters", "features", "input_modalities"):
            values[name] = words.place(values[name], tuple(sorted(values[name])))
        values["sheets"] = [sheets.place(sheet.version, sheet) for sheet in endpoint.sheets]
        return list(values.values())

    rows = [row(each) for each in _in_order(snapshot)]
    return Packed(
        format=FORMAT,
        version=snapshot.version,
        toll_bps=snapshot.toll_bps,
        providers=list(snapshot.providers.values()),
        models=list(snapshot.models.values()),
        aliases=snapshot.aliases,
        servers=snapshot.servers,
        policies=policies.rows,
        words=words.rows,
        sheets=sheets.rows,
        endpoints=rows,
    )


def _in_order(snapshot: Snapshot) -> Iterable[Endpoint]:
    for offers in snapshot.endpoints.values():
        yield from offers
