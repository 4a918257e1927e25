"""A Messages request forwarded to a vendor of the same dialect: top-level members as the bytes they were, but for what must
change. Refuses allow-lists: what nobody names passes.
"""

from msgspec import Raw

from farebox.dialects.anthropic_messages.decoding import HOUSE
from farebox.dialects.anthropic_messages.host import close
from farebox.dialects.ports import Opened, Target
from farebox.ir.events import Warning


def relay_request(opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body and what was dropped."""
    fields: dict[str, Raw] = {name: raw for name, raw in opened.fields.items() if name not in HOUSE}
    return close(fields, target, stream=opened.stream)
