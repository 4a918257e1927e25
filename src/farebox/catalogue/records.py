"""Catalogue files: JSON lines, one provider, model or endpoint a line, as people edit them, and their strict reading.

Prices are decimal strings of USD per unit, never numbers. Refuses unknown fields, so that a typing error is not a silent
change; a fault names its file and line.
"""

from pathlib import Path

import msgspec
from msgspec import Struct

from farebox.catalogue.types import DataPolicy, ReasoningFacts

Amounts = dict[str, str]
LINE_BYTES_MAX = 64 * 1024
FILE_BYTES_MAX = 64 * 1024 * 1024


class BadCatalogue(Exception):
    """A catalogue file can't be used. The message names file and line."""

    def __init__(self, file: str, line: int, why: str) -> None:
        self.file = file
        self.line = line
        self.why = why
        super().__init__(f"{file}:{line}: {why}" if line else f"{file}: {why}")


class TierRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    min_prompt_tokens: int
    usd: Amounts


class WindowRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`start` and `end` are HH:MM in UTC, an end at or before the start wraps; `days` are mon … sun."""

    start: str
    end: str
    usd: Amounts
    days: tuple[str, ...] = ()
    note: str = ""


class SheetRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"since": "from"}):
    """Prices from a date on (UTC). The first sheet of an endpoint has no date: it held when the catalogue began."""

    since: str | None = None
    as_of: str = ""
    confidence: str = ""
    usd: Amounts
    tiers: tuple[TierRecord, ...] = ()
    windows: tuple[WindowRecord, ...] = ()
    service_tiers: dict[str, Amounts] = {}


class ProviderRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="provider"):
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


class ModelRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="model"):
    slug: str
    name: str
    author: str
    author_name: str
    kind: str = "chat"
    created: str | None = None
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


class EndpointRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="endpoint"):
    """`tag` and `vendor` are the provider's slug unless said otherwise; a policy's missing fields are the provider's."""

    id: str
    model: str
    provider: str
    vendor_model: str
    dialect: str
    tag: str | None = None
    vendor: str | None = None
    kind: str = "chat"
    region: str | None = None
    variant: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    max_prompt_tokens: int | None = None
    max_output_tokens: int | None = None
    parameters: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    policy: DataPolicy | None = None
    moderated: bool | None = None
    status: str = "active"
    deprecation_date: str | None = None
    prices: tuple[SheetRecord, ...] = ()


Record = ProviderRecord | ModelRecord | EndpointRecord


class Placed(Struct, frozen=True):
    """A record and where it stands."""

    record: Record
    file: str
    line: int


def read_file(path: Path) -> list[Placed]:
    """The records of one file. Raises `BadCatalogue`."""
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise BadCatalogue(str(path), 0, f"larger than {FILE_BYTES_MAX} bytes")
        data = path.read_bytes()
    except OSError as problem:
        raise BadCatalogue(str(path), 0, problem.strerror or "can't be read") from None
    return read_lines(data, str(path))


def read_lines(data: bytes, file: str) -> list[Placed]:
    """The records of a file's bytes. Raises `BadCatalogue` for the first line that is not one."""
    found: list[Placed] = []
    decode = msgspec.json.Decoder(Record).decode
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        if len(line) > LINE_BYTES_MAX:
            raise BadCatalogue(file, number, f"the line is longer than {LINE_BYTES_MAX} bytes")
        try:
            found.append(Placed(decode(line), file, number))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
            raise BadCatalogue(file, number, str(problem)) from None
    if not found:
        raise BadCatalogue(file, 0, "holds no record")
    return found
