"""Owns the proof that the built-in catalogue is whole, and that a bad file is refused by its line."""

import json
import time
from pathlib import Path

import pytest

from farebox.catalogue.check import check
from farebox.catalogue.load import build, builtin_records, load, load_builtin, merged_policy
from farebox.catalogue.records import BadCatalogue, read_file, read_lines
from farebox.catalogue.types import DataPolicy, Snapshot
from farebox.money.rating import current_sheet
from farebox.vendors.registry import load_builtin as load_vendors

NOW_S = 1_795_500_000  # 2026-11-24
PROVIDER = {"type": "provider", "slug": "acme", "name": "Acme", "policy": {"trains": False, "zdr": True}}
MODEL = {
    "type": "model",
    "slug": "acme/one",
    "name": "One",
    "author": "acme",
    "author_name": "Acme",
    "created": "2026-01-02",
}
ENDPOINT = {
    "type": "endpoint",
    "id": "acme/one@acme",
    "model": "acme/one",
    "provider": "acme",
    "vendor_model": "one-v1",
    "dialect": "openai_chat",
    "prices": [{"usd": {"input_fresh": "0.000001", "output_text": "0.000002"}}],
}


def lines(*records: dict[str, object]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


def snapshot(*records: dict[str, object]) -> Snapshot:
    return build(read_lines(lines(*records), "made.jsonl"))


def with_usd(**usd: str) -> dict[str, object]:
    return {**ENDPOINT, "prices": [{"usd": usd}]}


def test_the_builtin_catalogue_is_whole() -> None:
    found = load_builtin()
    offers = [offer for each in found.endpoints.values() for offer in each]
    assert (len(found.providers), len(found.models), len(offers)) == (139, 506, 2317)
    assert all(found.endpoints[slug] for slug in found.models)
    assert len({offer.id for offer in offers}) == len(offers)
    assert all(current_sheet(offer.sheets, NOW_S) for offer in offers)
    assert sum(len(offer.sheets) > 1 for offer in offers) == 10
    assert sum(bool(offer.sheets[0].tiers) for offer in offers) == 231
    assert sum(bool(offer.sheets[0].windows) for offer in offers) > 0
    assert sum(bool(offer.sheets[0].service_tiers) for offer in offers) > 100
    assert check(found, vendors=load_vendors(), at_s=NOW_S) == []


def test_a_scheduled_price_begins_on_its_day() -> None:
    (offer,) = [
        each for each in load_builtin().endpoints["google/gemini-4-argon"] if each.provider == "google-ai-studio"
    ]
    before, after = (
        current_sheet(offer.sheets, at_s) for at_s in (1_796_083_199, 1_796_083_200)
    )  # 2026-12-01 00:00 UTC
    assert before is not None
    assert after is not None
    assert (before.prices["input_fresh"], after.prices["input_fresh"]) == (2_000_000, 4_000_000)
    assert after.service_tiers["flex"]["input_fresh"] == 2_000_000


def test_loading_is_quick() -> None:
    started = time.process_time()
    load_builtin()
    assert time.process_time() - started < 2.5  # ten times what is measured, against a busy machine


def test_a_small_catalogue_fits_together() -> None:
    made = snapshot(PROVIDER, MODEL, ENDPOINT)
    (offer,) = made.endpoints["acme/one"]
    assert (offer.tag, offer.vendor, offer.provider_name) == ("acme", "acme", "Acme")
    assert offer.policy == DataPolicy(trains=False, zdr=True)
    assert offer.sheets[0].prices == {"input_fresh": 1_000_000, "output_text": 2_000_000}
    assert made.models["acme/one"].created_s == 1_767_312_000
    assert (made.aliases["one"], made.aliases["one-v1"]) == ("acme/one", "acme/one")


def test_an_endpoints_policy_speaks_before_its_providers() -> None:
    own, providers = DataPolicy(retains=True, zdr=False), DataPolicy(retains=False, trains=True, zdr=True)
    assert merged_policy(own, providers) == DataPolicy(retains=True, zdr=False, trains=True)
    assert merged_policy(None, None) == DataPolicy()


def sheet(**fields: object) -> dict[str, object]:
    return {**ENDPOINT, "prices": [{"usd": {"input_fresh": "0.1"}, **fields}]}


BAD: list[tuple[str, list[dict[str, object]], str]] = [
    ("negative", [PROVIDER, MODEL, with_usd(input_fresh="-0.000001")], "plain decimal"),
    ("not a number", [PROVIDER, MODEL, with_usd(input_fresh="NaN")], "plain decimal"),
    ("infinite", [PROVIDER, MODEL, with_usd(input_fresh="inf")], "plain decimal"),
    ("exponent", [PROVIDER, MODEL, with_usd(input_fresh="1e-6")], "plain decimal"),
    ("a number, not text", [PROVIDER, MODEL, {**ENDPOINT, "prices": [{"usd": {"input_fresh": 1}}]}], "str"),
    ("per million", [PROVIDER, MODEL, with_usd(input_fresh="2.50")], "can't be right"),
    ("a dollar a token", [PROVIDER, MODEL, with_usd(output_text="1")], "can't be right"),
    ("a dear search", [PROVIDER, MODEL, with_usd(search="1000")], "can't be right"),
    ("unknown unit", [PROVIDER, MODEL, with_usd(prompt="0.000001")], "unknown unit"),
    ("empty prices", [PROVIDER, MODEL, with_usd()], "empty"),
    ("two of a slug", [PROVIDER, MODEL, MODEL, ENDPOINT], "also on made.jsonl:2"),
    ("two of an id", [PROVIDER, MODEL, ENDPOINT, ENDPOINT], "also on made.jsonl:3"),
    ("two providers", [PROVIDER, MODEL, PROVIDER, ENDPOINT], "also on made.jsonl:1"),
    ("no such model", [PROVIDER, ENDPOINT], "model 'acme/one'"),
    ("no such provider", [MODEL, ENDPOINT], "provider 'acme'"),
    ("unknown field", [PROVIDER, {**MODEL, "colour": "red"}, ENDPOINT], "colour"),
    ("missing field", [PROVIDER, MODEL, {"type": "endpoint", "id": "x"}], "model"),
    ("unknown type", [PROVIDER, {"type": "planet"}], "planet"),
    ("no type", [PROVIDER, {"slug": "x"}], "type"),
    ("bad slug", [PROVIDER, {**MODEL, "slug": "one"}], "author/name"),
    ("slug of another", [PROVIDER, {**MODEL, "author": "other"}], "author/name"),
    ("slug with a space", [PROVIDER, {**MODEL, "slug": "acme/one two"}], "author/name"),
    ("bad date", [PROVIDER, {**MODEL, "created": "2026-13-01"}], "date"),
    ("bad sheet date", [PROVIDER, MODEL, sheet(**{"from": "soon"})], "date"),
    ("sheets out of order", [PROVIDER, MODEL, {**ENDPOINT, "prices": [{"usd": {"search": "1"}}] * 2}], "appended"),
    ("tier at zero", [PROVIDER, MODEL, sheet(tiers=[{"min_prompt_tokens": 0, "usd": {"input_fresh": "0.1"}}])], "tier"),
    (
        "bad hour",
        [PROVIDER, MODEL, sheet(windows=[{"start": "24:00", "end": "01:00", "usd": {"search": "1"}}])],
        "time",
    ),
    (
        "bad minute",
        [PROVIDER, MODEL, sheet(windows=[{"start": "1:00", "end": "01:00", "usd": {"search": "1"}}])],
        "time",
    ),
    (
        "bad day",
        [
            PROVIDER,
            MODEL,
            sheet(windows=[{"start": "01:00", "end": "02:00", "days": ["sunday"], "usd": {"search": "1"}}]),
        ],
        "day",
    ),
    (
        "alias of two",
        [PROVIDER, {**MODEL, "aliases": ["x"]}, {**MODEL, "slug": "acme/two", "aliases": ["x"]}],
        "alias 'x'",
    ),
]


@pytest.mark.parametrize(("records", "complaint"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_a_bad_catalogue_is_refused_with_its_line(records: list[dict[str, object]], complaint: str) -> None:
    with pytest.raises(BadCatalogue, match=complaint) as caught:
        snapshot(*records)
    assert caught.value.file == "made.jsonl"
    assert caught.value.line >= 1
    assert str(caught.value).startswith(f"made.jsonl:{caught.value.line}: ")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"{",
        lines(PROVIDER)[:-4],
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 20_000,
        b'{"type":"\xed\xa0\x80"}',
    ],
)
def test_bytes_that_are_no_catalogue_are_refused(data: bytes) -> None:
    with pytest.raises(BadCatalogue):
        read_lines(data, "made.jsonl")


def test_an_endless_line_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue, match="longer"):
        read_lines(b" " * 10 + b"x" * 70_000, "made.jsonl")
    with pytest.raises(BadCatalogue, match=r"none\.jsonl"):
        read_file(tmp_path / "none.jsonl")


def test_imported_files_lie_over_the_builtin_ones(tmp_path: Path) -> None:
    (builtin,) = [each for each in builtin_records() if getattr(each.record, "slug", "") == "openai"]
    assert builtin.file.endswith("providers.jsonl")
    (tmp_path / "b.jsonl").write_bytes(lines({"type": "provider", "slug": "openai", "name": "Second"}))
    (tmp_path / "a.jsonl").write_bytes(lines({"type": "provider", "slug": "openai", "name": "First"}))
    (tmp_path / "ignored.txt").write_text("{")
    found = load(tmp_path, toll_bps=300)
    assert found.providers["openai"].name == "Second"
    assert (found.toll_bps, len(found.providers)) == (300, 139)
    assert found.version != load_builtin().version
