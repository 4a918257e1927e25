"""Owns the proof that every vendor file is short, strict and complete, and that a new vendor costs only such a file."""

import json
import tomllib
from pathlib import Path

import pytest

from farebox.catalogue.load import load_builtin as load_catalogue
from farebox.vendors.connect import connect
from farebox.vendors.registry import DATA, BadVendor, from_server, load_builtin, load_folder, parse
from farebox.vendors.types import Server

NEW_VENDOR = """
name = "Milky Way Inference"
provider = "milky-way"
dialect = "openai_chat"
base_url = "https://{galaxy}.milkyway.example/v1"
auth = { scheme = "bearer", secret = "MILKY_WAY_API_KEY" }
variables.galaxy = { env = "MILKY_WAY_ARM", default = "orion" }
reasoning = { field = "reasoning_content", replay = "required" }
rename = { max_completion_tokens = "max_tokens" }
drop = ["logit_bias"]
force = { store = false }
options = ["developer_role_as_system"]
errors = { 402 = "CredentialExhausted" }
docs = "https://milkyway.example/docs"
checked = 2026-11-20
"""
MINIMAL = (
    'name = "X"\nprovider = "x"\ndialect = "openai_chat"\nbase_url = "https://x.example/v1"\nauth.secret = "X_KEY"\n'
)


def test_a_new_compatible_vendor_is_one_short_file(tmp_path: Path) -> None:
    assert len(NEW_VENDOR.strip().splitlines()) <= 25
    (tmp_path / "milky-way.toml").write_text(NEW_VENDOR)
    vendor = load_folder(tmp_path)["milky-way"]
    connection = connect(vendor, {"MILKY_WAY_API_KEY": "sk-1"})
    assert connection is not None
    assert connection.origin.host == "orion.milkyway.example"
    assert b"Authorization: Bearer sk-1\r\n" in connection.head("/chat/completions")
    target = connection.target("spiral-1")
    assert target.model == "spiral-1"
    assert target.rename == {"max_completion_tokens": "max_tokens"}
    assert target.drop == {"logit_bias"}
    assert {name: json.loads(bytes(raw)) for name, raw in target.force.items()} == {"store": False}
    assert target.reasoning_replay == "required"
    assert vendor.errors == {"402": "CredentialExhausted"}
    assert vendor.checked == "2026-11-20"


def test_every_vendor_file_is_read_and_short() -> None:
    vendors = load_builtin()
    assert len(vendors) >= 139
    for slug in vendors:
        assert len((DATA / f"{slug}.toml").read_text().splitlines()) <= 25, slug


def test_every_provider_has_a_vendor_and_every_endpoint_finds_its_own() -> None:
    vendors, catalogue = load_builtin(), load_catalogue()
    assert {vendor.provider for vendor in vendors.values()} == set(catalogue.providers)
    assert {offer.vendor for offers in catalogue.endpoints.values() for offer in offers} <= set(vendors)


def test_a_credential_of_one_company_is_never_read_for_another() -> None:
    owners: dict[str, set[str]] = {}
    for vendor in load_builtin().values():
        for name in (vendor.auth.secret, *vendor.auth.also):
            owners.setdefault(name or "", set()).add(vendor.provider)
    assert {name: found for name, found in owners.items() if len(found) > 1} == {}


def test_credentials_travel_encrypted() -> None:
    plain = {vendor.slug for vendor in load_builtin().values() if not vendor.base_url.startswith("https://")}
    # Its address is a proxy on the customer's own machine.
    assert plain == {"privatemode-ai"}


def test_facts_carry_their_date() -> None:
    for slug, vendor in load_builtin().items():
        assert vendor.checked >= "2026-01-01", slug


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('surprise = "field"', "surprise"),
        ('reasoning.replay = "sometimes"', "replay"),
        ('errors = { 402 = "Broke" }', "Broke"),
        ('variables.region = { env = "R" }', "placeholder"),
        ('headers = { x = "a\\nb" }', "headers"),
        ("drop = 3", "drop"),
    ],
)
def test_a_wrong_description_is_refused_by_its_field(change: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse("x", MINIMAL + change)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("https://x.example/v1", "ftp://x.example"),
        ("https://x.example/v1", "https://x.example/{hole}"),
        ("https://x.example/v1", "https://user@x.example"),
        ('auth.secret = "X_KEY"', 'auth.scheme = "magic"\nauth.secret = "X"'),
        ('auth.secret = "X_KEY"', 'auth.scheme = "bearer"'),
        ('name = "X"', ""),
        ('name = "X"', "name ="),
    ],
)
def test_a_description_without_a_usable_address_or_credential_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse("x", MINIMAL.replace(old, new))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text("name = [")
    with pytest.raises(BadVendor, match=r"broken\.toml"):
        load_folder(tmp_path)


def test_an_operators_server_is_a_vendor() -> None:
    bare = from_server(Server(slug="gpu", name="My GPU", base_url="http://127.0.0.1:8000/v1", options=("tool_ids_9",)))
    connection = connect(bare, {})
    assert connection is not None
    assert (connection.origin.scheme, connection.origin.host, connection.origin.port) == ("http", "127.0.0.1", 8000)
    assert b"Authorization" not in connection.head("/chat/completions")
    assert connection.target("m").options == {"tool_ids_9"}
    # Nobody told its server to take the thoughts out of the text.
    assert connection.target("m").reasoning_field == "think"
    keyed = from_server(Server(slug="gpu", name="My GPU", base_url="http://127.0.0.1:8000/v1", secret="GPU_KEY"))
    assert connect(keyed, {}) is None
    with pytest.raises(ValueError, match="base URL"):
        from_server(Server(slug="gpu", name="My GPU", base_url="127.0.0.1:8000"))


def test_what_a_file_says_is_what_holds() -> None:
    document = tomllib.loads((DATA / "deepseek.toml").read_text())
    vendor = load_builtin()["deepseek"]
    assert vendor.reasoning.replay == document["reasoning"]["replay"] == "required"
    assert list(vendor.drop) == document["drop"]
