"""Every vendor Farebox knows: one TOML file each, read strictly, and descriptions made of an operator's servers. Refuses
unknown fields: a typing error in a description would silently change what is sent.
"""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.ir.errors import AttemptError, leaves
from farebox.vendors.connect import SCHEMES, origin_of
from farebox.vendors.types import Auth, Reasoning, Server, Variable, Vendor

DATA = Path(__file__).parent / "data"
ERRORS = frozenset(leaf.__name__ for leaf in leaves(AttemptError))
# Schemes that later versions sign with code; described already, not live yet.
FUTURE_SCHEMES = frozenset(
    ("entra", "ibm_iam", "client_credentials", "oci_signature"),
)


class BadVendor(ValueError):
    """A vendor's description can't be used. The message names the file and the field."""


class Description(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The form of a vendor file; see `types.Vendor` for the fields."""

    name: str
    provider: str
    dialect: str
    base_url: str
    auth: Auth = Auth()
    variables: dict[str, Variable] = {}
    headers: dict[str, str] = {}
    reasoning: Reasoning = Reasoning()
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    force: dict[str, object] = {}
    options: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    usage: dict[str, str] = {}
    errors: dict[str, str] = {}
    docs: str = ""
    checked: str = ""


def load_builtin() -> dict[str, Vendor]:
    """Every built-in vendor by slug."""
    return load_folder(DATA)


def load_folder(folder: Path) -> dict[str, Vendor]:
    """The vendors described in a folder; the file's name is the slug. Raises `BadVendor`."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.toml"))}


def read(path: Path) -> Vendor:
    """The vendor of one file. Raises `BadVendor`."""
    try:
        return parse(path.stem, path.read_text("utf-8"))
    except ValueError as problem:
        raise BadVendor(f"{path}: {problem}") from None


def parse(slug: str, text: str) -> Vendor:
    """The vendor of a file's text. Raises ValueError."""
    document: dict[str, Any] = tomllib.loads(text)
    if "checked" in document:
        document["checked"] = str(document["checked"])
    made = msgspec.convert(document, Description)
    fields: dict[str, Any] = {name: getattr(made, name) for name in Description.__struct_fields__}
    fields["force"] = {name: Raw(msgspec.json.encode(value)) for name, value in made.force.items()}
    vendor = Vendor(slug=slug, **fields)
    _check(vendor)
    return vendor


def from_server(server: Server) -> Vendor:
    """The description of an API that the operator runs. Raises ValueError for an address that is none."""
    origin_of(server.base_url)
    return Vendor(
        slug=server.slug,
        name=server.name,
        provider=server.slug,
        dialect=server.dialect,
        base_url=server.base_url,
        auth=Auth(scheme="none") if server.secret is None else Auth(secret=server.secret),
        # Servers of open weights leave `<think>` in the text unless told otherwise; the reasoning fields are read all the same.
        reasoning=Reasoning(field="think"),
        options=server.options,
        simulated=server.simulated,
    )


def _check(vendor: Vendor) -> None:
    auth = vendor.auth
    if auth.scheme not in SCHEMES | FUTURE_SCHEMES:
        raise ValueError(f"auth.scheme: unknown scheme {auth.scheme!r}")
    if auth.scheme != "none" and not auth.secret:
        raise ValueError("auth.secret: names the environment variable of the credential")
    unknown = sorted(set(vendor.errors.values()) - ERRORS)
    if unknown:
        raise ValueError(f"errors: {unknown[0]!r} is not an attempt error")
    if vendor.reasoning.replay not in ("required", "allowed", "never"):
        raise ValueError("reasoning.replay: required, allowed or never")
    for pair in (*vendor.headers.items(), (auth.header, auth.prefix)):
        if not all(text.isascii() and (text.isprintable() or not text) for text in pair):
            raise ValueError(f"headers: {pair[0]!r} can't be sent")
    url = vendor.base_url
    for name in vendor.variables:
        if "{" + name + "}" not in url:
            raise ValueError(f"variables.{name}: the base URL has no such placeholder")
        url = url.replace("{" + name + "}", "x")
    origin_of(url)
