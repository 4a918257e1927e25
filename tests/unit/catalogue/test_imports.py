"""Owns the proof of P11: a bad file changes nothing, a good one says what it changes."""

import json
from pathlib import Path

import msgspec
import pytest

from farebox.catalogue.check import check
from farebox.catalogue.diff import diff
from farebox.catalogue.imports import check_file, folder, install
from farebox.catalogue.load import builtin_records, load, load_builtin
from farebox.catalogue.records import BadCatalogue, EndpointRecord

OFFER = "ai21/jamba-mini@ai21"


def line(prompt: str) -> str:
    (record,) = [each.record for each in builtin_records() if getattr(each.record, "id", "") == OFFER]
    assert isinstance(record, EndpointRecord)
    document = json.loads(msgspec.json.encode(record))
    document["prices"][0]["usd"]["input_fresh"] = prompt
    return json.dumps(document)


def test_a_good_file_is_installed_and_says_what_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "prices.jsonl"
    file.write_text(line("0.0000003") + "\n")
    (change,) = install(file, tmp_path / "home")
    assert str(change) == f"price    {OFFER}  input_fresh: 0.0000002 -> 0.0000003"
    held = load(folder(tmp_path / "home"))
    assert held.endpoints["ai21/jamba-mini"][0].sheets[0].prices["input_fresh"] == 300_000
    assert install(file, tmp_path / "home") == []
    assert [path.name for path in folder(tmp_path / "home").iterdir()] == ["prices.jsonl"]


@pytest.mark.parametrize("bad", ["", "{", "-0.1", "2.5", "NaN", '{"type":"provider"}'])
def test_a_bad_file_is_refused_with_its_line_and_the_last_good_one_stays(tmp_path: Path, bad: str) -> None:
    home = tmp_path / "home"
    file = tmp_path / "prices.jsonl"
    file.write_text(line("0.0000003"))
    install(file, home)
    good = load(folder(home))
    text = "" if not bad else "\n" + (bad if bad.startswith("{") else line(bad))
    file.write_text(text)
    with pytest.raises(BadCatalogue, match=r"prices\.jsonl" + (":2: " if bad else "")):
        install(file, home)
    assert load(folder(home)) == good
    assert [path.name for path in folder(home).iterdir()] == ["prices.jsonl"]


def test_two_records_of_one_thing_in_one_file_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.jsonl"
    file.write_text(line("0.0000003") + "\n" + line("0.0000004"))
    with pytest.raises(BadCatalogue, match=r"twice\.jsonl:2: .* also on"):
        check_file(file)


def test_a_file_is_checked_beside_the_others(tmp_path: Path) -> None:
    provider = tmp_path / "provider.jsonl"
    provider.write_text('{"type": "provider", "slug": "acme", "name": "Acme"}')
    offer = json.loads(line("0.0000003")) | {"id": "ai21/jamba-mini@acme", "provider": "acme"}
    offers = tmp_path / "offers.jsonl"
    offers.write_text(json.dumps(offer))
    with pytest.raises(BadCatalogue, match="provider 'acme'"):
        install(offers, tmp_path / "home")
    install(provider, tmp_path / "home")
    assert [change.kind for change in install(offers, tmp_path / "home")] == ["added"]
    found = check(load(folder(tmp_path / "home")), vendors={"ai21"}, at_s=1_795_500_000)
    assert "no vendor is called 'acme'" in {finding.what for finding in found}


def test_price_jumps_are_pointed_out(tmp_path: Path) -> None:
    file = tmp_path / "prices.jsonl"
    file.write_text(line("0.0000009"))
    (change,) = diff(load_builtin(), check_file(file))
    assert change.suspicious
    assert str(change).endswith("(!)")
    (back,) = diff(check_file(file), load_builtin())
    assert back.suspicious


def test_removed_and_changed_things_are_named() -> None:
    before = load_builtin()
    offers = before.endpoints["ai21/jamba-mini"]
    moved = msgspec.structs.replace(offers[0], region="eu", sheets=())
    after = msgspec.structs.replace(
        before,
        endpoints={**before.endpoints, "ai21/jamba-mini": (moved,), "ai21/jamba-large": ()},
        models={slug: each for slug, each in before.models.items() if slug != "ai21/jamba-large"},
    )
    kinds = [(change.kind, change.name) for change in diff(before, after)]
    assert ("removed", "ai21/jamba-large") in kinds
    assert ("removed", "ai21/jamba-large@ai21") in kinds
    assert ("changed", OFFER) in kinds
    unpriced = check(after, vendors={offer.vendor for each in before.endpoints.values() for offer in each}, at_s=0)
    assert [str(finding) for finding in unpriced] == [
        "notice: ai21/jamba-large: nobody serves it",
        f"error: {OFFER}: no price is in force",
    ]
