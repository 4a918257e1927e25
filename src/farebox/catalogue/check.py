"""Findings about a catalogue that loads: what an operator should look at, though nothing is broken. Refuses what `load`
already refuses (schema, references, insane prices, duplicates).
"""

from collections.abc import Collection

from msgspec import Struct

from farebox.catalogue.types import Endpoint, Snapshot
from farebox.money.rating import Bound, Unpriced, current_sheet, quote


class Finding(Struct, frozen=True, gc=False):
    """`level` is error (the endpoint can't serve) or notice."""

    level: str
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.level}: {self.name}: {self.what}"


def check(snapshot: Snapshot, *, vendors: Collection[str], at_s: int) -> list[Finding]:
    """Findings on a snapshot; `vendors` are the slugs of the known vendor descriptions."""
    found: list[Finding] = []
    for slug, offers in snapshot.endpoints.items():
        if not offers:
            found.append(Finding("notice", slug, "nobody serves it"))
        for offer in offers:
            found += _endpoint(offer, vendors, at_s)
    return found


def _endpoint(offer: Endpoint, vendors: Collection[str], at_s: int) -> list[Finding]:
    found: list[Finding] = []
    if offer.vendor not in vendors:
        found.append(Finding("error", offer.id, f"no vendor is called {offer.vendor!r}"))
    sheet = current_sheet(offer.sheets, at_s)
    if sheet is None:
        return [*found, Finding("error", offer.id, "no price is in force")]
    if offer.kind == "chat":
        try:
            quote(sheet, Bound(prompt_tokens=1, answer_tokens=1), at_s=at_s)
        except Unpriced as problem:
            found.append(Finding("error", offer.id, str(problem)))
    read, fresh = sheet.prices.get("input_cache_read"), sheet.prices.get("input_fresh")
    if read is not None and fresh is not None and read > fresh:
        found.append(Finding("notice", offer.id, "reading the cache costs more than a fresh prompt"))
    return found
