"""What differs between two catalogues, one line each, prices first to read: for reviewing an import before it holds."""

from collections.abc import Mapping

from msgspec import Struct

from farebox.catalogue.types import Endpoint, Snapshot
from farebox.money.amounts import usd_from_pico
from farebox.money.sheets import Prices

# An old price multiplied by more than this is worth a second look: it is how a wrong unit shows.
SUSPICIOUS_FACTOR = 3


class Change(Struct, frozen=True, gc=False):
    """`kind` is added, removed, price or changed; `suspicious` marks price moves that look like a slip."""

    kind: str
    name: str
    what: str = ""
    suspicious: bool = False

    def __str__(self) -> str:
        mark = "  (!)" if self.suspicious else ""
        return f"{self.kind:8} {self.name}{'  ' if self.what else ''}{self.what}{mark}"


def diff(before: Snapshot, after: Snapshot) -> list[Change]:
    """Every change of providers, models and endpoints, in the order of their names."""
    found: list[Change] = []
    found += _members(before.providers, after.providers)
    found += _members(before.models, after.models)
    old, new = _by_id(before), _by_id(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            found.append(Change("removed", name))
        elif name not in old:
            found.append(Change("added", name))
        elif old[name] != new[name]:
            found += _endpoint(old[name], new[name])
    return found


def _members(before: Mapping[str, object], after: Mapping[str, object]) -> list[Change]:
    gone = [Change("removed", name) for name in sorted(before.keys() - after.keys())]
    come = [Change("added", name) for name in sorted(after.keys() - before.keys())]
    both = [Change("changed", name) for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    return gone + come + both


def _by_id(snapshot: Snapshot) -> dict[str, Endpoint]:
    return {offer.id: offer for offers in snapshot.endpoints.values() for offer in offers}


def _endpoint(old: Endpoint, new: Endpoint) -> list[Change]:
    found: list[Change] = []
    was, now = (offer.sheets[-1].prices if offer.sheets else {} for offer in (old, new))
    for unit in sorted(was.keys() | now.keys()):
        if was.get(unit) != now.get(unit):
            what = f"{unit}: {_text(was, unit)} -> {_text(now, unit)}"
            found.append(Change("price", new.id, what, _suspicious(was.get(unit), now.get(unit))))
    if not found and old.sheets != new.sheets:
        found.append(Change("price", new.id, "conditions or dates"))
    names = [
        name for name in Endpoint.__struct_fields__ if name != "sheets" and getattr(old, name) != getattr(new, name)
    ]
    if names:
        found.append(Change("changed", new.id, ", ".join(names)))
    return found


def _suspicious(was: int | None, now: int | None) -> bool:
    if not was or now is None:
        return False
    return now > was * SUSPICIOUS_FACTOR or now * SUSPICIOUS_FACTOR < was


def _text(prices: Prices, unit: str) -> str:
    return usd_from_pico(prices[unit]) if unit in prices else "none"
