"""Owns the proof that names mean what they say: slugs, aliases, families, suffixes, and suggestions for none of these."""

import msgspec
import pytest

from farebox.catalogue.aliases import family, latest, unique
from farebox.catalogue.load import load_builtin
from farebox.catalogue.lookup import resolve, suggestions
from farebox.catalogue.types import Model

SNAPSHOT = load_builtin()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("OpenAI/GPT-4o", "openai/gpt-4o"),
        ("aion-labs/aion-2.0-20260223", "aion-labs/aion-2.0"),
        ("jamba-large-1.7", "ai21/jamba-large"),
        ("~anthropic/claude-sonnet-latest", "anthropic/claude-sonnet-5.5"),
        ("~x-ai/grok-latest:nitro", "x-ai/grok-4.7"),
        ("openai/gpt-4o:online:floor", "openai/gpt-4o"),
    ],
)
def test_a_name_means_its_model(name: str, slug: str) -> None:
    found = resolve(SNAPSHOT, name)
    assert found is not None
    assert (found.slug, found.model) == (slug, SNAPSHOT.models[slug])
    assert found.endpoints == SNAPSHOT.endpoints[slug]
    assert found.alias is (name.split(":", maxsplit=1)[0] != slug)


@pytest.mark.parametrize(
    ("name", "sort", "admits", "online"),
    [
        ("openai/gpt-4o", "", "", False),
        ("openai/gpt-4o:nitro", "throughput", "priority", False),
        ("openai/gpt-4o:floor", "price", "flex", False),
        ("openai/gpt-4o:exacto", "exacto", "", False),
        ("openai/gpt-4o:nitro:floor", "price", "flex", False),
        ("openai/gpt-4o:floor:online:nitro", "throughput", "priority", True),
    ],
)
def test_routing_suffixes_say_how_to_route(name: str, sort: str, admits: str, online: bool) -> None:
    found = resolve(SNAPSHOT, name)
    assert found is not None
    assert (found.sort, found.admits, found.online) == (sort, admits, online)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":",
        "\x00",
        "nope",
        "openai/",
        "openai/gpt-4o ",
        "openai/gpt-4o:",
        "openai/gpt-4o:free",
        "openai/gpt-4o:batch",
        "openai/gpt-4o:wat",
        "gpt-4o:free:nitro",
        "openai/gpt-4o" + ":nitro" * 99,
        "x" * 9999,
    ],
)
def test_what_is_not_in_the_catalogue_is_unknown_and_never_the_base_model(name: str) -> None:
    assert resolve(SNAPSHOT, name) is None


def test_a_catalogue_variant_has_its_own_entry() -> None:
    free = msgspec.structs.replace(SNAPSHOT.models["openai/gpt-4o"], slug="openai/gpt-4o:free")
    with_free = msgspec.structs.replace(SNAPSHOT, models={**SNAPSHOT.models, "openai/gpt-4o:free": free})
    for name in ("openai/gpt-4o:free", "openai/gpt-4o:nitro:free", "openai/gpt-4o:free:nitro", "gpt-4o:free"):
        found = resolve(with_free, name)
        assert found is not None
        assert found.slug == "openai/gpt-4o:free"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai/gpt-4oo", "openai/gpt-4o"),
        ("claude-sonet-5.5", "anthropic/claude-sonnet-5.5"),
        ("x/grok-4.77", "x-ai/grok-4.7"),
    ],
)
def test_an_unknown_name_is_answered_with_names_like_it(name: str, expected: str) -> None:
    assert expected in suggestions(SNAPSHOT, name)


@pytest.mark.parametrize("name", ["", "/", "zzzzzz", "a" * 100_000, "openai/" + "x" * 100_000])
def test_suggestions_are_few_for_any_input(name: str) -> None:
    assert len(suggestions(SNAPSHOT, name)) <= 3


@pytest.mark.parametrize(
    ("name", "kin"),
    [
        ("claude-sonnet-4.5", "claude-sonnet"),
        ("qwen3.8-flash", "qwen-flash"),
        ("kimi-k2.6", "kimi"),
        ("command-r-08-2024", "command-r"),
        ("llama-3.3-70b-instruct", "llama-70b-instruct"),
        ("gemini-3.1-pro-preview", "gemini-pro"),
        ("gpt-4o", "gpt-4o"),
        ("o3", "o3"),
    ],
)
def test_a_family_is_what_stays_when_a_version_comes(name: str, kin: str) -> None:
    assert family(name) == kin


def test_the_latest_of_a_family_is_the_newest_active_one() -> None:
    def made(name: str, created_s: int | None, status: str = "active") -> Model:
        return Model(slug=f"a/{name}", name=name, author="a", author_name="A", created_s=created_s, status=status)

    models = [made("m-1", 10), made("m-2", 20), made("m-3", 30, "deprecated"), made("m-4", None)]
    assert latest({each.slug: each for each in models}) == {"~a/m-latest": "a/m-2"}


def test_a_name_of_two_means_neither() -> None:
    assert unique([("x", "a/x"), ("x", "b/x"), ("y", "a/y"), ("y", "a/y")]) == {"y": "a/y"}


def test_every_alias_leads_to_a_model() -> None:
    assert set(SNAPSHOT.aliases.values()) <= set(SNAPSHOT.models)
    assert not set(SNAPSHOT.aliases) & set(SNAPSHOT.models)
