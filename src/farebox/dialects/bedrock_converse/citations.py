"""Citations of Converse as canonical ones: source, title, quoted text; where in the source it stands is kept as extras.
Refuses to invent an address.
"""

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.telling import text_of
from farebox.dialects.bedrock_converse.words import NAME
from farebox.ir.request import Citation

_value = msgspec.json.Decoder().decode
_KNOWN = frozenset(("title", "source", "sourceContent"))


def citation(fields: dict[str, Raw]) -> Citation:
    """One entry of a block's citations, or one delta."""
    quoted = _value(fields["sourceContent"]) if "sourceContent" in fields else None
    pieces = [str(one.get("text") or "") for one in quoted if isinstance(one, dict)] if isinstance(quoted, list) else []
    source = text_of(fields, "source")
    rest = {name: raw for name, raw in fields.items() if name not in _KNOWN}
    location = _value(rest["location"]) if "location" in rest else None
    web = location.get("web") if isinstance(location, dict) else None
    url = source if source.startswith(("https://", "http://")) else ""
    if isinstance(web, dict) and isinstance(web.get("url"), str):
        url = web["url"]
    if source and source != url:
        rest["source"] = fields["source"]
    return Citation(url=url, title=text_of(fields, "title"), quote="".join(pieces), extras={NAME: rest} if rest else {})
