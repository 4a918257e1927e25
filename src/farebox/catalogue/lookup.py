"""From a name in a request to the model it means, and names like an unknown one. Refuses to guess: a catalogue variant that
does not exist is an unknown model, never its base model.

Suffixes: `:free`, `:batch`, `:thinking`, `:extended` belong to the catalogue (an entry of their own); `:nitro`, `:floor`,
`:exacto`, `:online` only say how to route. They combine in any order; of several sorting suffixes the last one counts.
"""

import difflib

from msgspec import Struct

from farebox.catalogue.types import Endpoint, Model, Snapshot

CATALOGUE_VARIANTS = frozenset(("free", "batch", "thinking", "extended"))
SORTS = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}
ADMITS = {"nitro": "priority", "floor": "flex"}
ROUTING_VARIANTS = frozenset((*SORTS, "online"))
NAME_MAX = 256
SUFFIXES_MAX = 8
COMPARED_MAX = 64


class Resolved(Struct, frozen=True, gc=False):
    """What a name means. `sort` is the order its suffix asks for, `admits` the service tier the suffix lets in."""

    slug: str
    model: Model
    endpoints: tuple[Endpoint, ...]
    sort: str = ""
    admits: str = ""
    online: bool = False
    alias: bool = False


def resolve(snapshot: Snapshot, name: str) -> Resolved | None:
    """The model that a slug, alias, dated version, vendor's id or `~author/family-latest` means, or None."""
    model = snapshot.models.get(name)
    if model is not None:
        return Resolved(name, model, snapshot.endpoints.get(name, ()))
    if len(name) > NAME_MAX:
        return None
    base, *suffixes = name.split(":") if name not in snapshot.aliases else [name]
    if len(suffixes) > SUFFIXES_MAX:
        return None
    sort, kept = "", []
    for suffix in suffixes:
        if suffix in SORTS:
            sort = suffix
        elif suffix not in ROUTING_VARIANTS:
            kept.append(suffix)
    slug = _slug(snapshot, base, kept)
    if slug is None:
        return None
    return Resolved(
        slug,
        snapshot.models[slug],
        snapshot.endpoints.get(slug, ()),
        SORTS.get(sort, ""),
        ADMITS.get(sort, ""),
        "online" in suffixes,
        slug != base,
    )


def _slug(snapshot: Snapshot, base: str, kept: list[str]) -> str | None:
    """The slug of a name without routing suffixes; `kept` are the others, which must be in the catalogue."""
    whole = ":".join((base, *kept))
    for name in (whole, whole.lower()):
        if name in snapshot.models:
            return name
        slug = snapshot.aliases.get(name)
        if slug is not None:
            return slug
    if len(kept) == 1 and kept[0] in CATALOGUE_VARIANTS:
        through = snapshot.aliases.get(base)
        if through is not None and f"{through}:{kept[0]}" in snapshot.models:
            return f"{through}:{kept[0]}"
    return None


def suggestions(snapshot: Snapshot, name: str, limit: int = 3) -> tuple[str, ...]:
    """Slugs like an unknown name, best first. Looks closely only at names that share an author or a beginning with it."""
    asked = name[:NAME_MAX].lower().split(":")[0]
    author, _, tail = asked.rpartition("/")
    stem = tail[:3]
    near = [slug for slug in snapshot.models if stem and slug.partition("/")[2].startswith(stem)]
    near += [slug for slug in snapshot.models if author and slug.startswith(f"{author}/")]
    tails: dict[str, str] = {}
    for slug in near:
        if len(tails) == COMPARED_MAX:
            break
        tails.setdefault(slug.partition("/")[2], slug)
    return tuple(tails[each] for each in difflib.get_close_matches(tail[:64], list(tails), n=limit, cutoff=0.5))
