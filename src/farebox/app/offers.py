"""Servers outside the built-in catalogue: the operator's, the local model, the simulated vendors. Refuses to fetch anything."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from msgspec import Struct

from farebox.app import local_model
from farebox.catalogue.snapshot import COMMON_PARAMETERS
from farebox.catalogue.types import Server, ServerModel
from farebox.money.amounts import pico_from_usd
from farebox.settings import OtherServer, ServedModel, Settings
from farebox.sims import demo
from farebox.sims.http1 import Json

MILLION = Decimal(1_000_000)
MODELS_MAX = 2_000


class Offer(Struct, frozen=True, kw_only=True):
    """A server and its models; None: ask the server which it has."""

    server: Server
    models: tuple[ServerModel, ...] | None


class _Meta(Struct, frozen=True):
    n_ctx: int | None = None
    n_ctx_train: int | None = None


class _Listed(Struct, frozen=True):
    """A row of `GET /models` as OpenAI, vLLM (`max_model_len`) and llama-server (`meta`) write it."""

    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    meta: _Meta | None = None


class _Listing(Struct, frozen=True):
    data: tuple[_Listed, ...]


def read_listing(body: bytes) -> tuple[ServerModel, ...]:
    """The models in an answer to `GET /models`. Raises msgspec.DecodeError for anything else."""
    rows = msgspec.json.decode(body, type=_Listing).data[:MODELS_MAX]
    return tuple(
        ServerModel(
            id=row.id,
            name=row.id,
            # No list says what a model does; embedding models carry it in their name.
            kind="embedding" if "embed" in row.id.lower() else "chat",
            context_length=row.context_length or row.max_model_len or (row.meta and row.meta.n_ctx) or None,
        )
        for row in rows
    )


def others(settings: Settings) -> list[Offer]:
    """The servers of the settings."""
    return [Offer(server=_server(each), models=_models(each.models)) for each in settings.servers]


def _server(each: OtherServer) -> Server:
    secret = None if each.secret is None else each.secret_name
    return Server(slug=each.name, name=each.name, base_url=each.base_url, secret=secret)


def _models(models: Iterable[ServedModel]) -> tuple[ServerModel, ...] | None:
    return (
        tuple(
            ServerModel(
                id=each.id,
                name=each.name or each.id,
                slug=each.slug or "",
                kind=each.kind,
                context_length=each.context_length,
                prices={
                    "input_fresh": _pico_per_token(each.input_usd),
                    "output_text": _pico_per_token(each.output_usd),
                },
            )
            for each in models
        )
        or None
    )


def local(url: str, *, context_tokens: int, packaged: bool) -> Offer:
    """The local model at this address. `packaged`: its own weights, else a file of the operator's choice."""
    server = Server(slug=local_model.PROVIDER, name=local_model.PROVIDER_NAME, base_url=f"{url}/v1")
    if not packaged:
        return Offer(server=server, models=None)
    model = ServerModel(
        id=local_model.SLUG,
        slug=local_model.SLUG,
        name=local_model.NAME,
        context_length=min(context_tokens, local_model.CONTEXT_TRAINED),
        licence=local_model.LICENCE,
        hf_id=local_model.HF_ID,
        # The template in the packaged weights has no place for tools, and the engine then ignores even a forced one.
        parameters=COMMON_PARAMETERS - {"tools", "tool_choice", "parallel_tool_calls"},
        features=frozenset({"structured_outputs"}),
    )
    return Offer(server=server, models=(model,))


def simulated(url: str) -> list[Offer]:
    """The demonstration's providers at this address, each marked as simulated."""
    models = {model["slug"]: model for model in demo.MODELS}
    return [
        Offer(
            server=Server(
                slug=provider["slug"], name=provider["name"], base_url=url + provider["path"], simulated=True
            ),
            models=tuple(
                _simulated_model(models[endpoint["model"]], endpoint)
                for endpoint in demo.ENDPOINTS
                if endpoint["provider"] == provider["slug"]
            ),
        )
        for provider in demo.PROVIDERS
    ]


def _simulated_model(model: Json, endpoint: Json) -> ServerModel:
    price = {name: _pico_per_token(Decimal(text)) for name, text in endpoint["usd_per_mtok"].items()}
    return ServerModel(
        id=endpoint["vendor_model"],
        slug=model["slug"],
        name=model["name"],
        kind=model["kind"],
        context_length=model["context_length"],
        max_output_tokens=model["max_output_tokens"],
        input_modalities=tuple(model["input_modalities"]),
        features=frozenset(model["features"]),
        prices={
            "input_fresh": price["input"],
            "input_cache_read": price["cache_read"],
            "output_text": price["output"],
        },
    )


def _pico_per_token(usd_per_million: Decimal) -> int:
    return pico_from_usd(format(usd_per_million / MILLION, "f"))
