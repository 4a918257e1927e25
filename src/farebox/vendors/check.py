"""What `farebox vendor check` says: the resolved description of a vendor and whether it can be reached from here. Refuses
to send anything, and to show a credential.
"""

from collections.abc import Mapping

from msgspec import Struct

from farebox.vendors.connect import NotLive, must_connect
from farebox.vendors.types import Vendor


class Report(Struct, frozen=True, kw_only=True):
    """`lines` are (field, value) pairs of the description as it holds; `problem` says why the vendor is not live."""

    slug: str
    live: bool
    problem: str = ""
    lines: tuple[tuple[str, str], ...] = ()


def check(vendor: Vendor, environ: Mapping[str, str]) -> Report:
    """How a vendor stands in this environment."""
    problem, head = "", ""
    try:
        connection = must_connect(vendor, environ)
        origin = connection.origin
        head = f"{origin.scheme}://{origin.host}:{origin.port}"
    except NotLive as reason:
        problem = str(reason)
    return Report(slug=vendor.slug, live=not problem, problem=problem, lines=(*_lines(vendor), ("origin", head or "-")))


def _lines(vendor: Vendor) -> list[tuple[str, str]]:
    auth = vendor.auth
    names = ", ".join(name for name in (auth.secret, *auth.also) if name)
    lines = [
        ("name", vendor.name),
        ("provider", vendor.provider),
        ("dialect", vendor.dialect),
        ("base_url", vendor.base_url),
        ("auth", f"{auth.scheme} ({names})" if names else auth.scheme),
        ("reasoning", f"{vendor.reasoning.field or '-'}, {vendor.reasoning.wish or '-'}, {vendor.reasoning.replay}"),
        ("rename", ", ".join(f"{old} -> {new}" for old, new in vendor.rename.items())),
        ("drop", ", ".join(vendor.drop)),
        ("force", ", ".join(f"{name} = {bytes(value).decode()}" for name, value in vendor.force.items())),
        ("options", ", ".join((*vendor.options, *vendor.quirks))),
        ("docs", vendor.docs),
        ("checked", vendor.checked),
    ]
    return [(name, value) for name, value in lines if value]
