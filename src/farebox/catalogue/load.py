"""The catalogue's files to a snapshot: built-in data, then the operator's imported files over it. Refuses half a catalogue:
any fault in any file raises, and whoever called keeps the snapshot it had.
"""

from collections.abc import Iterable
from pathlib import Path

from farebox.catalogue.aliases import all_aliases
from farebox.catalogue.pricing import Pricer, day_start_s
from farebox.catalogue.records import BadCatalogue, EndpointRecord, ModelRecord, Placed, ProviderRecord, read_file
from farebox.catalogue.snapshot import sealed
from farebox.catalogue.types import DataPolicy, Endpoint, Model, Provider, Snapshot

DATA = Path(__file__).parent / "data"
NO_POLICY = DataPolicy()
POLICY_FIELDS = DataPolicy.__struct_fields__


def load_builtin() -> Snapshot:
    """The catalogue that comes with Farebox."""
    return build(builtin_records())


def load(imported: Path | None = None, *, toll_bps: int = 500) -> Snapshot:
    """The built-in catalogue with the files of the folder `imported` laid over it, in the order of their names."""
    records = builtin_records()
    if imported is not None:
        records = overlay(records, [each for path in sorted(imported.glob("*.jsonl")) for each in read_file(path)])
    return build(records, toll_bps=toll_bps)


def builtin_records() -> list[Placed]:
    """Every record of the built-in data."""
    return [each for path in sorted(DATA.rglob("*.jsonl")) for each in read_file(path)]


def key_of(placed: Placed) -> tuple[str, str]:
    """What a record is about: its kind and its own name."""
    record = placed.record
    name = record.id if isinstance(record, EndpointRecord) else record.slug
    return type(record).__name__, name


def overlay(below: list[Placed], above: list[Placed]) -> list[Placed]:
    """Records of `above` replace those of the same name in `below`."""
    refuse_duplicates(below)
    return list(({key_of(each): each for each in below} | {key_of(each): each for each in above}).values())


def build(records: list[Placed], *, toll_bps: int = 500) -> Snapshot:
    """A snapshot of records that fit together. Raises `BadCatalogue` with the place of the first that does not."""
    refuse_duplicates(records)
    providers: dict[str, Provider] = {}
    models: dict[str, Model] = {}
    places: dict[str, Placed] = {}
    for each in records:
        record = each.record
        if isinstance(record, ProviderRecord):
            providers[record.slug] = _provider(record)
        elif isinstance(record, ModelRecord):
            models[record.slug] = _model(each, record)
            places[record.slug] = each
    endpoints = _endpoints(records, providers, models)
    aliases = all_aliases(models, endpoints)
    for slug, model in models.items():
        for name in model.aliases:
            if aliases.get(name) != slug:
                where = places[slug]
                raise BadCatalogue(where.file, where.line, f"alias {name!r} already means another model")
    return sealed(models=models, endpoints=endpoints, providers=providers, aliases=aliases, toll_bps=toll_bps)


def refuse_duplicates(records: Iterable[Placed]) -> None:
    """Raises `BadCatalogue` at the second record about the same thing."""
    seen: dict[tuple[str, str], Placed] = {}
    for each in records:
        first = seen.setdefault(key_of(each), each)
        if first is not each:
            raise BadCatalogue(each.file, each.line, f"{key_of(each)[1]} is also on {first.file}:{first.line}")


def _provider(record: ProviderRecord) -> Provider:
    return Provider(**{name: getattr(record, name) for name in ProviderRecord.__struct_fields__})


def _model(placed: Placed, record: ModelRecord) -> Model:
    author, slash, name = record.slug.partition("/")
    if not (slash and name) or author != record.author or record.slug != record.slug.strip().replace(" ", ""):
        raise BadCatalogue(placed.file, placed.line, f"slug {record.slug!r} is not author/name")
    try:
        created_s = None if record.created is None else day_start_s(record.created)
    except ValueError as problem:
        raise BadCatalogue(placed.file, placed.line, f"created: {problem}") from None
    fields = {name: getattr(record, name) for name in ModelRecord.__struct_fields__ if name != "created"}
    return Model(created_s=created_s, **fields)


def _endpoints(
    records: list[Placed], providers: dict[str, Provider], models: dict[str, Model]
) -> dict[str, tuple[Endpoint, ...]]:
    pricer = Pricer()
    policies: dict[tuple[object, ...], DataPolicy] = {}
    words: dict[tuple[str, ...], frozenset[str]] = {}
    found: dict[str, list[Endpoint]] = {slug: [] for slug in models}
    for each in records:
        record = each.record
        if not isinstance(record, EndpointRecord):
            continue
        provider, model = providers.get(record.provider), models.get(record.model)
        if provider is None or model is None:
            missing = f"provider {record.provider!r}" if provider is None else f"model {record.model!r}"
            raise BadCatalogue(each.file, each.line, f"{missing} is not in the catalogue")
        try:
            sheets = pricer.sheets(record.prices)
        except ValueError as problem:
            raise BadCatalogue(each.file, each.line, str(problem)) from None
        policy = merged_policy(record.policy, provider.policy)
        found[record.model].append(
            Endpoint(
                id=record.id,
                model=record.model,
                provider=record.provider,
                provider_name=provider.name,
                tag=record.tag or record.provider,
                vendor=record.vendor or record.provider,
                vendor_model=record.vendor_model,
                dialect=record.dialect,
                kind=record.kind,
                region=record.region,
                variant=record.variant,
                quantization=record.quantization,
                context_length=record.context_length or model.context_length,
                max_prompt_tokens=record.max_prompt_tokens,
                max_output_tokens=record.max_output_tokens or model.max_output_tokens,
                parameters=words.setdefault(record.parameters, frozenset(record.parameters)),
                features=words.setdefault(record.features, frozenset(record.features)),
                input_modalities=words.setdefault(model.input_modalities, frozenset(model.input_modalities)),
                policy=policies.setdefault(tuple(getattr(policy, name) for name in POLICY_FIELDS), policy),
                moderated=record.moderated,
                cancel_stops_billing=provider.cancel_stops_billing,
                status=record.status,
                deprecation_date=record.deprecation_date,
                sheets=sheets,
            )
        )
    return {slug: tuple(endpoints) for slug, endpoints in found.items()}


def merged_policy(own: DataPolicy | None, providers: DataPolicy | None) -> DataPolicy:
    """An endpoint's policy: what it says itself, else what its provider says."""
    if own is None or providers is None:
        return own or providers or NO_POLICY
    pairs = ((name, getattr(own, name), getattr(providers, name)) for name in POLICY_FIELDS)
    return DataPolicy(**{name: second if first is None else first for name, first, second in pairs})
