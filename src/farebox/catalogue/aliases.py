"""Every other name of a model: written aliases, bare names, vendors' ids, `~author/family-latest`. Refuses ambiguous names:
one that could mean two models means neither.
"""

import re
from collections.abc import Iterable, Mapping

from farebox.catalogue.types import Endpoint, Model

# A part of a name that says which version it is: 4, 4.5, v3.1, k2.6, 2512, 20260420, 08, 2024 …
_VERSION = re.compile(r"[a-z]?[0-9]+(\.[0-9]+)*")
# A family word with its version glued on, as in qwen3.8 or pro4 → qwen, pro.
_GLUED = re.compile(r"([a-z]{3,}?)v?[0-9]+(\.[0-9]+)*")
# Stages of a release, not parts of a family's name.
_STAGES = frozenset(("preview", "latest"))


def all_aliases(models: Mapping[str, Model], endpoints: Mapping[str, Iterable[Endpoint]]) -> dict[str, str]:
    """Alias to slug, strongest kind of name first: written, `-latest`, bare, vendor's."""
    found: dict[str, str] = {}
    for slug, model in models.items():
        for name in model.aliases:
            if name not in models:
                found.setdefault(name, slug)
    groups = [
        latest(models),
        unique((slug.partition("/")[2], slug) for slug in models),
        unique((each.vendor_model, slug) for slug, offers in endpoints.items() for each in offers),
    ]
    for group in groups:
        for name, slug in group.items():
            if name not in models:
                found.setdefault(name, slug)
    return found


def unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names that mean exactly one slug."""
    seen: dict[str, str] = {}
    doubtful: set[str] = set()
    for name, slug in pairs:
        if seen.setdefault(name, slug) != slug:
            doubtful.add(name)
    return {name: slug for name, slug in seen.items() if name not in doubtful}


def family(name: str) -> str:
    """The part of a model's name that stays when a new version comes: `claude-sonnet-4.5` → `claude-sonnet`."""
    words = name.split("-")
    kept = [
        word for place, word in enumerate(words) if word not in _STAGES and not (place and _VERSION.fullmatch(word))
    ]
    glued = ((word, _GLUED.fullmatch(word)) for word in kept)
    return "-".join(match.group(1) if match else word for word, match in glued)


def latest(models: Mapping[str, Model]) -> dict[str, str]:
    """`~author/family-latest` to the newest active model of the family."""
    newest: dict[str, Model] = {}
    for model in models.values():
        kin = family(model.slug.partition("/")[2])
        if not kin or model.status != "active" or model.created_s is None:
            continue
        name = f"~{model.author}/{kin}-latest"
        held = newest.get(name)
        if held is None or (model.created_s, model.slug) > (held.created_s or 0, held.slug):
            newest[name] = model
    return {name: model.slug for name, model in newest.items()}
