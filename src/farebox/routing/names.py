"""What a model's name in a request means for routing: the catalogue slug, and how its suffixes change the order.

Refuses to guess: a missing catalogue variant (`:free`) is an unknown model, never its base model.
"""

import difflib

from msgspec import Struct

from farebox.catalogue.types import Snapshot

# Suffixes that only change the order; every other suffix belongs to the catalogue's own slug.
SORTING = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
# Tiers that a sorting suffix admits besides the standard one.
ADMITS = {"nitro": "priority", "floor": "flex"}
WITHOUT_EFFECT = frozenset(("online",))
CANDIDATES_MAX = 48


class Named(Struct, frozen=True, gc=False, kw_only=True):
    """A resolved name. `sort` and `tier` come from its suffixes; the last sorting suffix wins."""

    slug: str
    sort: str = ""
    tier: str = ""
    strategy: str = "direct"


def resolve(snapshot: Snapshot, name: str) -> Named | None:
    """The model that a name means, or None."""
    base, sort, tier = _split(name)
    if base in snapshot.models:
        return Named(slug=base, sort=sort, tier=tier)
    slug = snapshot.aliases.get(base)
    if slug is None or slug not in snapshot.models:
        return None
    return Named(slug=slug, sort=sort, tier=tier, strategy="latest" if base.startswith("~") else "alias")


def _split(name: str) -> tuple[str, str, str]:
    parts = name.split(":")
    kept = [parts[0]]
    sort = tier = ""
    for suffix in parts[1:]:
        if suffix in SORTING:
            sort, tier = SORTING[suffix], ADMITS.get(suffix, "")
        elif suffix not in WITHOUT_EFFECT:
            kept.append(suffix)
    return ":".join(kept), sort, tier


def suggestions(snapshot: Snapshot, name: str, limit: int = 3) -> tuple[str, ...]:
    """Slugs like an unknown name. Compares only names that share a beginning with it: cheap for any input."""
    author, _, tail = name[:128].lower().split(":")[0].rpartition("/")
    stem = tail[:4]
    near = [slug for slug in snapshot.models if slug.rpartition("/")[2].startswith(stem)] if stem else []
    if author:
        near += [slug for slug in snapshot.models if slug.startswith(author + "/") and slug not in near]
    tails = [slug.rpartition("/")[2] for slug in near[:CANDIDATES_MAX]]
    ranked = difflib.get_close_matches(tail, tails, n=limit, cutoff=0.5)
    found = dict.fromkeys(near[tails.index(each)] for each in ranked)
    return tuple(found)
